"""What every step of loading a site shares: where mistakes go, kinds and formats, the environment, the data root."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.plugin import Registry
from engine.positions import Findings, Mark, Tree, did_you_mean
from engine.site.references import resolve
from engine.site.yaml import read_tree


@dataclass(frozen=True, slots=True)
class Loading:
    """home: the data root ($HILUM_HOME), which folders of connections may not leave."""

    findings: Findings
    registry: Registry
    environ: Mapping[str, str]
    home: Path

    def error(self, code: str, text: str, mark: Mark, hint: str = "") -> None:
        self.findings.error(code, text, mark, hint)

    def tree(self, kind: str, path: str, content: bytes) -> Tree | None:
        """A file's tree with its references resolved, when it is YAML and the kind of file it should be."""
        tree = read_tree(content, path, self.findings)
        if tree is None or not check_version(tree, kind, self.findings):
            return None
        return tree if kind == "mapping" else resolve(tree, self.environ, self.findings)

    def known(self, code: str, what: str, word: str, words: Collection[str], mark: Mark) -> bool:
        """Whether a name is one of those there are; if not, a finding with the nearest."""
        if word in words:
            return True
        hint = did_you_mean(word, words) or f"there is: {', '.join(sorted(words)[:12]) or 'none'}"
        self.error(code, f"no {what} is called '{word}'", mark, hint)
        return False


def check_version(tree: Tree, kind: str, findings: Findings) -> bool:
    """Each file names what it is: `apiVersion: partner/v1` (CFG107, CFG108)."""
    wanted = f"{kind}/v1"
    if tree.kind != "mapping":
        findings.error("CFG104", f"the file must be a mapping (`key: value`), not {tree.kind}", tree.mark)
        return False
    version = tree.get("apiVersion")
    if version is None:
        findings.error("CFG107", "the file does not name its apiVersion", tree.mark, f"add 'apiVersion: {wanted}'")
        return False
    if version.value == wanted:
        return True
    text = version.value if isinstance(version.value, str) else ""
    newer = re.fullmatch(rf"{kind}/v([2-9]|[1-9]\d+)", text)
    hint = "a later Hilum reads it: upgrade, or write the file for v1" if newer else f"it must be '{wanted}'"
    findings.error(
        "CFG108", f"this apiVersion is {'newer than' if newer else 'not one that'} we read", version.mark, hint
    )
    return False
