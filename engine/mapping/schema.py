"""What a canonical model lets a mapping fill in: its fields, their types, and which must be there."""

from __future__ import annotations

import datetime as dt
import types
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import pydantic
from pydantic_core import PydanticUndefined

Model = type[pydantic.BaseModel]
_PLAIN: Final[dict[Any, type]] = {pydantic.AwareDatetime: dt.datetime}  # what values of pydantic's own types are


@dataclass(frozen=True, slots=True)
class Target:
    """One field of a canonical record.

    type:     str, bool, Decimal, date, datetime, or a record class.
    many:     it is a tuple of that type.
    required: the model refuses a record without it. nullable: it may be None.
    choices:  the closed list of its values, when it has one.
    default:  the model's own value when it is not given.
    """

    name: str
    path: str
    type: Any
    many: bool
    required: bool
    nullable: bool
    choices: tuple[str, ...] = ()
    default: object = None

    @property
    def record(self) -> Model | None:
        found = self.type
        return found if isinstance(found, type) and issubclass(found, pydantic.BaseModel) else None


def targets(model: Model, path: str = "") -> dict[str, Target]:
    """The fields of a model by name. path: dotted place of the record in its document."""
    found = {}
    for name, info in model.model_fields.items():
        kind, many, nullable, choices = _unwrap(info.annotation)
        default = None if info.default is PydanticUndefined else info.default
        place = f"{path}.{name}" if path else name
        found[name] = Target(name, place, kind, many, info.is_required(), nullable, choices, default)
    return found


def _unwrap(annotation: Any) -> tuple[Any, bool, bool, tuple[str, ...]]:
    """(type, many, nullable, choices) of an annotation as the canonical models write them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _unwrap(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        rest = [arm for arm in get_args(annotation) if arm is not type(None)]
        kind, many, _, choices = _unwrap(rest[0])
        return kind, many, True, choices
    if origin is tuple:
        kind, _, _, choices = _unwrap(get_args(annotation)[0])
        return kind, True, False, choices
    if origin is Literal:
        return str, False, False, get_args(annotation)
    return _PLAIN.get(annotation, annotation), False, False, ()
