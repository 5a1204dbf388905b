"""What is wrong with the identifiers of a document: a code and a place for each, never a refusal.

A record with a scheme and a value is an identifier; which of a document's fields lead to one is settled once for each
model, so that a document without any costs next to nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel

from canonical import udi
from canonical.identifiers import (
    AMBIGUOUS,
    Malformed,
    Ndc,
    are_digits,
    parse_dea,
    parse_duns,
    parse_gln,
    parse_gtin,
    parse_hin,
    parse_ndc,
    parse_npi,
    parse_sscc,
)


def _parse_upn(text: str) -> object:
    """A universal product number is a GTIN or an HIBC primary code; what is neither cannot be checked."""
    if are_digits(text):
        return parse_gtin(text)
    return udi.parse_hibc_primary(text) if text.startswith("+") else None


CHECKED: Final[Mapping[str, Callable[[str], object]]] = {
    "gtin": parse_gtin,
    "gln": parse_gln,
    "sscc": parse_sscc,
    "ndc": parse_ndc,
    "duns": parse_duns,
    "hin": parse_hin,
    "npi": parse_npi,
    "dea": parse_dea,
    "upn": _parse_upn,
    "udi": udi.parse_udi,
}


def fault(scheme: str, text: str) -> str:
    """The code of what is wrong with an identifier of this scheme; empty when nothing is, or nothing can be known."""
    parse = CHECKED.get(scheme)
    if parse is None:
        return ""
    try:
        found = parse(text)
    except Malformed as wrong:
        return wrong.code
    return AMBIGUOUS if isinstance(found, Ndc) and found.ambiguous else ""


def identifier_faults(document: BaseModel) -> Iterator[tuple[str, str]]:
    """(pointer of the value, code) of every identifier that something is wrong with."""
    for pointer, scheme, value in _held(type(document))(document):
        if scheme in CHECKED and (code := fault(scheme, value)):
            yield pointer, code


# --- where they are --------------------------------------------------------------------------------------------------
Held = Callable[[Any], Iterator[tuple[str, str, str]]]


@functools.cache
def _held(model: type[BaseModel]) -> Held:
    """All identifiers in a record of this model, as (pointer, scheme, value)."""
    if {"scheme", "value"} <= model.model_fields.keys():
        return lambda record: iter((("/value", record.scheme, record.value),))
    ways = tuple((name, *found) for name, info in model.model_fields.items() if (found := _way(info.annotation)))

    def held(record: Any) -> Iterator[tuple[str, str, str]]:
        values = record.__dict__
        for name, many, inner in ways:
            told = values[name]
            if not told:
                continue
            for position, entry in enumerate(told if many else (told,)):
                for pointer, scheme, value in inner(entry):
                    yield f"/{name}/{position}{pointer}" if many else f"/{name}{pointer}", scheme, value

    return held


def _way(annotation: Any) -> tuple[bool, Held] | None:
    """Whether a field is a list, and how to its identifiers; None when none can be there."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (False, _held(annotation)) if _leads(annotation) else None
    if get_origin(annotation) is Literal:
        return None
    found = next(filter(None, map(_way, get_args(annotation))), None)
    return (get_origin(annotation) is tuple or found[0], found[1]) if found else None


def _leads(model: type[BaseModel]) -> bool:
    fields = model.model_fields
    return {"scheme", "value"} <= fields.keys() or any(_way(info.annotation) for info in fields.values())
