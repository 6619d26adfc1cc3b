"""The ground that shows between strokes, painted flat."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tsn.strokes.blur import enlarge
from tsn.strokes.guides import Guides


def paint_ground(guides: Guides, away: np.ndarray, paint: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """(H, W, 3), smooth between the cells of the coarsest strokes; near outlines each pixel has its surface's colour.

    Args:
        away: (H, W), distance from an outline; from 1 on the ground is smooth. (0, 0) without borders.
        paint: of colours (h, w, 3).
    """
    height, width = guides.region.height, guides.region.width
    step, sides, labels = guides.steps[0], guides.sides[0], guides.borders.labels
    first = paint(guides.colours[0])
    ground = np.ascontiguousarray(enlarge(first, step, height, width))
    if not labels.size:
        return ground
    near = np.flatnonzero(away < 1)
    y, x = near // width, near % width
    cell = (y // step, x // step)
    apart = np.abs(sides.labels[cell] - labels[y, x, None])
    own = np.where((apart[:, 1] < apart[:, 0])[:, None], paint(sides.others)[cell], first[cell])
    ground[y, x] += (1 - away[y, x, None]) * (own - ground[y, x])
    return ground
