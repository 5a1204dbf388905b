"""The site as it would be with a partner in another status: its file with that one word replaced, judged whole."""

from __future__ import annotations

from collections.abc import Mapping

from engine.plugin import Registry
from engine.positions import Finding, Findings
from engine.site.load import judge_source
from engine.site.model import Site
from engine.site.source import Source
from engine.site.yaml import lines_of, read_tree


def with_status(content: bytes, status: str) -> bytes:
    """A partner's file with its `status:` replaced, and nothing else; added at the end where it stood in a template."""
    tree = read_tree(content, "partner", Findings())
    word = tree.get("status") if tree else None
    if word is None:
        return content + b"\n" * (not content.endswith(b"\n")) + f"status: {status}\n".encode()
    text = content.decode("utf-8-sig")
    before = lines_of(text)[: word.mark.line - 1]
    start = _offset(text, len(before)) + word.mark.column - 1
    return (text[:start] + status + text[start + word.mark.length :]).encode()


def as_status(
    source: Source, name: str, status: str, registry: Registry, environ: Mapping[str, str]
) -> tuple[Site | None, list[Finding]]:
    path = f"partners/{name}.yaml"
    files = {**source.files, path: with_status(source.held(path) or b"", status)}
    site, findings = judge_source(Source(source.root, files), registry, environ)
    return site, findings.found


def _offset(text: str, lines: int) -> int:
    """Where line number `lines` (0-based) begins, lines counted as YAML counts them."""
    at = 0
    for _ in range(lines):
        ends = [found for mark in ("\r\n", "\n", "\r") if (found := text.find(mark, at)) >= 0]
        at = min(ends) + (2 if text.startswith("\r\n", min(ends)) else 1)
    return at
