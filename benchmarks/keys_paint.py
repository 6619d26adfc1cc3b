"""Paint a frame of a shot by optimisation, and print what it scores and costs:
`python benchmarks/keys_paint.py SHOT FRAME PAINTING... --out DIR`.

Each painting gives a key of its own. The plate in style space is written beside them, to look at and to score by.
"""

from __future__ import annotations

import time
from pathlib import Path

import click
import numpy as np
import paint_score

import tsn
from tsn import io
from tsn.keys.optimise.base import KeySettings
from tsn.rendering.engine import choose_device
from tsn.rendering.paint_keys import paint_keys, plate_engine, plate_picture


@click.command(help=__doc__)
@click.argument("shot", type=click.Path(exists=True, path_type=Path))
@click.argument("frame", type=int)
@click.argument("paintings", type=paint_score.PICTURE, nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the pictures.")
@click.option("--method", default=KeySettings.method, show_default=True)
@click.option("--content", default=KeySettings.content, show_default=True)
@click.option("--height", default=KeySettings.height, show_default=True)
@click.option("--effort", default=KeySettings.effort, show_default=True)
@click.option("--device", default="cpu", show_default=True)
def main(
    shot: Path,
    frame: int,
    paintings: tuple[Path, ...],
    out: Path,
    method: str,
    content: float,
    height: int,
    effort: float,
    device: str,
) -> None:
    """Paint, score, print."""
    plan = tsn.plan(tsn.load(shot))
    plate, _ = plate_picture(plate_engine(plan, choose_device(device)), plan, frame)
    out.mkdir(parents=True, exist_ok=True)
    io.write_png(out / f"{shot.stem}.{frame:04d}.plate.png", np.moveaxis(plate.cpu().numpy(), 0, 2))
    settings = KeySettings(method=method, content=content, height=height, effort=effort)
    for painting in paintings:
        start = time.process_time()
        (key,) = paint_keys(
            plan, [frame], {str(painting.absolute()): 1.0}, out / painting.stem, settings, device=device, force=True
        ).values()
        seconds = time.process_time() - start
        (found,) = paint_score.score(paint_score.read(painting), plate.cpu(), [paint_score.read(key)])
        size = f"{plate.shape[2]}x{plate.shape[1]}"
        click.echo(f"{paint_score.line(found)}  {seconds:5.0f} CPU-s  {size}  {painting.stem}  {key}")


if __name__ == "__main__":
    main()
