"""`extends:` and `use:`: one mapping as a patch of another, and blocks that several fields share. Trees in, trees out.

A patch goes by key: mappings merge, everything else replaces, and null removes what the base has.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.positions import Findings, Mark, Tree, did_you_mean


def resolve(name: str, tree: Tree, trees: Mapping[str, Tree], findings: Findings) -> Tree | None:
    """The mapping with all it extends; None when that cannot be found."""
    chain = [tree]
    seen = [name]
    while (base := chain[-1].get("extends")) is not None:
        word = base.value if isinstance(base.value, str) else ""
        if word in seen:
            findings.error("MAP107", f"extends goes in a circle: {' -> '.join([*seen, word])}", base.mark)
            return None
        if word not in trees:
            findings.error("MAP106", f"there is no mapping '{word}' to extend", base.mark, did_you_mean(word, trees))
            return None
        seen.append(word)
        chain.append(trees[word])
    whole = chain.pop()
    while chain:
        whole = merge(whole, chain.pop(), findings)
    return whole


def format_name(tree: Tree, trees: Mapping[str, Tree]) -> str:
    """The format a mapping is for, its own or inherited; empty when it says none."""
    seen: set[int] = set()
    while id(tree) not in seen:
        seen.add(id(tree))
        if (own := tree.get("format")) is not None:
            return own.value if isinstance(own.value, str) else ""
        base = tree.get("extends")
        if base is None or not isinstance(base.value, str) or base.value not in trees:
            return ""
        tree = trees[base.value]
    return ""


def merge(base: Tree, patch: Tree, findings: Findings) -> Tree:
    """`base` changed by `patch`."""
    if not isinstance(base.value, dict) or not isinstance(patch.value, dict):
        return patch
    value, keys = dict(base.value), dict(base.keys)
    for key, child in patch.value.items():
        if child.value is None:
            if value.pop(key, None) is None:
                text = f"null removes '{key}' of the base, which has no such key"
                findings.error("MAP109", text, patch.keys.get(key, child.mark), did_you_mean(key, base.value))
            keys.pop(key, None)
            continue
        value[key] = merge(value[key], child, findings) if key in value else child
        keys[key] = patch.keys.get(key, child.mark)
    return Tree(value, patch.mark, keys)


def expand(spec: Tree, blocks: Mapping[str, Tree], findings: Findings, seen: tuple[str, ...] = ()) -> Tree:
    """Put in the block that `use:` names; the spec's own keys go over the block's."""
    named = spec.get("use")
    if named is None or not isinstance(spec.value, dict):
        return spec
    own = {key: child for key, child in spec.value.items() if key != "use"}
    rest = Tree(own, spec.mark, {key: spec.keys[key] for key in own if key in spec.keys})
    word = named.value if isinstance(named.value, str) else ""
    if word in seen or word not in blocks:
        if word in seen:
            findings.error("MAP108", f"block '{word}' uses itself", named.mark)
        else:
            findings.error("MAP108", f"there is no block '{word}'", named.mark, did_you_mean(word, blocks))
        return rest
    return merge(expand(blocks[word], blocks, findings, (*seen, word)), rest, findings)


def nest(spec: Tree, findings: Findings) -> Tree:
    """Dotted keys as nested mappings: `quantity.unit: X` is `quantity: {unit: X}`."""
    nested = Tree({}, spec.mark)
    for key, child in spec.items():
        _plant(nested, key.split("."), child, spec.keys.get(key, child.mark), findings)
    return nested


def _plant(into: Tree, names: list[str], child: Tree, mark: Mark, findings: Findings) -> None:
    assert isinstance(into.value, dict)
    name, *rest = names
    known = into.value.get(name)
    into.keys.setdefault(name, mark)
    if rest:
        if known is None or not isinstance(known.value, dict):
            if known is not None:
                findings.error("MAP205", f"field '{name}' is mapped as a whole and in parts", mark)
            known = into.value[name] = Tree({}, child.mark)
        _plant(known, rest, child, mark, findings)
        return
    if known is None:
        into.value[name] = _copy(child)
        return
    if not isinstance(known.value, dict) or not isinstance(child.value, dict):
        findings.error("MAP205", f"field '{name}' is mapped twice", mark)
        return
    for key, grandchild in child.value.items():
        _plant(known, [key], grandchild, child.keys.get(key, grandchild.mark), findings)


def _copy(tree: Tree) -> Tree:
    """A mapping of its own, so that planting into it leaves the file's tree alone."""
    return Tree(dict(tree.value), tree.mark, dict(tree.keys)) if isinstance(tree.value, dict) else tree
