"""The shape of the command line: a group that guesses mistyped names, and options that may stand anywhere."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from tsn.errors import near_miss
from tsn_batch.guard import LEVELS, Settings, outcome


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Put --debug and --log-level into the settings; a sub-command that doesn't say leaves what `tsn` said."""
    if not value or ctx.resilient_parsing:
        return
    settings = ctx.ensure_object(Settings)
    setattr(settings, "debug" if param.name == "debug" else "level", value)
    if param.name == "log_level":
        import logging

        logging.basicConfig(level=value.upper(), format="%(name)s: %(message)s")


def _everywhere(envvar: str | None = None) -> list[click.Parameter]:
    """Options that may stand before and after the name of a sub-command."""
    quiet = "How much is said: progress up to info, faults always.  [default: info]"
    levels = click.Choice(LEVELS, case_sensitive=False)
    return [
        click.Option(["--log-level"], type=levels, expose_value=False, callback=_keep, envvar=envvar, help=quiet),
        click.Option(["--debug"], is_flag=True, expose_value=False, callback=_keep, help="Show tracebacks."),
    ]


class Command(click.Command):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _everywhere()


class Tsn(click.Group):
    """The group of all commands: guesses mistyped names, and ends the process with tsn's own exit codes."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _everywhere(envvar="TSN_LOG_LEVEL")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            ctx.fail(f"No such command {name!r}. {near_miss(name, self.commands) or ''}".strip())
        return super().resolve_command(ctx, args)

    def main(self, args: Sequence[str] | None = None, *_: Any, **extra: Any) -> NoReturn:  # type: ignore[override]
        settings = Settings()
        fixed: dict[str, Any] = {"prog_name": "tsn", "obj": settings, "standalone_mode": False}
        run = super().main
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="surrogateescape")  # a path that is no UTF-8 is said as it is on disk
        sys.exit(outcome(lambda: run(args, **extra | fixed), settings))
