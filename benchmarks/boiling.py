"""How much a style net boils by itself: every frame painted alone, locked to the shot's survey, no passes over time.

    python benchmarks/boiling.py great-wave runs/other/other.safetensors

Errors are along true motion, as the independent yardstick (`measure.py`) takes them at the stroke scale; strokes are
its gradient energy over that of the plate. The plate's own error is in the first row: no net can be below it.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import torch
from stability import SHARED, Plate, frozen, yardstick

import tsn
from tsn import io


def measured(plate: Plate, styles: tuple[str, ...], bench: Path) -> dict[str, dict[str, float]]:
    """stroke_short, stroke_long and stroke energy of the plate and of each style."""
    yard = yardstick(bench)
    _, forward, backward, info = yard.load_blender_exr(plate.pattern, plate.frames)
    codec = tsn.codec("lin_rec709")
    inputs = []
    for number in plate.frames:
        rgb = torch.from_numpy(io.read_frame(Path(plate.pattern % number), number).rgb.astype(np.float32))
        inputs.append(codec.to_style(rgb.permute(2, 0, 1))[0])
    shown = {"the plate": [x.permute(1, 2, 0).numpy() for x in inputs]}
    for style in styles:
        painter = frozen(tsn.painter(model=style), inputs)
        shown[style] = [painter.paint(x, n).permute(1, 2, 0).numpy() for x, n in zip(inputs, plate.frames, strict=True)]
    judge = yard.Evaluator(forward, backward, shown["the plate"], valid=info["valid"])
    results = {name: judge(frames) for name, frames in shown.items()}
    return {
        name: {key: result[key] for key in ("stroke_short", "stroke_long", "stroke_g")}
        for name, result in results.items()
    }


@click.command(help=__doc__)
@click.argument("styles", nargs=-1, required=True)
@click.option(
    "--shot", "shots", multiple=True, type=click.Path(exists=True, path_type=Path), help="Default: pan, fast."
)
@click.option("--bench", type=click.Path(path_type=Path), default=SHARED / "bench", help="Folder of measure.py.")
def main(styles: tuple[str, ...], shots: tuple[Path, ...], bench: Path) -> None:
    for folder in shots or tuple(SHARED / "shots" / name for name in ("pan", "fast")):
        plate = Plate.find(folder)
        click.echo(plate.name)
        for name, row in measured(plate, styles, bench).items():
            click.echo(f"  {name:40}" + "  ".join(f"{key} {value:.6f}" for key, value in row.items()))


if __name__ == "__main__":
    main()
