"""The command that paints key frames: paint."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tsn_batch.cli.group import TsnCommand
from tsn_batch.cli.options import DEVICE, MISSING, SETS, SHOT
from tsn_batch.cli.planning import load_shot, make_plan
from tsn_batch.command import CommandSettings


@click.command(cls=TsnCommand)
@SHOT
@click.option("-F", "--frames", required=True, metavar="RANGE", help="The frames to paint, such as 1001,1040.")
@click.option(
    "--painting",
    "paintings",
    required=True,
    multiple=True,
    metavar="FILE[=WEIGHT]",
    help="The painting in whose manner it is painted. Repeatable: each place takes what fits of all of them.",
)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder of the keys, SHOT.FRAME.png."
)
@click.option(
    "--method",
    default="nearest-neighbours",
    show_default=True,
    metavar="METHOD",
    help="nearest-neighbours: the painting's own strokes; gatys: bolder, and free with its forms.",
)
@click.option("--content", default=1.0, show_default=True, help="How strongly the plate's forms hold; 0 = free.")
@click.option("--stroke-size", default=1.0, show_default=True, help="2 = strokes twice as large.")
@click.option(
    "--colours", type=click.Choice(["painting", "plate"]), default="painting", show_default=True, help="Whose colours."
)
@click.option(
    "--height",
    default=720,
    show_default=True,
    metavar="LINES",
    help="Lines painted at most; time and memory grow with their square. A larger plate's key is brought up.",
)
@click.option("--effort", default=1.0, show_default=True, help="Factor on the steps, and so on the time.")
@DEVICE
@SETS
@MISSING
@click.option("--force", is_flag=True, help="Paint keys again, and replace files that are no such keys.")
@click.pass_obj
def paint(
    command: CommandSettings,
    shot: Path,
    frames: str,
    paintings: tuple[str, ...],
    output: Path,
    method: str,
    content: float,
    stroke_size: float,
    colours: str,
    height: int,
    effort: float,
    device: str,
    sets: tuple[str, ...],
    missing: str | None,
    force: bool,
) -> None:
    """Paint key frames of a shot in the manner of a painting, by optimisation: slow, and better than any net.

    The keys are 16-bit PNGs of the plate's size, to paint over or to use as they are: `style: {keys: {1001: ...}}`.
    A preview stands beside each while it is painted; a run that was stopped goes on after the last scale it finished.
    Needs the weights that `tsn fetch vgg16` brings.
    """
    from tsn import frames as ranges
    from tsn.errors import Cancelled
    from tsn_batch import key_progress
    from tsn_batch.progress import choose_display

    plan = make_plan(load_shot(shot, sets, missing))
    numbers = ranges.parse(frames)
    weights = dict(_weighted(text) for text in paintings)
    from tsn.keys.optimise.base import KeySettings
    from tsn.rendering.paint_keys import paint_keys
    from tsn_batch.process.memory import keep_freed_pages
    from tsn_batch.process.threads import limit_threads

    settings = KeySettings(
        method=method,
        content=content,
        stroke_size=stroke_size,
        colours="plate" if colours == "plate" else "painting",
        height=height,
        effort=effort,
    )
    keep_freed_pages()
    limit_threads()
    display = key_progress.DISPLAYS[choose_display(sys.stdout, quiet=command.quiet)]
    try:
        with display(sys.stdout) as show:
            keys = paint_keys(
                plan,
                numbers,
                weights,
                output,
                settings,
                device=device,
                force=force,
                note=show.note,
                report=show.progress,
            )
    except KeyboardInterrupt:
        raise Cancelled("Cancelled; finished keys and scales are kept, and the same command goes on.") from None
    for path in keys.values():
        click.echo(path)


def _weighted(text: str) -> tuple[str, float]:
    """A painting's absolute path and weight, of FILE or FILE=WEIGHT."""
    name, _, weight = text.rpartition("=")
    try:
        share = float(weight) if name and not Path(text).exists() else None
    except ValueError:
        share = None
    file = text if share is None else name
    return str(Path(file).expanduser().absolute()), 1.0 if share is None else share


COMMANDS = (paint,)
