"""What tells two editions of a code table apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.positions import Findings
from engine.site.crosswalks import SmallTable, read_table
from engine.site.revise import differences, unmatched, written
from engine.site.rows import Entry

HEADING = "partner,item,enterprise,from,until\n"
ROWS = st.dictionaries(
    st.tuples(st.sampled_from("ABC"), st.sampled_from(["", "NH-1"])),
    st.tuples(st.sampled_from("XY"), st.sampled_from(["", "2026-01-01"]), st.sampled_from(["", "2026-12-31"])),
)


def table(text: str, heading: str = HEADING) -> SmallTable:
    findings = Findings()
    found = read_table((heading + text).encode(), "config/crosswalks/units.csv", findings)
    assert findings.found == []
    return found


def rows(drawn: dict[tuple[str, str], tuple[str, str, str]]) -> SmallTable:
    lines = [f"{word},{item},{ours},{since},{until}\n" for (word, item), (ours, since, until) in drawn.items()]
    return table("".join(lines))


def plain(entry: Entry) -> tuple[object, ...]:
    return entry[1:]


@given(ROWS, ROWS)
def test_the_differences_lead_from_the_old_table_to_the_new(
    before: dict[tuple[str, str], tuple[str, str, str]], after: dict[tuple[str, str], tuple[str, str, str]]
) -> None:
    old, new = rows(before), rows(after)
    whole = {plain(entry) for entry in old.rows()}
    for one in differences(old, new):
        if one.how == "removed":
            whole.remove(plain(one.entry))
        else:
            assert (one.was is not None) == (one.how == "changed")
            whole -= {plain(one.was)} if one.was else set()
            whole.add(plain(one.entry))
    assert whole == {plain(entry) for entry in new.rows()}


def test_other_columns_make_every_row_another() -> None:
    old, new = table("BX,BX\n", "partner,enterprise\n"), table("BX,,BX,,\n")
    assert [one.how for one in differences(old, new)] == ["added", "removed"]
    assert [one.how for one in differences(None, new)] == ["added"]


def test_what_is_written_otherwise_is_told_though_no_row_differs() -> None:
    old, new = table("BX,,BX,,\nBOX,,BX,,\n"), table("BOX,,BX,,\nBX,,BX,,\n")
    assert [*differences(old, new)] == []
    (told,) = written(old, new)
    assert (told.entry.ours, told.entry.theirs, told.was and told.was.theirs) == ("BX", "BOX", "BX")
    gone = table("BOX,,BX,,\n")
    assert [*written(old, gone)] == []  # told as removed


def test_words_that_no_other_table_knows_are_told() -> None:
    new = table("BX,,BX,,\nCS,NH-1,CAS,,\nCS,NH-9,BX,,\n")
    items = table("V1,NH-1\n", "partner,enterprise\n")
    others = table("Box,BX\n", "partner,enterprise\n")
    told = unmatched([*new.rows()], new.columns, {"": [others], "item": [items]})
    assert [(one.entry.at, one.why) for one in told] == [
        (3, "no other table has our 'CAS'"),
        (4, "no table has our item 'NH-9'"),
    ]
    assert [*unmatched([*new.rows()], new.columns, {})] == []
