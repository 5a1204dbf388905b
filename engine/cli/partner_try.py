"""`hilum partner test`: a partner tried without daemon or store."""

from __future__ import annotations

import os
from collections import Counter

from engine.cli.output import show, talk
from engine.cli.partner import COLUMNS, site_files


def try_partner(name: str, files: dict[str, bytes], form: str | None) -> int:
    """Returns the exit code: 0, or 1 when a rule did not hold."""
    from engine import ids, wiring
    from engine.onboarding.trial import Trial
    from engine.onboarding.verdict import passed

    _, source = site_files(name)
    verdicts = Trial(source, name, wiring.registry(), os.environ, ids.now()).run(files, wiring.reach)
    show([one.as_data() for one in verdicts], form, COLUMNS)
    counts = Counter(one.result for one in verdicts)
    talk(f"{name}: {', '.join(f'{count} {result}' for result, count in counts.items())}; nothing was sent")
    return 0 if passed(verdicts) else 1
