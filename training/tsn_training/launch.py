"""From a script's command line to its training: the folder, the processes, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from tsn.errors import InputError
from tsn.io.atomic import write_error
from tsn_batch.command import CommandSettings, run_command
from tsn_training.parallel import Place, place

OUT = click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for all that comes of it.")
RESUME = click.option("--resume", type=click.Choice(["auto", "never"]), default="auto", show_default=True)
START_FROM = click.option("--start-from", type=click.Path(path_type=Path), help="Weights to begin with.")
MAX_STEPS = click.option("--max-steps", type=click.IntRange(min=1), help="Stop early: a smoke run.")


def require_weights(start_from: Path | None) -> None:
    """Raise InputError where weights to start from are named and not there."""
    if start_from and not start_from.is_file():
        raise InputError(f"The weights to start from do not exist: {start_from}")


def launch(ctx: click.Context, out: Path, prepare: Callable[[], Callable[[Place], list[Path]]]) -> None:
    """Run a training and end the command as `tsn` would: faults in a line, exit codes of `tsn.errors`.

    Args:
        prepare: checks what was asked for, and returns what trains; that returns the weights' files.
    """

    def run() -> None:
        train = prepare()
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(out, error) from error
        with place() as here:
            paths = train(here)
        for path in paths:
            click.echo(path)

    ctx.exit(run_command(run, CommandSettings()))
