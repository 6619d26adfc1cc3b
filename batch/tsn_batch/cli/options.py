"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

SHOT = click.argument("shot", type=click.Path(path_type=Path))
FRAMES = click.option(
    "-F", "--frames", metavar="RANGE", help="Only these frames, such as 1001-1020, 1001-1050x2 or 1,5,9-20."
)
DEVICE = click.option(
    "--device",
    metavar="DEVICE",
    default="auto",
    show_default=True,
    envvar="TSN_DEVICE",
    show_envvar=True,
    help="auto, cpu or cuda:1; `tsn render` also takes a list such as cuda:0,cuda:1.",
)
FORCE = click.option("--force", is_flag=True, help="Render finished frames again.")
SETS = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key of the shot file, such as temporal.window=4. Repeatable.",
)
MISSING = click.option(
    "--missing",
    type=click.Choice(["error", "hold", "black", "skip"]),
    help="What to do with gaps in the plate; the same as --set missing=VALUE.",
)
CHUNK_SIZE = click.option("--chunk-size", type=click.IntRange(min=1), metavar="N", help="Frames in each chunk.")
OPENJD = click.option("--openjd", is_flag=True, help="Report progress and faults as Open Job Description reads them.")


def json_option(help: str) -> Decorator:
    """Make the option `--json` of one command; `help` says what it prints."""
    return click.option("--json", "as_json", is_flag=True, help=help)
