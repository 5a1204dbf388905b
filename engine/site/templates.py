"""`extends:` of partners: a shared starting point below partners/templates, each key of which a partner may override.

Mappings merge key by key, anything else is replaced, and a null removes. Every node keeps the place it was written at.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.positions import Tree
from engine.site.loading import Loading


def extend(tree: Tree, templates: Mapping[str, Tree], loading: Loading, seen: tuple[str, ...] = ()) -> Tree | None:
    """The tree laid over all it extends. templates: trees by name, `templates/x12_supplier`."""
    word = tree.get("extends")
    if word is None or word.value is None:
        return tree
    if not isinstance(word.value, str) or not _inside(word.value):
        hint = "name a file of partners/templates: templates/NAME"
        loading.error("CFG208", "extends leads out of the site", word.mark, hint)
        return None
    name = word.value.removesuffix(".yaml")
    if name in seen:
        loading.error("CFG209", f"extends goes in a circle: {' -> '.join([*seen, name])}", word.mark)
        return None
    if not loading.known("CFG209", "template", name, templates, word.mark):
        return None
    base = extend(templates[name], templates, loading, (*seen, name))
    return overlay(base, tree) if base else None


def _inside(path: str) -> bool:
    parts = path.split("/")
    return len(parts) == 2 and parts[0] == "templates" and parts[1] not in {"", "..", "."} and "\\" not in path


def overlay(base: Tree, top: Tree) -> Tree:
    if not isinstance(base.value, dict) or not isinstance(top.value, dict):
        return top
    merged, keys = dict(base.value), dict(base.keys)
    for key, child in top.value.items():
        below = merged.pop(key, None)
        if child.value is not None:
            merged[key] = overlay(below, child) if below else child
            keys[key] = top.keys[key]
    return Tree(merged, top.mark, keys)
