"""Every way to keep paint still on the same frames: ours, and its peers written again, with true and estimated motion.

    python benchmarks/schemes.py [SHOT_DIR ...] [--style great-wave | --painted '/frames/{shot}.####.png'] [--out DIR]

All work on the same paint, made once, in style space, and are judged by the independent yardstick (`measure.py`) as
ratios to that paint. DIR gets a sheet for each shot and motion: every scheme at twice the size where most is uncovered,
and how it changes from that frame to the next along true motion, times four.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import click
import cv2
import numpy as np
import torch
from peers import PEERS, RADIUS, Scheme
from stability import SHARED, Plate, frozen, opening, over, yardstick
from torch import Tensor

import tsn
from tsn.flow.base import Motion, View, motion_between
from tsn.flow.factory import choose_flow_source
from tsn.flow.warp import visibility
from tsn.temporal import disocclusion
from tsn.temporal.pipeline import derive_window_frame, stabilise_paint

COLUMNS = ("stroke_short", "stroke_long", "stroke_g", "sharp_g", "dis_err", "fid")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A shot, painted: everything that the schemes are given, and what judges them."""

    name: str
    plates: list[Tensor]
    paint: list[Tensor]
    motions: dict[str, list[Motion]]
    judge: object
    forward: list[np.ndarray]
    backward: list[np.ndarray]


def scene(plate: Plate, yard: ModuleType, style: str, frames: str | None) -> Scene:
    """Paint the shot, locked to its survey, and measure its motion both ways."""
    shown, forward, backward, info = yard.load_blender_exr(plate.pattern, plate.frames)
    plates = [torch.from_numpy(x.transpose(2, 0, 1).astype(np.float32).copy()) for x in shown]
    painter = frozen(tsn.painter(frames=frames) if frames else tsn.painter(model=style), plates)
    paint = [painter.paint(x, number) for x, number in zip(plates, plate.frames, strict=True)]
    true = [
        Motion(forward=a, backward=b, visibility_forward=visibility(a, b), visibility_backward=visibility(b, a))
        for a, b in zip(map(_flow, forward), map(_flow, backward), strict=True)
    ]
    source, _ = choose_flow_source("dis", has_vectors=False, device=torch.device("cpu"), scale=1.0, weights=None)
    views = [View(number=number, image=x) for x, number in zip(plates, plate.frames, strict=True)]
    estimated = [motion_between(source, a, b) for a, b in pairwise(views)]
    judge = yard.Evaluator(forward, backward, _shown(paint), valid=info["valid"])
    return Scene(
        name=plate.name,
        plates=plates,
        paint=paint,
        motions={"true motion": true, source.name: estimated},
        judge=judge,
        forward=forward,
        backward=backward,
    )


def ours(plates: Sequence[Tensor]) -> Scheme:
    """The shipped passes."""

    def scheme(paint: Sequence[Tensor], motions: Sequence[Motion]) -> list[Tensor]:
        frames = [derive_window_frame(plate, picture) for plate, picture in zip(plates, paint, strict=True)]
        steps = [disocclusion.derive_step(motion) for motion in motions]
        return [
            stabilise_paint(
                steps[max(0, t - RADIUS) : t][::-1],
                steps[t : t + RADIUS],
                {at - t: frame for at, frame in enumerate(frames)},
                radius=RADIUS,
                detail=1.0,
            )
            for t in range(len(paint))
        ]

    return scheme


def _flow(field: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(field.transpose(2, 0, 1), np.float32))


def _shown(pictures: Sequence[Tensor]) -> list[np.ndarray]:
    return [picture.permute(1, 2, 0).numpy() for picture in pictures]


def sheet(case: Scene, yard: ModuleType, made: dict[str, list[np.ndarray]], path: Path) -> None:
    """Each scheme where most is uncovered, twice its size, and its change to the next frame, times four."""
    t = len(case.plates) // 2
    crop = opening(~yard.visible(case.backward[t - 1], case.forward[t - 1], False), 200, 150)
    columns = [
        np.concatenate([frames[t][crop], 4 * np.abs(yard.warp(frames[t + 1], case.forward[t]) - frames[t])[crop]])
        for frames in made.values()
    ]
    picture = np.repeat(np.repeat(np.concatenate(columns, 1), 2, 0), 2, 1).clip(0, 1)
    cv2.imwrite(str(path), np.round(picture[..., ::-1] * 255).astype(np.uint8))


@click.command(help=__doc__)
@click.argument("shots", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--bench", type=click.Path(path_type=Path), default=SHARED / "bench", help="Folder of measure.py.")
@click.option("--style", default="great-wave", show_default=True)
@click.option("--painted", "frames", metavar="PATTERN", help="Frames painted elsewhere; {shot} is the folder's name.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the sheets.")
@torch.inference_mode()
def main(shots: tuple[Path, ...], bench: Path, style: str, frames: str | None, out: Path | None) -> None:
    yard = yardstick(bench)
    for folder in shots or tuple(SHARED / "shots" / name for name in ("pan", "fast")):
        plate = Plate.find(folder)
        given = frames and str(Path(frames.replace("{shot}", plate.name)).resolve())
        case = scene(plate, yard, style, given)
        base = case.judge(_shown(case.paint))  # type: ignore[operator]
        for motion, between in case.motions.items():
            click.echo(f"\n{plate.name}, {motion}: errors over the per-frame paint's, texture as its share")
            click.echo(" " * 20 + "".join(name.rjust(14) for name in (*COLUMNS, "CPU-s a frame")))
            made = {}
            for name, scheme in {**PEERS, "ours": ours(case.plates)}.items():
                before = os.times()
                made[name] = _shown(scheme(case.paint, between))
                after = os.times()
                row = over(case.judge(made[name]), base)  # type: ignore[operator]
                cpu = (after.user + after.system - before.user - before.system) / len(case.paint)
                click.echo(f"{name:20}" + "".join(f"{row[key]:14.4f}" for key in COLUMNS) + f"{cpu:14.2f}")
            if out:
                out.mkdir(parents=True, exist_ok=True)
                sheet(case, yard, made, out / f"{plate.name}_{motion.replace(' ', '_')}.png")


if __name__ == "__main__":
    main()
