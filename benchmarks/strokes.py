"""Paint a shot in brush strokes, and print what it costs: `python benchmarks/strokes.py SHOT --out DIR [--radius 16]`.

Strokes are not a style of the shot file yet; this writes PNGs to look at and to measure (`yardstick.py`). `--radius 0`
paints frame by frame, which is what stability is compared with.
"""

from __future__ import annotations

import time
from pathlib import Path

import click
import numpy as np

from tsn import io
from tsn.flow.base import View, motion_between
from tsn.rendering.engine import make_engine
from tsn.rendering.inspect import inspect
from tsn.rendering.plan import make_plan
from tsn.shot.load import load
from tsn.strokes.frame import StrokeFrame
from tsn.strokes.preset_file import find_preset
from tsn.strokes.stroke_window import StrokeWindow


def surface_of(frame: io.Frame, layer: str) -> np.ndarray:
    """A layer of UVs, rest or world positions, (2 or 3, H, W); NaN where it has no alpha or, without one, no depth."""
    channels = frame.channels
    names = next(names for names in ("RGB", "XYZ", "UV") if f"{layer}.{names[0]}" in channels)
    places = np.stack([np.asarray(channels[f"{layer}.{name}"], np.float32) for name in names])
    if f"{layer}.A" in channels:
        alpha = np.asarray(channels[f"{layer}.A"], np.float32)
        return np.where(alpha < 0.5, np.nan, places / np.maximum(alpha, 0.5))
    return np.where(channels[f"{layer.rpartition('.')[0]}.Depth.Z"] > 1e9, np.nan, places)


def ids_of(frame: io.Frame, layer: str) -> np.ndarray:
    """The object that covers most of each pixel by the first layer of a Cryptomatte, uint32 (H, W)."""
    first, share, second, other = (frame.channels[f"{layer}00.{name}"] for name in "rgba")
    return np.ascontiguousarray(np.where(share >= other, first, second), np.float32).view(np.uint32)


@click.command(help=__doc__)
@click.argument("shot", type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the PNGs.")
@click.option("--radius", default=16, show_default=True, help="Frames that a stroke lives to each side.")
@click.option("--preset", default="oil", show_default=True, help="A bundled one, or a .yaml file.")
@click.option("--surface", help="Layer of the plate with UVs, rest or world positions, such as ViewLayer.Pref.")
@click.option("--ids", help="Cryptomatte of objects, such as ViewLayer.CryptoObject.")
def main(shot: Path, out: Path, radius: int, preset: str, surface: str | None, ids: str | None) -> None:
    """Paint every frame of a shot."""
    out.mkdir(parents=True, exist_ok=True)
    resolved = load(shot)
    plan = make_plan(resolved, inspect(resolved))
    engine = make_engine(plan, device="cpu", note=lambda text: None)
    sequence = io.FrameSequence.parse(plan.shot.plate, base=Path())
    numbers = plan.plate.present
    window: StrokeWindow | None = None
    before: View | None = None
    spent = {"motion": 0.0, "strokes": 0.0}
    for place, number in enumerate(numbers):
        view = engine.prepare(engine.read(sequence.path(number), number)).view
        height, width = view.image.shape[1:]
        window = window or StrokeWindow(find_preset(preset), radius=radius, height=height, width=width)
        frame = io.read_frame(sequence.path(number), number) if surface or ids else None
        given = StrokeFrame(
            number=number,
            picture=view.image.numpy(),
            surface=surface_of(frame, surface) if frame and surface else None,
            ids=ids_of(frame, ids) if frame and ids else None,
        )
        start = time.process_time()
        motion = motion_between(engine.flow, before, view) if before is not None and radius else None
        spent["motion"] += time.process_time() - start
        start = time.process_time()
        window.add(place, given, motion)
        last = place == len(numbers) - 1
        for ready in range(place - radius, place + 1 if last else place - radius + 1):
            if ready >= 0:
                io.write_png(out / f"strokes.{numbers[ready]:04d}.png", np.moveaxis(window.paint(ready).colour, 0, 2))
        spent["strokes"] += time.process_time() - start
        before = view
    for name, seconds in spent.items():
        click.echo(f"{name}: {seconds / len(numbers):.3f} CPU-seconds a frame, compiling included")


if __name__ == "__main__":
    main()
