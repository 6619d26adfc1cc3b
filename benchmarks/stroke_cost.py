"""CPU-seconds a frame of brush strokes beside a style net, in one run: `python benchmarks/stroke_cost.py`.

The demo's plate, and its motion by the renderer's vectors, brought to other sizes. A frame's share of everything that
the strokes need is in it (guides, births, tracking, painting), the motion and the reading are not. Peak memory is that
of the whole process, with torch and the frames of the demo in it.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import click
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import tsn
from tsn import io
from tsn.flow.base import Motion, View, motion_between
from tsn.matte import dominant_ids
from tsn.rendering.engine import Engine, make_engine
from tsn.rendering.plan import Plan
from tsn.strokes.frame import StrokeFrame
from tsn.strokes.painter import StrokePainter
from tsn.strokes.preset_file import find_preset

DEMO_SIZE = 270, 480
"""Height and width of the demo's plate."""
PAINTED = 4
"""Frames that are timed."""
DEMO = Path(__file__).resolve().parents[1] / "shots/demo/demo.yaml"


@click.command(help=__doc__)
@click.option("--lines", type=int, multiple=True, default=(360, 1080), show_default=True, help="Heights, 16:9.")
@click.option("--preset", "presets", multiple=True, default=("oil",), show_default=True)
@click.option("--net", default="great-wave", show_default=True, help="The net beside them.")
@click.option("--window", default=16, show_default=True)
@click.option("--borders", is_flag=True, help="Give the strokes the demo's Cryptomatte ids and depth.")
def main(lines: tuple[int, ...], presets: tuple[str, ...], net: str, window: int, borders: bool) -> None:
    """Print a table."""
    shot = tsn.load(DEMO, sets=[f"style={{model: {net}}}", f"temporal.window={window}"])
    plan = tsn.plan(shot)
    engine = make_engine(plan, device="cpu", note=lambda text: None)
    click.echo(f"{'lines':>6} {'paint':<18} {'CPU-s a frame':>14} {'net = 1':>8} {'peak GiB':>9}")
    with torch.inference_mode():
        frames = list(_frames(engine, plan))
        aovs = _aovs(engine, plan) if borders else {}
    for height in lines:
        width = round(height * 16 / 9)
        measured = [
            (preset, _stroke_seconds(preset, frames, aovs, height, width, window), _peak_gib()) for preset in presets
        ]
        cost = _net_seconds(engine, frames[0][0], height, width)  # after the strokes, whose peak is theirs alone then
        for name, seconds, peak in (*measured, (net, cost, _peak_gib())):
            click.echo(f"{height:>6} {name:<18} {seconds:>14.2f} {seconds / cost:>8.2f} {peak:>9.2f}")


def _frames(engine: Engine, plan: Plan) -> Iterator[tuple[View, Motion | None]]:
    """Every frame of the demo, with the motion from the one before."""
    sequence, before = io.FrameSequence.parse(plan.shot.plate, base=Path()), None
    for number in plan.plate.present:
        view = engine.prepare(engine.read(sequence.path(number), number)).view
        yield replace(view, vectors=None), None if before is None else motion_between(engine.flow, before, view)
        before = view


def _aovs(engine: Engine, plan: Plan) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Ids and depth of every frame."""
    sequence = io.FrameSequence.parse(plan.shot.plate, base=Path())
    found = {}
    for number in plan.plate.present:
        channels = engine.read(sequence.path(number), number).channels
        depth = channels["ViewLayer.Depth.Z"].astype(np.float32)
        found[number] = dominant_ids(channels, layer="CryptoObject"), depth
    return found


def _enlarge(view: View, motion: Motion | None, height: int, width: int) -> tuple[View, Motion | None]:
    factor = height / view.image.shape[1]
    large = replace(view, image=_resize(view.image, height, width))
    return large, None if motion is None else Motion(
        forward=factor * _resize(motion.forward, height, width),
        backward=factor * _resize(motion.backward, height, width),
        visibility_forward=_resize(motion.visibility_forward, height, width),
        visibility_backward=_resize(motion.visibility_backward, height, width),
    )


def _resize(planes: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(planes[None], size=(height, width), mode="bilinear", align_corners=False)[0].contiguous()


@torch.inference_mode()
def _net_seconds(engine: Engine, view: View, height: int, width: int) -> float:
    large, _ = _enlarge(view, None, height, width)
    engine.painter.paint(large.image, 1)
    start = time.process_time()
    engine.painter.paint(large.image, 1)
    return time.process_time() - start


def _stroke_seconds(
    preset: str,
    frames: list[tuple[View, Motion | None]],
    aovs: dict[int, tuple[np.ndarray, np.ndarray]],
    height: int,
    width: int,
    window: int,
) -> float:
    """CPU-seconds of a frame in the middle of a shot, kernels compiled."""
    painter = StrokePainter(find_preset(preset), name=preset)
    painter.paint(frames[0][0].image[:, :64, :96].contiguous(), 1)
    made = painter.window(radius=window, height=height, width=width, lines=height, origin=(0, 0), held=0)
    spent: list[float] = []
    for place, each in enumerate(islice(_forth_and_back(frames), 2 * window + PAINTED)):
        view, motion = _enlarge(*each, height, width)
        rows, columns = (np.arange(size) * old // size for size, old in zip((height, width), DEMO_SIZE, strict=True))
        ids, depth = (plane[rows[:, None], columns] for plane in aovs[view.number]) if aovs else (None, None)
        start = time.process_time()
        made.add(place, StrokeFrame(number=place, picture=view.image.numpy(), ids=ids, depth=depth), motion)
        if place >= window:
            made.paint(place - window)
        if place >= 2 * window:  # a whole window of strokes is alive
            spent.append(time.process_time() - start)
    return float(np.median(spent))


def _forth_and_back(frames: list[tuple[View, Motion | None]]) -> Iterator[tuple[View, Motion | None]]:
    """The frames, and back again, for ever: a shot that is longer than a stroke lives."""
    yield from frames
    while True:
        for at in range(len(frames) - 2, -1, -1):
            motion = frames[at + 1][1]
            assert motion is not None
            yield frames[at][0], _reversed(motion)
        yield from frames[1:]


def _reversed(motion: Motion) -> Motion:
    return Motion(
        forward=motion.backward,
        backward=motion.forward,
        visibility_forward=motion.visibility_backward,
        visibility_backward=motion.visibility_forward,
    )


def _peak_gib() -> float:
    scale = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


if __name__ == "__main__":
    main()
