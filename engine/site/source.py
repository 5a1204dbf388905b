"""The files of a site as bytes: read from a folder or from a snapshot, hashed to its version, packed to a snapshot.

Only what configures is read: `config/*.yaml`, `config/crosswalks/*.csv`, `partners/**.yaml`, `mappings/*.yaml`,
`guides/*.yaml`. A secret is no part of it, for the YAML holds references only. A large table is known here by its hash
alone: its rows are neither held nor packed, for the data root keeps them by that hash (`bulk`).
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.positions import Findings, Mark, did_you_mean
from engine.site.bulk import Bulk

FOLDERS: Final = {
    "config": ".yaml",
    "config/crosswalks": ".csv",
    "partners": ".yaml",
    "partners/templates": ".yaml",
    "mappings": ".yaml",
    "guides": ".yaml",
}
CONFIG_FILES: Final = ("engine", "channels", "connections", "routes")
MAX_TABLE_BYTES: Final = 200_000_000
LARGE: Final = 2_000_000  # bytes of a table that is no longer held in memory
_BY_HASH: Final = b"sha256 and size"  # comment of a snapshot's entry that stands for a large table

Content = bytes | Bulk


@dataclass(frozen=True, slots=True)
class Source:
    """A site's files by relative path (`partners/acme.yaml`), sorted."""

    root: str
    files: Mapping[str, Content]

    @property
    def version(self) -> str:
        """SHA-256 over every path and content, each told apart by its length; of a large table, over its own hash."""
        digest = hashlib.sha256()
        for path, content in self.files.items():
            told = content.sha256.encode() if isinstance(content, Bulk) else content
            for part in (path.encode(), told):
                digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()

    def snapshot(self) -> bytes:
        """The files as a zip whose bytes depend on nothing else: no times, no order of listing."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in self.files.items():
                info, told = zipfile.ZipInfo(path), content
                if isinstance(content, Bulk):
                    info.comment, told = _BY_HASH, f"{content.sha256} {content.size}".encode()
                assert isinstance(told, bytes)
                archive.writestr(info, told, zipfile.ZIP_DEFLATED)
        return packed.getvalue()

    def held(self, path: str) -> bytes | None:
        """The content of a file; None when there is none, or it is a large table."""
        content = self.files.get(path)
        return content if isinstance(content, bytes) else None

    def named(self, folder: str) -> Iterator[tuple[str, str, bytes]]:
        """(name, path, content) of a folder's own files that are held."""
        for name, path, content in self.all_named(folder):
            if isinstance(content, bytes):
                yield name, path, content

    def all_named(self, folder: str) -> Iterator[tuple[str, str, Content]]:
        """The same with large tables."""
        for path, content in self.files.items():
            parent, _, file = path.rpartition("/")
            if parent == folder:
                yield file.rpartition(".")[0], path, content


def unpack(snapshot: bytes) -> Source:
    with zipfile.ZipFile(io.BytesIO(snapshot)) as archive:
        return Source("", {info.filename: _unpacked(archive.read(info), info) for info in _sorted(archive)})


def _sorted(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return sorted(archive.infolist(), key=lambda info: info.filename)


def _unpacked(content: bytes, info: zipfile.ZipInfo) -> Content:
    if info.comment != _BY_HASH:
        return content
    sha256, _, size = content.decode().partition(" ")
    return Bulk(sha256, int(size))


def read_source(root: Path, findings: Findings) -> Source:
    """All files of the site at `root`. A file that leads out of it, or has no meaning where it stands, is a finding."""
    home = root.resolve()
    files: dict[str, Content] = {}
    for folder, suffix in FOLDERS.items():
        for path in sorted((root / folder).glob("*")):
            relative = path.relative_to(root).as_posix()
            if path.name.startswith(".") or path.is_dir():
                continue
            if not path.resolve().is_relative_to(home):
                findings.error("CFG110", "this file is a link that leads out of the site", Mark(relative))
            elif _belongs(path, folder, suffix, relative, findings):
                content = read_file(path, relative, findings)
                files |= {} if content is None else {relative: content}
    return Source(str(root), dict(sorted(files.items())))


def _belongs(path: Path, folder: str, suffix: str, relative: str, findings: Findings) -> bool:
    if path.suffix != suffix:
        if path.suffix in {".yml", ".yaml", ".csv"}:
            findings.error("CFG111", f"files of {folder} end in {suffix}", Mark(relative), f"rename it to *{suffix}")
        return False
    if folder == "config" and path.stem not in CONFIG_FILES:
        hint = did_you_mean(path.stem, CONFIG_FILES) or f"config holds {', '.join(CONFIG_FILES)}"
        findings.error("CFG111", f"no part of a site is called {path.name}", Mark(relative), hint)
        return False
    return True


def read_file(path: Path, relative: str, findings: Findings) -> Content | None:
    """A file's content, or what it is if it is a large table. relative: how it is called where it cannot be read."""
    try:
        size = path.stat().st_size
        if size > MAX_TABLE_BYTES:
            findings.error("CFG006", f"the file has more than {MAX_TABLE_BYTES:,} bytes", Mark(relative))
            return None
        return path.read_bytes() if size <= LARGE or path.suffix != ".csv" else _bulk(path, size)
    except OSError as error:
        findings.error("CFG112", f"the file cannot be read: {error.strerror}", Mark(relative))
        return None


def _bulk(path: Path, size: int) -> Bulk:
    with path.open("rb") as opened:
        return Bulk(hashlib.file_digest(opened, "sha256").hexdigest(), size, path)
