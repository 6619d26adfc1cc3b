"""Paint the thumbnails of the node's style menu: a corner of the demo plate in every bundled style.

Run it when a style is added, in the environment that has tsn::

    .venv/bin/python plugins/blender/make_thumbnails.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

import tsn
from tsn.style.catalogue import bundled_styles

HERE = Path(__file__).resolve().parent
PLATE = HERE.parents[1] / "shots/demo/plate/demo.1008.exr"
LEFT_PX, TOP_PX, SIDE_PX = 120, 30, 240
"""The corner of the plate."""
THUMBNAIL_PX = 128


def main() -> None:
    """Write a PNG for each style into the add-on's folder `thumbnails`."""
    frame = tsn.read_frame(PLATE, 1008)
    picture, _ = tsn.codec("lin_rec709").to_style(torch.from_numpy(frame.rgb).float().permute(2, 0, 1))
    for style in bundled_styles():
        if style.family == "adain":  # it needs a painting, whose own thumbnail the node shows
            continue
        painted = tsn.painter(model=style.name).paint(picture, 1008)
        corner = painted[:, TOP_PX : TOP_PX + SIDE_PX, LEFT_PX : LEFT_PX + SIDE_PX].permute(1, 2, 0).numpy()
        small = cv2.resize(corner, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA)
        path = HERE / "tsn_blender/thumbnails" / f"{style.name}.png"
        cv2.imwrite(str(path), np.rint(small[..., ::-1] * 255).astype(np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 9])
        print(path)


if __name__ == "__main__":
    main()
