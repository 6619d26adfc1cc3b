"""What a frame's strokes on the surface hand on to be thinned and painted, and the room that they leave for others."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tsn.strokes.easing import ramp
from tsn.strokes.placement import CELL

TAKEN = (0.3, 0.8)
"""Share of the anchors near a place that are shown, from which on other strokes fade, and at which they are gone."""


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

    def parts(self) -> list[np.ndarray]:
        """From keys to planes, as a window joins them with those of other strokes."""
        names = ("keys", "chances", "half_widths", "spacings", "paths", "weights", "colours", "planes")
        return [getattr(self, name) for name in names]

    def room(self, places: np.ndarray) -> np.ndarray:
        """Weights (n,) float32 that are left for other strokes at places (n, 2)."""
        rows, columns = self.share.shape
        x, y = np.clip(places / self.cell - 0.5, 0, (columns - 1, rows - 1)).astype(np.float32).T
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
    places: np.ndarray, cell: float, there: np.ndarray, shown: np.ndarray, height: int, width: int
) -> np.ndarray:
    """`SurfaceStrokes.share`: of the anchors near a place, the part that is shown; 0 where there are few.

    Args:
        places: (n, 2), pixels.
        cell: pixels.
        there, shown: (n,) in 0..1: how far an anchor is wanted at this scale, and how far it is seen.
        height, width: pixels.
    """
    rows, columns = int(height / cell) + 1, int(width / cell) + 1
    x, y = (places / cell).astype(np.int64).T
    inside = (places > 0).all(1) & (x < columns) & (y < rows)
    at = y[inside] * columns + x[inside]
    sums = [np.bincount(at, weights[inside], rows * columns) for weights in (there, there * shown)]
    whole, part = (cv2.GaussianBlur(each.reshape(rows, columns).astype(np.float32), (0, 0), 0.8) for each in sums)
    return np.asarray(part / np.maximum(whole, 0.5 / CELL**2))
