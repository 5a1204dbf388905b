"""`hilum init` and `hilum schema`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from engine.cli.output import talk


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--dry-run", is_flag=True, help="Only say what would be written.")
def init(folder: Path, dry_run: bool) -> None:
    """Write a site to start from into FOLDER: the reference site and the schemas that editors check it with."""
    from engine import wiring
    from engine.site.scaffold import scaffold

    if folder.exists() and any(folder.iterdir()):
        talk(f"{folder} is not empty; a site is only written into an empty folder")
        sys.exit(4)
    if dry_run:
        talk(f"would write the reference site into {folder}")
        return
    written = scaffold(folder, wiring.registry())
    talk(f"wrote {len(written)} files into {folder}\nnext: HILUM_SITE={folder} hilum check")


@click.command()
@click.argument("name", required=False)
@click.option("--write", "folder", type=click.Path(path_type=Path), default=None, help="Write all into this folder.")
def schema(name: str | None, folder: Path | None) -> None:
    """Print the JSON Schema of one kind of YAML file or document, or list them, or write all of them."""
    from canonical import DOCUMENTS
    from engine import wiring
    from engine.site.json_schema import schemas

    known = schemas(wiring.registry())
    known |= {name: model.model_json_schema() for name, model in DOCUMENTS.items()}
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, content in known.items():
            (folder / f"{kind}.v1.json").write_text(json.dumps(content, indent=2) + "\n")
        talk(f"wrote {len(known)} schemas into {folder}")
    elif name is None:
        click.echo("\n".join(known))
    elif name in known:
        click.echo(json.dumps(known[name], indent=2))
    else:
        talk(f"no YAML file or document is a {name}; there are {', '.join(known)}")
        sys.exit(5)
