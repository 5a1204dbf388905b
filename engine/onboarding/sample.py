"""An order to try a partner with: an example of its own mapping, told in items and units that its code tables know.

No word is invented: where a table has no row, the order cannot be written, and that is what is told.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from canonical import Document, PurchaseOrder
from engine.site.crosswalks import Search
from engine.site.model import Partner, Site
from engine.site.samples import example_files

NUMBER: Final = "4500000001"
_MOST: Final = 3  # lines
_QUANTITY: Final = Decimal(10)  # so that a half can be backordered
_PRICE: Final = Decimal("12.50")
_NOTE: Final = "Leave at the east dock"  # letters alone: no separator of anyone's stands in it
_OWN: Final = frozenset({"lines", "urgency", "kind"})
_ROWS: Final = 1_000  # of a table that are looked through


def sample_order(site: Site, partner: Partner, today: dt.date, number: str = NUMBER) -> PurchaseOrder:
    """Up to three lines; parties, notes and references as the mapping's first example has them."""
    base = _example(site, partner)
    items = enterprise_words(partner, "item", today.isoformat()) or ["UNKNOWN"]
    units = enterprise_words(partner, "unit", today.isoformat()) or ["EA"]
    lines = [
        {
            "number": str(position), "quantity": {"value": str(_QUANTITY), "unit": unit}, "price": str(_PRICE),
            "item": {"ids": [{"scheme": "buyer_part", "value": item}], "description": "Invented item"},
        }
        for position, (item, unit) in enumerate(
            zip(items[:_MOST], itertools.cycle(units), strict=False), 1
        )
    ]  # fmt: skip
    told = {"currency": "USD", **base, "number": number, "supplier": partner.name, "ordered_on": today.isoformat()}
    return PurchaseOrder.from_json(json.dumps({**told, "purpose": "original", "lines": lines}))


def lenient(site: Site, name: str) -> Site:
    """The site with this partner's tables passing on what they do not know: to try form without words."""
    partner = site.partners[name]
    tables = {word: replace(used, on_miss="pass") for word, used in partner.crosswalks.items()}
    return replace(site, partners={**site.partners, name: replace(partner, crosswalks=tables)})


def enterprise_words(partner: Partner, crosswalk: str, day: str) -> list[str]:
    """Our words that the partner's code tables know on a day, in the order of their rows; of large tables the first."""
    used = partner.crosswalks.get(crosswalk)
    if used is None:
        return []
    if not isinstance(used.outward, Search):
        return list(used.outward)
    rows = (entry for table in used.outward.tables for entry in itertools.islice(table.rows(), _ROWS))
    holding = [entry for entry in rows if entry.holds(day)]
    plain = [entry for entry in holding if not any(entry.others)]  # what holds for any item, where rows differ by item
    return list(dict.fromkeys(entry.ours for entry in plain or holding))


def documents_of(site: Site, mapping: str) -> list[tuple[str, Document]]:
    """The documents that a mapping's examples show, each with the example's name; none that is no such document."""
    files = example_files(Path(site.root), mapping) if site.root else {}
    found: list[tuple[str, Document]] = []
    for name in sorted(files):
        if name.count(".") == 1 and name.endswith(".json"):
            with contextlib.suppress(ValueError):  # what is wrong with an example, `hilum check` says
                plain = json.loads(files[name])
                listed = plain if isinstance(plain, list) else [plain]
                model = site.mappings[mapping].model
                found += [(name.removesuffix(".json"), model.from_json(json.dumps(one))) for one in listed]
    return found


def _example(site: Site, partner: Partner) -> dict[str, Any]:
    agreement = partner.outgoing(PurchaseOrder.TYPE)
    for _, document in documents_of(site, agreement.mapping) if agreement else ():
        plain: dict[str, Any] = json.loads(document.to_json())
        return {key: _NOTE if key == "note" else value for key, value in plain.items() if key not in _OWN}
    return {}
