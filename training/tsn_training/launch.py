"""From the command line of a script to its training: options, folder, processes, and the exit code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from tsn.errors import InputError
from tsn.io.atomic import write_error
from tsn_batch.command import CommandSettings, run_command
from tsn_training.parallel import Process, process_group

Config = TypeVar("Config")
Arguments = ParamSpec("Arguments")


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a training gets beside its config.

    Attributes:
        out: the folder for everything that the training writes.
        resume: go on from the checkpoint in `out`, where there is one.
        start_from: weights to begin with; None for random ones.
        max_steps: stop after this step (a smoke run); None for the config's last one.
        process: this process among all that train.
    """

    out: Path
    resume: bool
    start_from: Path | None
    max_steps: int | None
    process: Process


def ends_like_tsn(command: Callable[Arguments, object]) -> Callable[Arguments, None]:
    """End a click command as `tsn` does: an error in a line on stderr, and the exit codes of `tsn.errors`."""

    @wraps(command)
    def ended(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        click.get_current_context().exit(run_command(lambda: command(*args, **kwargs), CommandSettings()))

    return ended


def training_command(
    load: Callable[[Path], Config], *, help: str | None
) -> Callable[[Callable[[Config, Run], list[Path]]], click.Command]:
    """Make a training the command `SCRIPT CONFIG --out DIR [--resume] [--start-from] [--max-steps]`.

    The training returns the files that it wrote, which the command prints: none in processes other than the first.

    Args:
        load: reads and checks the file CONFIG.
        help: what `--help` prints.
    """

    def command_of(train: Callable[[Config, Run], list[Path]]) -> click.Command:
        @click.command(help=help)
        @click.argument("config", type=click.Path(path_type=Path))
        @click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for everything it writes.")
        @click.option("--resume", type=click.Choice(["auto", "never"]), default="auto", show_default=True)
        @click.option("--start-from", type=click.Path(path_type=Path), help="Weights to begin with.")
        @click.option("--max-steps", type=click.IntRange(min=1), help="Stop early: a smoke run.")
        @ends_like_tsn
        def main(config: Path, out: Path, resume: str, start_from: Path | None, max_steps: int | None) -> None:
            checked = load(config)
            if start_from and not start_from.is_file():
                raise InputError(f"The weights to start from do not exist: {start_from}")
            try:
                out.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise write_error(out, error) from error
            with process_group() as process:
                run = Run(out=out, resume=resume == "auto", start_from=start_from, max_steps=max_steps, process=process)
                paths = train(checked, run)
            for path in paths:
                click.echo(path)

        return main

    return command_of
