"""The report of a certification: one self-contained page to print and give to the supplier. No script, no reference."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Final

from engine.onboarding.verdict import Step, Verdict, passed

_STYLE: Final = """
:root { --line: #8886; --good: #1d6b35; --bad: #b3261e; --quiet: #666 }
body { font: 14px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #111 }
h1 { font-size: 1.4rem; margin: 0 0 .3rem } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; break-after: avoid }
.verdict { font-weight: 600 } .good { color: var(--good) } .bad { color: var(--bad) } .quiet { color: var(--quiet) }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
dt { float: left; clear: left; width: 10rem; color: var(--quiet) } dd { margin: 0 0 .15rem 10rem }
pre { font: 12px/1.4 ui-monospace, monospace; white-space: pre-wrap; word-break: break-all }
pre { border-left: 3px solid var(--line); padding-left: .7rem; margin: .3rem 0 .8rem }
@media print { body { margin: 0; max-width: none } pre { break-inside: avoid } }
"""
_HEADS: Final = "<tr><th>result</th><th>rule</th><th>place</th><th>what was found</th></tr>"
_CLASSES: Final = {"ok": "good", "FAILED": "bad"}


def report(title: str, facts: Mapping[str, str], verdicts: Sequence[Verdict], steps: Sequence[Step]) -> str:
    """facts: what it is about, in the order to be shown. Texts of messages are shown as they are, invented as they
    are: the conversation is played with an order that is none."""
    good = passed(verdicts)
    result = "Every rule held." if good else f"{sum(one.result == 'FAILED' for one in verdicts)} rules did not hold."
    head = "".join(f"<dt>{_safe(name)}</dt><dd>{_safe(value)}</dd>" for name, value in facts.items())
    cases = "".join(_case(case, verdicts, steps) for case in dict.fromkeys(one.case for one in verdicts))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_safe(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f'<body><h1>{_safe(title)}</h1><p class="verdict {"good" if good else "bad"}">{result}</p><dl>{head}</dl>\n'
        f"{cases}</body></html>\n"
    )


def _case(case: str, verdicts: Sequence[Verdict], steps: Sequence[Step]) -> str:
    rows = "".join(_row(one) for one in verdicts if one.case == case)
    said = "".join(_said(one) for one in steps if one.case == case and one.raw)
    return (
        f"<section><h2>{_safe(case)}</h2><table>{_HEADS}{rows}</table>"
        f"{f'<details open><summary>What was said</summary>{said}</details>' if said else ''}</section>\n"
    )


def _row(one: Verdict) -> str:
    cells = (one.result, one.rule, one.place, one.text)
    first = f'<td class="{_CLASSES.get(one.result, "quiet")}">{_safe(one.result)}</td>'
    return f"<tr>{first}{''.join(f'<td>{_safe(cell)}</td>' for cell in cells[1:])}</tr>"


def _said(step: Step) -> str:
    text = readable(step.raw)
    return f"<p>{'We' if step.who == 'ours' else 'The supplier'}: {_safe(step.what)}</p><pre>{_safe(text)}</pre>"


def readable(raw: bytes) -> str:
    """An interchange one segment a line, whatever ends its segments; control characters as pictures of themselves."""
    text = raw.decode("utf-8", "backslashreplace")
    if text.startswith("ISA") and len(text) > 105:
        text = text.replace(text[105], text[105] + "\n" if text[105] not in "\r\n" else "\n").replace("\n\n", "\n")
    return "".join(chr(0x2400 + ord(one)) if one < " " and one != "\n" else one for one in text).strip()


def _safe(text: str) -> str:
    return html.escape(text)
