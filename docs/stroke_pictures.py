"""Render the pictures of guide/strokes.md: one row a knob, each at three values, on a frame of the demo.

python docs/stroke_pictures.py --painting night_cafe.png --painting great_wave.png
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import cv2
import numpy as np
import torch

import tsn
from tsn import io
from tsn.colour import codec

ROOT = Path(__file__).resolve().parents[1]
FRAME = 1004
CROP = (slice(70, 230), slice(150, 390))
"""Rows and columns of the demo that are shown."""
KNOBS: Sequence[tuple[str, Sequence[str]]] = (
    ("size", ("0.5", "1", "2")),
    ("detail", ("0", "1", "2")),
    ("length", ("0.4", "1", "2.5")),
    ("density", ("0.4", "1", "2.5")),
    ("opacity", ("0.3", "0.7", "1")),
    ("jitter", ("0", "1", "3")),
    ("relief", ("0", "0.5", "1.2")),
    ("light", ("0", "127", "270")),
    ("edges", ("clipped", "auto", "overhanging")),
)
LABEL_PX = 18
QUALITY = 88


def paint(folder: Path, *sets: str) -> np.ndarray:
    """The demo's frame in strokes, uint8 (h, w, 3) in OpenCV's order, cropped and labelled by what is set."""
    output = folder / "frame.####.exr"
    settings = {"temporal.window": 0, "output": str(output), "style.strokes": "oil"}
    shot = tsn.load(ROOT / "shots/demo/demo.yaml", sets=[*(f"{k}={v}" for k, v in settings.items()), *sets])
    (path,) = tsn.render(shot, frames=[FRAME], force=True)
    rgb = torch.from_numpy(np.moveaxis(io.read_frame(path, FRAME).rgb.astype(np.float32), 2, 0).copy())
    style, _ = codec("lin_rec709", highlights="keep").to_style(rgb)
    picture = (np.moveaxis(style.numpy(), 0, 2)[CROP][..., ::-1] * 255 + 0.5).astype(np.uint8)
    label = np.full((LABEL_PX, picture.shape[1], 3), 255, np.uint8)
    text = ", ".join(_label(*each.split("=")) for each in sets) or "oil"
    cv2.putText(label, text, (3, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
    return np.concatenate([label, picture])


def _label(key: str, value: str) -> str:
    return f"{key.removeprefix('style.')}: {Path(value).name}"


@click.command(help=__doc__)
@click.option("--painting", "paintings", type=click.Path(exists=True, path_type=Path), multiple=True)
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "docs/images")
def main(paintings: Sequence[Path], out: Path) -> None:
    """Write strokes_knobs.jpg and strokes_palettes.jpg."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [np.concatenate([paint(folder, f"style.{knob}={v}") for v in values], 1) for knob, values in KNOBS]
        write(out / "strokes_knobs.jpg", np.concatenate(rows))
        if paintings:
            pictures = [paint(folder), *(paint(folder, f"style.palette={path.resolve()}") for path in paintings)]
            write(out / "strokes_palettes.jpg", np.concatenate(pictures, 1))


def write(path: Path, picture: np.ndarray) -> None:
    """Write a JPEG."""
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    click.echo(path)


if __name__ == "__main__":
    main()
