"""Partners' guides: each rule of a file put to its format, which knows the places and what may be narrowed."""

from __future__ import annotations

from collections.abc import Mapping

from engine.plugin import Guide, Guided, Narrowing, PathError
from engine.positions import Mark, Tree
from engine.site.endpoints import check_format
from engine.site.fit import fit, place_of
from engine.site.loading import Loading
from engine.site.shapes import GuideFile, Rule
from engine.site.source import Source

_HEADER = ("set", "release")


def read_guides(source: Source, loading: Loading) -> tuple[Mapping[str, Guide], frozenset[str]]:
    """By name, with the names of those too that are wrong."""
    trees = {name: loading.tree("guide", path, content) for name, path, content in source.named("guides")}
    read = {name: read_guide(tree, loading) for name, tree in trees.items() if tree is not None}
    return {name: guide for name, guide in read.items() if guide is not None}, frozenset(trees)


def read_guide(tree: Tree, loading: Loading) -> Guide | None:
    """None when the file has no structure to narrow; rules that are wrong are left out, each a finding (CFG350)."""
    file = fit(GuideFile, tree, loading.findings)
    if file is None or not check_format(file.format, place_of(tree, ["format"]), loading):
        return None
    format = loading.registry.format(file.format)
    if not isinstance(format, Guided):
        loading.error("CFG350", f"messages of {file.format} take no guide", place_of(tree, ["format"]))
        return None
    try:
        guide = format.guide({"set": file.set, "release": file.release})
    except PathError as wrong:
        where = next((key for key in _HEADER if tree.get(key) and f"'{getattr(file, key)}'" in wrong.text), "set")
        _tell(wrong, place_of(tree, [where]), loading)
        return None
    rules = tree.get("rules") or tree
    for path, rule in file.rules.items():
        mark = rules.keys.get(path, rules.mark)
        try:
            guide.add(_narrowing(path, rule, mark))
        except PathError as wrong:
            _tell(wrong, mark, loading)
    return guide


def _narrowing(path: str, rule: Rule, mark: Mark) -> Narrowing:
    least, longest = rule.length
    return Narrowing(path, rule.use, rule.most, tuple(rule.codes), least, longest, str(mark))


def _tell(wrong: PathError, mark: Mark, loading: Loading) -> None:
    near = wrong.nearest
    loading.error("CFG350", wrong.text, mark, f"did you mean '{near[0]}'?" if near else "")
