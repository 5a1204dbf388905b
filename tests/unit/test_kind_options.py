"""The kinds' declared options, and the two tables that name kinds and formats."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pydantic
import pytest

from channels import FORMATS, KINDS, registry
from channels.options import split_address


def options(kind: str, which: str = "listener", **given: Any) -> Any:
    model = getattr(registry().kind(kind), f"{which}_options")
    return model.model_validate(given)


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("15m", 900), ("4h", 14400), ("1d", 86400)])
def test_durations(text: str, seconds: float) -> None:
    assert options("mllp", "sender", connect="127.0.0.1:1", timeout=text).timeout == seconds


@pytest.mark.parametrize("text", ["30", "0s", "-1s", "1.5s", "1w", "", "thirty", "12:30"])
def test_no_durations(text: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        options("mllp", "sender", connect="127.0.0.1:1", timeout=text)


@pytest.mark.parametrize(
    ("address", "parts"), [("127.0.0.1:2575", ("127.0.0.1", 2575)), ("[::1]:0", ("::1", 0)), ("ehr:1", ("ehr", 1))]
)
def test_addresses(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


@pytest.mark.parametrize("address", ["127.0.0.1", ":2575", "host:", "host:x", "host:65536", "host:٣"])
def test_no_addresses(address: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        options("mllp", "sender", connect=address)


@pytest.mark.parametrize("kind", ["mllp", "http"])
@pytest.mark.parametrize("listen", ["0.0.0.0:1", "10.0.0.1:1", "[::]:1", "ehr.example:1"])
def test_plain_text_beyond_this_machine_needs_a_reason(kind: str, listen: str) -> None:
    more: dict[str, Any] = {"paths": {"/a": "a"}} if kind == "http" else {}
    for blank in ({}, {"allow_plain_text": "  "}):
        with pytest.raises(pydantic.ValidationError, match="allow_plain_text"):
            options(kind, listen=listen, **blank, **more)
    assert options(kind, listen=listen, allow_plain_text="a closed network", **more).listen == listen
    assert options(kind, listen="localhost:1", **more).listen == "localhost:1"


@pytest.mark.parametrize(
    "url", ["erp:8090", "ftp://erp", "http://", "http://u:p@erp", "http://erp?a=b", "file:///etc/passwd"]
)
def test_urls(url: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        options("http", "sender", url=url)


@pytest.mark.parametrize("paths", [{}, {"orders": "x"}])
def test_paths_begin_with_a_slash(paths: dict[str, str]) -> None:
    with pytest.raises(pydantic.ValidationError):
        options("http", listen="127.0.0.1:1", paths=paths)


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_options_are_refused_and_all_have_a_schema(kind: str) -> None:
    for which in ("listener", "sender"):
        with pytest.raises(pydantic.ValidationError, match="extra_forbidden"):
            options(kind, which, portt=1)
        model = getattr(registry().kind(kind), f"{which}_options")
        assert model.model_json_schema()["properties"]


def test_the_tables_hold_what_they_name() -> None:
    known = registry()
    assert [known.kind(name).name for name in known.kinds()] == list(KINDS)
    assert [known.format(name).name for name in known.formats()] == list(FORMATS)
    for ask in (known.kind, known.format):
        with pytest.raises(KeyError):
            ask("carrier_pigeon")


def test_a_kind_is_imported_on_first_use() -> None:
    code = (
        "import sys, channels; r = channels.registry(); r.kind('folder');"
        "bad = {'httpx', 'uvicorn', 'channels.mllp', 'channels.http'} & set(sys.modules); assert not bad, bad;"
        "r.kind('http'); r.kind('mllp'); bad = {'httpx', 'uvicorn'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
