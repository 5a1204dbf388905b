"""The mappings of a site, compiled when they are first asked for, or all at once to judge them. Opens no file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.mapping import Mapping as CompiledMapping
from engine.mapping import compile_mapping, format_name
from engine.positions import Tree
from engine.site.endpoints import check_format
from engine.site.loading import Loading
from engine.site.source import Source


class Mappings(Mapping[str, CompiledMapping]):
    """By name; those with mistakes, which become findings, are not among them.

    names: also of those. compiled: those that were asked for. Compiling takes every file's tree, and what is compiled
    takes memory, so a process that need not judge them has those alone that it uses.
    """

    def __init__(self, source: Source, loading: Loading) -> None:
        found = {name: loading.tree("mapping", path, content) for name, path, content in source.named("mappings")}
        self.names = frozenset(found)
        self.compiled: dict[str, CompiledMapping] = {}
        self._trees = {name: tree for name, tree in found.items() if tree is not None}
        self._wrong: set[str] = set()
        self._loading = loading

    def compile_all(self) -> None:
        for name in self._trees:
            self.get(name)

    def __getitem__(self, name: str) -> CompiledMapping:
        if name not in self.compiled:
            if name in self._wrong or name not in self._trees:
                raise KeyError(name)
            mapping = self._compile(name, self._trees[name])
            if mapping is None:
                self._wrong.add(name)
                raise KeyError(name)
            self.compiled[name] = mapping
        return self.compiled[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._trees)

    def __len__(self) -> int:
        return len(self._trees)

    def _compile(self, name: str, tree: Tree) -> CompiledMapping | None:
        loading, word = self._loading, format_name(tree, self._trees)
        if not word:
            loading.error("CFG103", "the key 'format' is missing", tree.mark)
            return None
        if not check_format(word, (tree.get("format") or tree).mark, loading):
            return None
        return compile_mapping(name, tree, loading.registry.format(word), loading.findings, self._trees)
