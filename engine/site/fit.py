"""Fits a YAML tree to a declared shape (a pydantic model); every mistake has its place and the nearest right word.

The models of `engine.site.shapes` and the option sets of the kinds go through here alike. Values are told back only
where they are words of a closed list, never otherwise: an option may be a secret.
"""

from __future__ import annotations

import re
import types
from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

import pydantic
from pydantic_core import ErrorDetails

from engine.options import DURATION_SCHEMA, microseconds
from engine.positions import Findings, Mark, Tree, did_you_mean

Model = TypeVar("Model", bound=pydantic.BaseModel)

_WANTED: Final = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "date": "a day, as 2026-12-25",
    "dict": "a mapping (`key: value`)",
    "model": "a mapping (`key: value`)",
    "list": "a list",
    "tuple": "a list",
}


# Microseconds, written `30s`.
Duration = Annotated[int, pydantic.BeforeValidator(microseconds), DURATION_SCHEMA]


def fit(model: type[Model], tree: Tree, findings: Findings, *, known: Collection[str] = ()) -> Model | None:
    """The model filled from the tree, or None. known: further keys to suggest for an unknown key at the top."""
    try:
        return model.model_validate(tree.plain())
    except pydantic.ValidationError as problem:
        errors = problem.errors(include_url=False)
        for error in errors:
            if not _is_misspelt(error, errors):
                _report(error, model, tree, findings, known)
        return None


def _is_misspelt(error: ErrorDetails, errors: Sequence[ErrorDetails]) -> bool:
    """Whether a missing key stands there as an unknown one; the unknown one tells it."""
    if error["type"] != "missing":
        return False
    unknown = [other["loc"] for other in errors if other["type"] == "extra_forbidden"]
    beside = [str(loc[-1]) for loc in unknown if loc[:-1] == error["loc"][:-1]]
    return bool(did_you_mean(str(error["loc"][-1]), beside))


def report_unknown(keys: Collection[str], tree: Tree, known: Collection[str], findings: Findings) -> None:
    """CFG102 for keys of a mapping that belong to nothing."""
    for key in keys:
        hint = did_you_mean(key, known) or f"known keys: {', '.join(sorted(known))}"
        findings.error("CFG102", f"unknown key '{key}'", tree.keys.get(key, tree.mark), hint)


def _report(
    error: ErrorDetails, model: type[pydantic.BaseModel], tree: Tree, findings: Findings, known: Collection[str]
) -> None:
    kind = error["type"]
    path = [str(part) for part in error["loc"] if not str(part).startswith("<")]  # <...> tags a union's branch
    if kind == "extra_forbidden":
        parent = _descend(tree, path[:-1])
        words = {*fields_at(model, path[:-1]), *(known if len(path) == 1 else ())}
        report_unknown([path[-1]], parent, words, findings)
        return
    if kind == "missing":
        where = _descend(tree, path[:-1])
        mark = place_of(tree, path[:-1]) if path[:-1] else where.mark
        findings.error("CFG103", f"the key '{path[-1]}' is missing", mark)
        return
    mark = place_of(tree, path)
    if any(found.mark == mark and found.severity == "error" for found in findings.found):
        return  # a reference that could not be resolved says it better
    code, text, hint = _explain(error, path)
    findings.error(code, text, mark, hint)


def _explain(error: ErrorDetails, path: Sequence[str]) -> tuple[str, str, str]:
    kind, context = error["type"], error.get("ctx", {})
    name = path[-2] if path and path[-1] == "[key]" else (path[-1] if path else "this")
    about = f"{name}: " if path else ""
    if kind.startswith("CFG"):
        return kind, f"{about}{error['msg']}", str(context.get("hint", ""))
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        given = error["input"]
        hint = did_you_mean(given, words) if isinstance(given, str) else ""
        return "CFG105", f"{name} must be one of {', '.join(words)}", hint
    if kind.endswith(("_type", "_parsing", "_from_float")):
        wanted = _WANTED.get(kind.split("_")[0], "something else")
        return "CFG104", f"{name} must be {wanted}", ""
    if kind == "string_pattern_mismatch":
        return "CFG105", f"{name} has not the form wanted", f"it must match {context.get('pattern', '')}"
    text = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return "CFG105", f"{about}{text[:1].lower()}{text[1:]}", ""


def place_of(tree: Tree, path: Sequence[str]) -> Mark:
    """The mark of a value by its path; of the key itself where the path ends in `[key]` or in a mapping or list."""
    mark = tree.mark
    for part in path:
        if part == "[key]":
            break
        child = _child(tree, part)
        if child is None:
            break
        composite = child.kind in {"mapping", "sequence"} or path[-1] == "[key]"
        mark = tree.keys.get(part, child.mark) if composite else child.mark
        tree = child
    return mark


def _descend(tree: Tree, path: Sequence[str]) -> Tree:
    for part in path:
        tree = _child(tree, part) or tree
    return tree


def _child(tree: Tree, part: str) -> Tree | None:
    if isinstance(tree.value, list) and part.isdigit() and int(part) < len(tree.value):
        return tree.value[int(part)]
    return tree.get(part)


def fields_at(model: Any, path: Sequence[str]) -> tuple[str, ...]:
    """The keys a mapping at this path may have, by the model's annotations."""
    candidates = [model]
    for part in path:
        candidates = [below for candidate in candidates for below in _below(candidate, part)]
    models = [c for c in candidates if isinstance(c, type) and issubclass(c, pydantic.BaseModel)]
    return tuple(field.alias or name for m in models for name, field in m.model_fields.items())


def _below(annotation: Any, part: str) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        for name, field in annotation.model_fields.items():
            if part in {name, field.alias}:
                yield from _plain(field.annotation)
    elif get_origin(annotation) in {dict, list, tuple}:
        yield from _plain(next((arg for arg in reversed(get_args(annotation)) if arg is not ...), None))


def _plain(annotation: Any) -> Iterator[Any]:
    """An annotation without its Annotated and Optional wrappings."""
    if get_origin(annotation) is Annotated:
        yield from _plain(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, types.UnionType}:
        for option in get_args(annotation):
            yield from _plain(option)
    else:
        yield annotation
