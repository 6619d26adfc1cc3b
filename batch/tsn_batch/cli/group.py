"""The group of all commands: suggests the right name for a mistyped one, and takes its own options anywhere."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from tsn.errors import near_miss
from tsn_batch.command import LEVELS, CommandSettings, run_command


def _store(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Put --debug and --log-level into the settings. A sub-command without them keeps those given before its name."""
    if not value or ctx.resilient_parsing:
        return
    settings = ctx.ensure_object(CommandSettings)
    setattr(settings, "debug" if param.name == "debug" else "level", value)
    if param.name == "log_level":
        import logging

        logging.basicConfig(level=value.upper(), format="%(name)s: %(message)s")


def _common_options(envvar: str | None = None) -> list[click.Parameter]:
    """Make the options that may stand before and after the name of a sub-command."""
    return [
        click.Option(
            ["--log-level"],
            type=click.Choice(LEVELS, case_sensitive=False),
            expose_value=False,
            callback=_store,
            envvar=envvar,
            help="How much is printed: progress at debug and info, faults always.  [default: info]",
        ),
        click.Option(["--debug"], is_flag=True, expose_value=False, callback=_store, help="Show tracebacks."),
    ]


class TsnCommand(click.Command):
    """A command that takes --log-level and --debug after its name too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _common_options()


class TsnGroup(click.Group):
    """The group of all commands. It suggests names for mistyped ones, and ends with tsn's own exit codes."""

    command_class = TsnCommand

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _common_options(envvar="TSN_LOG_LEVEL")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of `args`; fail with a suggestion where there is none of that name."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            ctx.fail(f"No such command {name!r}. {near_miss(name, self.commands) or ''}".strip())
        return super().resolve_command(ctx, args)

    def main(self, args: Sequence[str] | None = None, *_: Any, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run the command line and end the process."""
        settings = CommandSettings()
        fixed: dict[str, Any] = {"prog_name": "tsn", "obj": settings, "standalone_mode": False}
        run = super().main
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="surrogateescape")  # a path that is not UTF-8 is printed as it is on disk
        sys.exit(run_command(lambda: run(args, **extra | fixed), settings))
