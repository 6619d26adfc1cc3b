"""Paint docs/images/strokes_presets.jpg: one frame of the demo in each preset of strokes.

python docs/stroke_presets.py
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np
import torch

from tsn import io
from tsn.colour import codec
from tsn.strokes.frame import StrokeFrame
from tsn.strokes.preset_file import find_preset, preset_names
from tsn.strokes.stroke_window import StrokeWindow

ROOT = Path(__file__).resolve().parents[1]
FRAME, SIZE = 1004, (640, 360)
COLUMNS, LABEL_PX, QUALITY = 2, 22, 78


def read_plate() -> np.ndarray:
    """The frame in style space, float32 (3, H, W), at the size for which lengths of strokes are given."""
    frame = io.read_frame(ROOT / f"shots/demo/plate/demo.{FRAME}.exr", FRAME)
    rgb = torch.from_numpy(np.moveaxis(frame.rgb.astype(np.float32), 2, 0).copy())
    style, _ = codec("lin_rec709", highlights="keep").to_style(rgb)
    resized = cv2.resize(np.moveaxis(style.numpy(), 0, 2), SIZE, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(np.moveaxis(resized.clip(0), 2, 0), np.float32)


def paint(plate: np.ndarray, name: str) -> np.ndarray:
    """The plate in a preset, uint8 (h, w, 3) in OpenCV's order, labelled by its name."""
    window = StrokeWindow(find_preset(name), radius=0, height=plate.shape[1], width=plate.shape[2])
    window.add(0, StrokeFrame(number=FRAME, picture=plate), None)
    colour = window.paint(0).colour.clip(0, 1)
    label = np.full((LABEL_PX, plate.shape[2], 3), 255, np.uint8)
    cv2.putText(label, name, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    return np.concatenate([label, np.rint(np.moveaxis(colour, 0, 2)[..., ::-1] * 255).astype(np.uint8)])


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "docs/images/strokes_presets.jpg")
def main(out: Path) -> None:
    """Write the sheet."""
    plate = read_plate()
    panels = [paint(plate, name) for name in preset_names()]
    rows = [np.concatenate(panels[at : at + COLUMNS], axis=1) for at in range(0, len(panels), COLUMNS)]
    cv2.imwrite(str(out), np.concatenate(rows), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


if __name__ == "__main__":
    main()
