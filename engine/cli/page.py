"""A trace as one self-contained page: no script, nothing loaded from elsewhere."""

from __future__ import annotations

import html
from typing import Any

from engine.story import SIGNS, story

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --good: #2a7d46; --waiting: #a06a00; --bad: #b3261e; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; margin: 0 } .sub { opacity: .75; margin: 0 0 1.5rem }
ul { list-style: none; padding-left: 1.4rem; border-left: 1px solid var(--line); margin: .15rem 0 }
main > ul { padding-left: 0; border: 0 } li { margin: .45rem 0 }
.step { display: flex; flex-wrap: wrap; gap: .2rem .9rem; align-items: baseline }
time { font-variant-numeric: tabular-nums; opacity: .7 } .what { font-weight: 600 } .who { opacity: .8 }
.missing { border: 1px dashed var(--line); border-radius: .4rem; padding: 0 .5rem } .bad > .what { color: var(--bad) }
.id { font-family: ui-monospace, monospace; opacity: .55; font-size: .85em }
.light { font-size: .8em; white-space: nowrap } .light.good { color: var(--good) }
.light.waiting { color: var(--waiting) } .light.bad { color: var(--bad) } .light.none { opacity: .45 }
"""


def page(data: dict[str, Any]) -> str:
    told = story(data)
    title = html.escape(told.title)
    verdict = told.verdict + (f" (its thread: {told.whole})" if told.whole else "")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f"<body><header><h1>{title}</h1>"
        f'<p class="sub">{html.escape(verdict)} · {html.escape(told.took)}</p></header>\n<main>'
        f"{_list(told.steps)}</main></body></html>\n"
    )


def _list(steps: Any) -> str:
    return (
        "<ul>"
        + "".join(f"<li>{_item(step)}{_list(step.children) if step.children else ''}</li>" for step in steps)
        + "</ul>"
    )


def _item(step: Any) -> str:
    classes = "step" + (" missing" if step.missing else "") + (" bad" if step.bad else "")
    lights = ""
    if step.id.startswith("M"):
        lights = "".join(
            f'<span class="light {light}">{SIGNS[light]} {name}</span>' for name, light in step.lights.items()
        )
    when = f'<time datetime="{step.at}">{step.at[:10]} {step.at[11:19]}</time>' if step.at else "<time>not yet</time>"
    parts = (("what", step.what), ("who", step.who), ("note", step.note), ("id", step.id))
    spans = "".join(f'<span class="{name}">{html.escape(text)}</span>' for name, text in parts if text)
    return f'<div class="{classes}">{when}{spans}{lights}</div>'
