"""References in YAML texts: `${env:NAME}`, `${env:NAME:-default}` and `${file:/path}`, resolved first of all.

A text that is nothing but references without defaults becomes `Referenced`, the only text a secret is made from.
A secret's file must belong to its owner alone (mode 0400 or 0600). No finding ever holds a resolved value.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engine.positions import Findings, Mark, Tree
from engine.secrets import Referenced

MAX_SECRET_BYTES: Final = 65_536
_REFERENCE: Final = re.compile(r"\$\{([^{}]*)\}")
_ENV: Final = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_HINT: Final = "write ${env:NAME}, ${env:NAME:-default} or ${file:/path}"


def resolve(tree: Tree, environ: Mapping[str, str], findings: Findings) -> Tree:
    """The same tree with its references replaced; places stay. Mistakes (CFG201-CFG205) go to `findings`."""
    if isinstance(tree.value, dict):
        children = {key: resolve(child, environ, findings) for key, child in tree.value.items()}
        return Tree(children, tree.mark, tree.keys)
    if isinstance(tree.value, list):
        return Tree([resolve(child, environ, findings) for child in tree.value], tree.mark)
    if tree.value is None or "${" not in tree.value:
        return tree
    return Tree(_Resolution(environ, findings, tree.mark).of(tree.value), tree.mark)


@dataclass(frozen=True, slots=True)
class _Resolution:
    environ: Mapping[str, str]
    findings: Findings
    mark: Mark

    def of(self, text: str) -> str:
        if "${" in _REFERENCE.sub("", text):
            self.findings.error("CFG205", "a reference that starts here has no end", self.mark, _HINT)
            return text
        resolved = _REFERENCE.sub(lambda found: self._value(found.group(1)), text)
        nothing_else = not _REFERENCE.sub("", text) and ":-" not in text
        return Referenced(resolved) if nothing_else else resolved

    def _value(self, body: str) -> str:
        if env := _ENV.fullmatch(body):
            return self._from_environment(env.group(1), env.group(2))
        if body.startswith("file:/"):
            return self._from_file(body.removeprefix("file:"))
        self.findings.error("CFG205", f"'${{{body}}}' is no reference", self.mark, _HINT)
        return ""

    def _from_environment(self, name: str, default: str | None) -> str:
        value = self.environ.get(name) or default
        if value is None:
            hint = f"set {name}, or give a default: ${{env:{name}:-default}}"
            self.findings.error("CFG201", f"the environment has no {name}", self.mark, hint)
            return ""
        return value

    def _from_file(self, path: str) -> str:
        try:
            with open(path, "rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                content = file.read(MAX_SECRET_BYTES + 1)
            text = content.decode()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            self.findings.error("CFG202", f"the file of this reference cannot be read: {reason}", self.mark)
            return ""
        if mode not in (0o400, 0o600):
            hint = "chmod 600 it: only its owner may read a secret"
            self.findings.error("CFG203", f"the file of this reference has mode {mode:04o}", self.mark, hint)
        if len(content) > MAX_SECRET_BYTES:
            self.findings.error("CFG202", f"the file has more than {MAX_SECRET_BYTES:,} bytes", self.mark)
        return text.removesuffix("\n").removesuffix("\r")
