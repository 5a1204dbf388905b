"""Whatever bytes a YAML file holds, reading it gives a tree or a finding, quickly, and never an exception."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.positions import Findings, Tree
from engine.site.references import resolve
from engine.site.yaml import MAX_DEPTH, read_tree

FRAGMENTS = [
    *(
        "a",
        "b",
        "key",
        ": ",
        ":",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "\t",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "&x ",
        "*x",
        "!!str ",
        "!",
    ),
    *(
        "|",
        ">",
        "'",
        '"',
        "\\",
        "#",
        "---",
        "...",
        "? ",
        "<<",
        "~",
        "null",
        "NO",
        "0012",
        "%YAML 1.1",
        "${env:A}",
        "${",
    ),
    *("\u00e9", "\u2028", "\x00", "\ufeff", "\r"),
]
yamlish = st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join).map(str.encode)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=8)
keys = st.text("abc0:~ ", min_size=1, max_size=4)
plain = st.recursive(
    texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=12
)


def depth(tree: Tree) -> int:
    children = (
        tree.value.values() if isinstance(tree.value, dict) else tree.value if isinstance(tree.value, list) else ()
    )
    return 1 + max((depth(child) for child in children), default=0)


@settings(max_examples=400, deadline=None)
@given(yamlish | st.binary(max_size=200))
def test_no_bytes_can_crash_the_reader(raw: bytes) -> None:
    findings = Findings()
    tree = read_tree(raw, "x.yaml", findings)
    assert (tree is not None) or findings.errors
    if tree is not None:
        assert depth(tree) <= MAX_DEPTH + 1
        resolve(tree, {"A": "1"}, findings)
    for finding in findings.found:
        assert finding.mark.line >= 1
        assert finding.mark.column >= 1


@settings(max_examples=200, deadline=None)
@given(plain)
def test_what_is_quoted_comes_back_as_it_was(value: object) -> None:
    """Against PyYAML's own writer: every quoted text, mapping and list is read as what was written."""
    raw = yaml.safe_dump(value, default_style='"', allow_unicode=True).encode()
    findings = Findings()
    tree = read_tree(raw, "x.yaml", findings)
    assert findings.found == []
    assert tree is not None
    assert tree.plain() == value


@settings(max_examples=100, deadline=None)
@given(st.text("NOyes0123456789:._-+eE~", min_size=1, max_size=10))
def test_a_plain_scalar_is_its_own_text(word: str) -> None:
    findings = Findings()
    tree = read_tree(f"key: {word}\n".encode(), "x.yaml", findings)
    if tree is None:
        assert findings.errors  # `12:`, `---` and the like are not plain scalars
        return
    value = tree.get("key")
    assert value is not None
    assert value.value in {word, None} or isinstance(value.value, dict | list)
