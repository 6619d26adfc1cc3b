"""Commands of key frames that somebody paints: key."""

from __future__ import annotations

from pathlib import Path

import click

from tsn_batch.cli.group import TsnCommand
from tsn_batch.cli.options import SETS, SHOT
from tsn_batch.cli.planning import load_shot, make_plan


@click.command(cls=TsnCommand)
@SHOT
@click.option("-F", "--frames", metavar="RANGE", required=True, help="The frames to paint over, such as 1001,1040.")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="Write into this folder."
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
@SETS
def key(shot: Path, frames: str, output: Path, force: bool, sets: tuple[str, ...]) -> None:
    """Write frames of the plate as pictures to paint over (style.keys), as 16-bit PNG with the plate's alpha.

    They show what a painter of tsn sees: highlights have structure, whatever their light. Left transparent, a place
    takes its paint from other keys.
    """
    from tsn.rendering.key_export import export_keys

    resolved = load_shot(shot, sets)
    for path in export_keys(make_plan(resolved, frames), output, force=force):
        click.echo(path)


COMMANDS = (key,)
