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
from tsn.colour import codec, open_codec
from tsn.strokes.frame import StrokeFrame
from tsn.strokes.preset_file import find_preset, preset_names
from tsn.strokes.stroke_window import StrokeWindow

ROOT = Path(__file__).resolve().parents[1]
FRAME, SIZE = 1004, (640, 360)
COLUMNS, LABEL_PX, QUALITY = 2, 22, 78


def read_plate() -> torch.Tensor:
    """The frame, scene-linear, float32 (3, H, W), at the size for which lengths of strokes are given."""
    frame = io.read_frame(ROOT / f"shots/demo/plate/demo.{FRAME}.exr", FRAME)
    resized = cv2.resize(frame.rgb.astype(np.float32), SIZE, interpolation=cv2.INTER_CUBIC).clip(0)
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(resized, 2, 0)))


def paint(plate: torch.Tensor, name: str) -> np.ndarray:
    """The plate in a preset as it is seen on a display, uint8 (h, w, 3) in OpenCV's order, labelled by its name."""
    shown = codec("lin_rec709")
    style, reference = open_codec(shown).to_style(plate)
    window = StrokeWindow(find_preset(name), radius=0, height=SIZE[1], width=SIZE[0])
    window.add(0, StrokeFrame(number=FRAME, picture=style.numpy()), None)
    painted = open_codec(shown).from_style(torch.from_numpy(window.paint(0).colour), reference)
    colour = shown.to_style(painted)[0].numpy()
    label = np.full((LABEL_PX, SIZE[0], 3), 255, np.uint8)
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
