"""Certificates: that a partner's conversation was played and held, and for what exactly. Files of the site.

One JSON file a partner, `certificates/NAME.json`, bound to the partner's fingerprint: whatever changes its effective
configuration, mappings, guides or tables makes the certificate stale, and no other partner's. An override, the word of
a person who takes a partner live without one, is kept in the same file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

FOLDER: Final = "certificates"
CERTIFIED: Final = "certified"
OVERRIDDEN: Final = "override"
STALE: Final = "stale"
FAILED: Final = "failed"
NONE: Final = "none"
MAY_GO_LIVE: Final = frozenset({CERTIFIED, OVERRIDDEN})


class Certificate(NamedTuple):
    """fingerprint: of what was played. at: RFC 3339. counts: verdicts by result. overrides: each `at`, `who`, `reason`
    and the `fingerprint` it was given for."""

    partner: str
    fingerprint: str = ""
    at: str = ""
    version: str = ""
    counts: Mapping[str, int] = MappingProxyType({})
    overrides: tuple[dict[str, str], ...] = ()


def file_of(root: Path, name: str) -> Path:
    return root / FOLDER / f"{name}.json"


def report_of(root: Path, name: str) -> Path:
    return root / FOLDER / f"{name}.html"


def read(root: Path, name: str) -> Certificate:
    """What is kept of a partner; an empty certificate where nothing is, or the file is none."""
    try:
        told: Any = json.loads(file_of(root, name).read_bytes())
        known = {key: told[key] for key in Certificate._fields if key in told}
        found = Certificate(**{**known, "partner": name, "overrides": tuple(known.get("overrides", ()))})
        sound = all(isinstance(one, Mapping) for one in (found.counts, *found.overrides))
        return found if sound else Certificate(name)
    except (OSError, ValueError, TypeError, KeyError):
        return Certificate(name)


def write(root: Path, certificate: Certificate) -> Path:
    """Raises OSError."""
    path = file_of(root, certificate.partner)
    keep(
        path,
        (
            json.dumps({**certificate._asdict(), "counts": dict(certificate.counts)}, indent=2, ensure_ascii=False)
            + "\n"
        ).encode(),
    )
    return path


def keep(path: Path, content: bytes) -> None:
    """A file, whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.tmp")
    part.write_bytes(content)
    part.replace(path)


def standing(certificate: Certificate, fingerprint: str) -> str:
    """How a partner stands whose fingerprint this is now."""
    if any(one.get("fingerprint") == fingerprint for one in certificate.overrides):
        return OVERRIDDEN
    if not certificate.fingerprint:
        return NONE
    if certificate.fingerprint != fingerprint:
        return STALE
    return FAILED if certificate.counts.get("FAILED") else CERTIFIED
