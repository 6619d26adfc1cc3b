"""Paint the thumbnails of the node's menus: a corner of the demo plate in every bundled style and preset of strokes.

Run it when one is added, in the environment that has tsn::

    .venv/bin/python plugins/blender/make_thumbnails.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

import tsn
from tsn.colour import open_codec
from tsn.strokes.painter import StrokePainter
from tsn.strokes.preset_file import find_preset, preset_names
from tsn.style.catalogue import bundled_styles

HERE = Path(__file__).resolve().parent
PLATE = HERE.parents[1] / "shots/demo/plate/demo.1008.exr"
LEFT_PX, TOP_PX, SIDE_PX = 120, 30, 240
"""The corner of the plate."""
THUMBNAIL_PX = 128


def main() -> None:
    """Write a PNG for each style into the add-on's folder `thumbnails`, and for each preset into `strokes` in there."""
    frame = tsn.read_frame(PLATE, 1008)
    plate = torch.from_numpy(frame.rgb).float().permute(2, 0, 1)
    shown = tsn.codec("lin_rec709")
    folder = HERE / "tsn_blender/thumbnails"
    picture, _ = shown.to_style(plate)
    for style in bundled_styles():
        if style.family != "adain":  # it needs a painting, whose own thumbnail the node shows
            write(folder / f"{style.name}.png", tsn.painter(model=style.name).paint(picture, 1008))
    bright, reference = open_codec(shown).to_style(plate)
    for name in preset_names():
        painted = StrokePainter(find_preset(name), name=name).paint(bright, 1008)
        write(folder / "strokes" / f"{name}.png", shown.to_style(open_codec(shown).from_style(painted, reference))[0])


def write(path: Path, painted: torch.Tensor) -> None:
    """Write a corner of a painted plate, style space (3, H, W)."""
    corner = painted[:, TOP_PX : TOP_PX + SIDE_PX, LEFT_PX : LEFT_PX + SIDE_PX].permute(1, 2, 0).numpy()
    small = cv2.resize(corner, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), np.rint(small[..., ::-1] * 255).astype(np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(path)


if __name__ == "__main__":
    main()
