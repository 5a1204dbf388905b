"""`hilum partner infer`: samples in, a partner's YAML out, with what is sure and what was guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.cli.output import show, talk


def infer(files: tuple[Path, ...], ours: str, form: str | None) -> int:
    """Returns the exit code: 0, or 1 when no file held anything to go by."""
    from engine import wiring
    from engine.onboarding.infer import as_yaml
    from engine.onboarding.infer import infer as propose
    from engine.plugin import Surveyor

    format: Any = wiring.registry().format("x12")
    assert isinstance(format, Surveyor)
    surveys = {str(path): format.survey(path.read_bytes()) for path in files}
    proposal = propose(surveys, _site(), ours)
    for file, why in proposal.unusable.items():
        talk(f"nothing usable in {file}: {why}")
    if not proposal.lines:
        talk("no file shows who it is from; X12 interchanges begin with ISA")
        return 1
    if form:
        show(
            [{**line._asdict(), "comment": line.comment} for line in proposal.lines], form, ("key", "value", "comment")
        )
    else:
        click.echo(as_yaml(proposal), nl=False)
    sure = sum(line.sure for line in proposal.lines)
    talk(_next(proposal))
    talk(f"{sure} of {len(proposal.lines)} lines are sure; check the others with the partner")
    return 0


def _next(proposal: Any) -> str:
    """The command that makes a draft of it."""
    import shlex

    told = {line.key.removeprefix("live.").removeprefix("test."): line.value for line in proposal.lines}
    words = ["hilum", "partner", "new", proposal.name, "--isa", told["identity.theirs.isa"]]
    words += ["--gs", told["identity.theirs.gs"]] if "identity.theirs.gs" in told else []
    marks = "".join(told.get(f"envelope.{key}", "") for key in ("element", "component", "segment"))
    words += ["--separators", marks] if len(marks) == 3 and marks.isprintable() else []
    return f"next: {shlex.join(words)}"


def _site() -> Any:
    """The site as far as it can be used: it says who we are and what mappings there are."""
    from engine import wiring
    from engine.errors import ConfigError

    try:
        return wiring.load()
    except ConfigError:
        talk("the site has mistakes (`hilum check`), so nothing of it was used")
        return None
