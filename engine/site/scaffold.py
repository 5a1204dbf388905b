"""`hilum init`: a site to start from: the reference site, with the schemas its files name. Overwrites nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.errors import ConfigError
from engine.plugin import Registry
from engine.site.json_schema import FOLDER, write_schemas
from engine.site.reference import MARKER, PARTS, reference_root


def scaffold(target: Path, registry: Registry) -> list[Path]:
    """Writes a site below `target` and returns its files. Raises ConfigError (CFG113) where it would overwrite one."""
    reference = reference_root()
    wanted = [path for part in PARTS for path in sorted((reference / part).rglob("*")) if path.is_file()]
    places = {path: target / path.relative_to(reference) for path in wanted}
    if there := next((place for place in (target / MARKER, *places.values()) if place.exists()), None):
        raise ConfigError("CFG113", "there is a site here already", place=str(there), hint="choose an empty folder")
    for path, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    return [*places.values(), *write_schemas(target / FOLDER, registry)]
