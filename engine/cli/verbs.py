"""The verbs as click knows them."""

from __future__ import annotations

import importlib

import click

from engine.cli import VERBS


class Verbs(click.Group):
    """Lists verbs without importing them: `hilum --help` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module = importlib.import_module(f"engine.cli.{VERBS[name][0]}")
        command: click.Command = getattr(module, name if name != "map" else "map_")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS:
            from engine.positions import did_you_mean

            ctx.fail(" ".join(filter(None, [f"no such command '{args[0]}'.", did_you_mean(args[0], VERBS)])))
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def hilum() -> None:
    """Hilum: the doorway between a hospital's clinical systems and its supply chain."""
