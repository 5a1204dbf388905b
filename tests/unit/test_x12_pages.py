"""The pages of the sets in docs/x12 are what the tables say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from channels.formats.x12 import grammar
from channels.formats.x12.pages import pages

FOLDER = Path(__file__).resolve().parents[2] / "docs/x12"


def test_the_pages_are_current() -> None:
    """`make pages` writes them."""
    written = {path.name: path.read_text() for path in FOLDER.iterdir()}
    made = pages()
    assert sorted(written) == sorted(made)
    assert [name for name in made if made[name] != written[name]] == []


@pytest.mark.parametrize("name", grammar.RELEASES)
def test_every_place_of_every_set_is_told_once(name: str) -> None:
    release = grammar.release(name)
    assert release is not None
    made = pages()
    for id, known in ((id, release.transaction_set(id)) for id in release.groups):
        assert known is not None
        column = [one for one in grammar.RELEASES if f"| {one} |" in made[f"{id}.md"]].index(name)
        rows = [row.split(" | ") for row in made[f"{id}.md"].splitlines() if "segments.md#" in row]
        told = [re.search(r"\[\*{0,2}(\w+)", row[0])[1] for row in rows if row[2 + column].strip(" |")]  # type: ignore[index]
        assert told == [*_places(known.root)]


def _places(loop: grammar.Loop, *, inner: bool = False) -> list[str]:
    found = []
    for place in loop.places[inner:]:
        found += [place.segment.id, *(_places(place.loop, inner=True) if place.opens else ())]
    return found


def test_every_link_leads_to_a_heading() -> None:
    made = pages()
    headings = re.findall(r"^## (.*)$", made["segments.md"], re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = {link for text in made.values() for link in re.findall(r"\((?:segments\.md)?#([^)]*)\)", text)}
    assert links <= anchors
    assert len(links) > 150
