"""Paint a shot in brush strokes as PNGs, to look at and to measure: `python benchmarks/strokes.py SHOT --out DIR`.

The shot file may have any paint; `--set style.surface=Pref` and so on choose what the strokes are given.
`--set temporal.window=0` paints frame by frame, which is what stability is compared with. Values are those of an 8-bit
picture: highlights are clipped.
"""

from __future__ import annotations

import time
from pathlib import Path

import click
import numpy as np

import tsn
from tsn import io
from tsn.rendering.engine import make_engine
from tsn.rendering.output_frame import RenderState


@click.command(help=__doc__)
@click.argument("shot", type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the PNGs.")
@click.option("--preset", default="oil", show_default=True, help="A bundled one, or a .yaml file.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="As `tsn render` takes it.")
def main(shot: Path, out: Path, preset: str, sets: tuple[str, ...]) -> None:
    """Paint every frame of a shot."""
    out.mkdir(parents=True, exist_ok=True)
    plan = tsn.plan(tsn.load(shot, sets=[f"style.strokes={preset}", *sets]))
    state = RenderState((make_engine(plan, device="cpu"),), plan)
    start = time.process_time()
    for number in plan.plate.present:
        painted, _ = state.layers[0].paint(number)
        io.write_png(out / f"strokes.{number:04d}.png", np.moveaxis(painted.clamp(0, 1).cpu().numpy(), 0, 2))
    state.close()
    seconds = (time.process_time() - start) / len(plan.plate.present)
    click.echo(f"{seconds:.2f} CPU-seconds a frame, with motion, reading, and compiling where it is the first time")


if __name__ == "__main__":
    main()
