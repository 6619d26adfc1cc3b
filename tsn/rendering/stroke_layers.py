"""The layers of the paint that are written beside it (`style.aovs`), for relighting and grading in comp."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tsn import io
from tsn.io.frame import Box
from tsn.strokes.frame import StrokePaint
from tsn.strokes.guides import REFERENCE_LINES
from tsn.strokes.relief import surface_normals

ID_BITS = 24
"""Bits of a stroke's id: whole numbers up to 2^24 are exact in float32, the type of every layer."""
CHANNELS = {
    "height": ("strokes.height",),
    "coverage": ("strokes.coverage",),
    "stroke_id": ("strokes.id",),
    "normals": ("strokes_normals.X", "strokes_normals.Y", "strokes_normals.Z"),
}
"""The channels of each layer."""


def stroke_layers(
    wanted: Sequence[str],
    paint: StrokePaint | None,
    amount: np.ndarray | float,
    *,
    canvas: Box,
    window: Box,
    lines: int,
) -> dict[str, np.ndarray]:
    """The channels of some layers, float32 (H, W) on the data window.

    Args:
        wanted: keys of `CHANNELS`.
        paint: of the frame; None where nothing is painted: flat, nothing covered, no stroke.
        amount: strength times matte, (H, W) on the canvas or a number, by which paint counts.
        canvas, window: the canvas, and the data window of the frame.
        lines: height of the display window, by which strokes are sized.
    """
    names = [name for layer in wanted for name in CHANNELS[layer]]
    if paint is None:
        flat = CHANNELS["normals"][2]
        return {name: np.full((window.height, window.width), name == flat, np.float32) for name in names}
    found: dict[str, np.ndarray] = {}
    for layer in wanted:
        if layer == "height":
            planes = [paint.relief * amount]
        elif layer == "coverage":
            planes = [paint.coverage * amount]
        elif layer == "stroke_id":
            planes = [np.where(np.asarray(amount) > 0, paint.ids >> np.uint32(32 - ID_BITS), 0)]
        else:
            mixed = amount * surface_normals(paint.relief, lines / REFERENCE_LINES)
            mixed[2] += 1 - np.asarray(amount)
            planes = list(mixed / np.sqrt((mixed**2).sum(0)))
        for name, plane in zip(CHANNELS[layer], planes, strict=True):
            found[name] = io.crop(np.ascontiguousarray(plane, dtype=np.float32), canvas, window)
    return found
