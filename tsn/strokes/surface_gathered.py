"""What a frame's strokes on the surface hand on to be thinned and painted, and the room that they leave for others."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from tsn.strokes.easing import ramp
from tsn.strokes.placement import CELL

TAKEN = (0.3, 0.8)
"""Share of the anchors near a place that are shown, from which on other strokes fade, and at which they are gone."""
NEAR = 2.3
"""How far an anchor counts, in spacings of its own; in cells where those are larger."""
FEW = 0.5
"""Share of the anchors of a place that is covered by them below which they are too few to take it."""


@dataclass(frozen=True, kw_only=True)
class SurfaceStrokes:
    """A layer's strokes in the frame that is painted, in the order in which they give way to each other.

    Attributes:
        keys: (n,) uint64.
        chances: (n, 5) in [0, 1): of luma, saturation, hue, width and what a preset adds.
        half_widths, spacings: (n,), pixels.
        paths: (n, POINTS, 2), pixels.
        weights: (n,) in 0..1, before thinning.
        colours: (n, 3), of the paint before it is varied.
        planes: (n, 3) of the surface, or (0, 3), see `stroke_planes`.
        share: (h, w) in 0..1, how far they have taken the place of other strokes.
        cell: side of its cells, pixels.
        first: column and row, in the display window, of its first cell.
        origin: (x, y) of the canvas in the display window, pixels.
    """

    keys: np.ndarray
    chances: np.ndarray
    half_widths: np.ndarray
    spacings: np.ndarray
    paths: np.ndarray
    weights: np.ndarray
    colours: np.ndarray
    planes: np.ndarray
    share: np.ndarray
    cell: float
    first: tuple[int, int]
    origin: tuple[int, int]

    def parts(self) -> list[np.ndarray]:
        """From keys to planes, as a window joins them with those of other strokes."""
        names = ("keys", "chances", "half_widths", "spacings", "paths", "weights", "colours", "planes")
        return [getattr(self, name) for name in names]

    def room(self, places: np.ndarray) -> np.ndarray:
        """Weights (n,) float32 that are left for other strokes at places (n, 2)."""
        rows, columns = self.share.shape
        cells = (places + np.array(self.origin, np.float32)) / self.cell - 0.5 - np.array(self.first)
        x, y = np.clip(cells, 0, (columns - 1, rows - 1)).astype(np.float32).T
        left, top = (
            np.minimum(x.astype(np.int64), max(columns - 2, 0)),
            np.minimum(y.astype(np.int64), max(rows - 2, 0)),
        )
        fx, fy = x - left, y - top
        right, under = np.minimum(left + 1, columns - 1), np.minimum(top + 1, rows - 1)
        share = (self.share[top, left] * (1 - fx) + self.share[top, right] * fx) * (1 - fy)
        share += (self.share[under, left] * (1 - fx) + self.share[under, right] * fx) * fy
        return np.asarray(1 - ramp(share, *TAKEN), np.float32)


def shown_share(
    places: np.ndarray,
    spacings: np.ndarray,
    there: np.ndarray,
    shown: np.ndarray,
    *,
    cell: float,
    start: tuple[int, int],
    size: tuple[int, int],
) -> tuple[np.ndarray, tuple[int, int]]:
    """`SurfaceStrokes.share` and `first`: of the anchors near a place, the part that is shown; 0 where there are few.

    Args:
        places: (n, 2), pixels of the display window, so that cells do not move with the data window.
        spacings: (n,), of the strokes on the anchors, pixels: few large ones take as much room as many small ones.
        there, shown: (n,) in 0..1: how far an anchor is wanted at this scale, and how far it is seen.
        cell: pixels.
        start, size: (x, y) of the picture's corner in the display window, and (width, height), pixels.
    """
    first = (int(start[0] // cell), int(start[1] // cell))
    columns, rows = (int((start[axis] + size[axis]) // cell) + 1 - first[axis] for axis in range(2))
    whole, part = _spread(places, spacings, there, shown, cell, first[0], first[1], rows, columns)
    return np.asarray(part / np.maximum(whole, FEW), np.float32), first


@numba.njit(cache=True)
def _spread(
    places: np.ndarray,
    spacings: np.ndarray,
    there: np.ndarray,
    shown: np.ndarray,
    cell: float,
    left: int,
    top: int,
    rows: int,
    columns: int,
) -> tuple[np.ndarray, np.ndarray]:
    """(rows, columns) around the middles of the cells: anchors over their number where a surface has all; those shown.

    Each is spread over a disc by (1 - (d / radius)^2)^2, whose integral is pi / 3 radius^2: continuous in all places.
    """
    whole, part = np.zeros((rows, columns)), np.zeros((rows, columns))
    for n in range(len(places)):
        if there[n] <= 0:
            continue
        radius = NEAR * max(spacings[n] / cell, 1.0)
        # A place has one anchor for the square of CELL spacings.
        height = there[n] * (CELL * spacings[n] / cell / radius) ** 2 * 3 / np.pi
        x, y = places[n, 0] / cell - 0.5 - left, places[n, 1] / cell - 0.5 - top
        for r in range(max(int(np.ceil(y - radius)), 0), min(int(np.floor(y + radius)) + 1, rows)):
            for c in range(max(int(np.ceil(x - radius)), 0), min(int(np.floor(x + radius)) + 1, columns)):
                rest = 1 - ((r - y) ** 2 + (c - x) ** 2) / radius**2
                if rest > 0:
                    whole[r, c] += height * rest * rest
                    part[r, c] += height * rest * rest * shown[n]
    return whole, part
