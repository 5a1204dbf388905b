"""A log line is one line of printable words, whatever a partner calls itself."""

from __future__ import annotations

from engine.logs import line


def test_fields_follow_a_fixed_word() -> None:
    assert line("delivered", {"message": "M1", "ms": 4, "code": ""}) == "delivered message=M1 ms=4"


def test_a_value_cannot_forge_a_line_or_colour_a_terminal() -> None:
    forged = line("refused", {"sender": "EVIL\nready site=x", "type": "\x1b[31m"})
    assert "\n" not in forged
    assert "\x1b" not in forged
    assert forged.startswith("refused sender=")
