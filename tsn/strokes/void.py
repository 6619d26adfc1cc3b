"""Void around an element: what its guides are measured on, and what colours stand in for void.

All is measured on a region that depends on the element alone and is aligned in the display window: the same element in
a larger data window has the same guides, to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from tsn.strokes.frame import StrokeFrame

ALIGNED = 64
"""Pixels: regions begin and end at multiples of this in the display window, so grids of reduced size don't move with
the element."""
LEVELS = 6
"""Of push-pull: 2^6 = `ALIGNED` pixels."""
MARGIN = 32
"""Pixels at 360 lines around the element."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """A rectangle on the canvas, which may go beyond it: place of its top left corner, and size, pixels."""

    x: int
    y: int
    width: int
    height: int


def find_region(covered: np.ndarray, origin: tuple[int, int], scale: float) -> Region:
    """The region of the pixels (H, W) bool that are not void; of none, the first `ALIGNED` pixels.

    Args:
        origin: (x, y) of the canvas in the display window.
        scale: pixels that a pixel at 360 lines is.
    """
    margin = int(MARGIN * scale) + 1
    sides = []
    for axis, start in ((1, origin[0]), (0, origin[1])):
        there = np.flatnonzero(covered.any(1 - axis))
        first, last = (start + there[0], start + there[-1] + 1) if there.size else (0, 0)
        low = (first - margin) // ALIGNED * ALIGNED
        high = -(-(last + margin) // ALIGNED) * ALIGNED
        sides.append((int(low - start), int(high - low)))
    (x, width), (y, height) = sides
    return Region(x=x, y=y, width=width, height=height)


def cut(planes: np.ndarray, region: Region) -> np.ndarray:
    """The region of (..., H, W); 0 beyond the canvas."""
    height, width = planes.shape[-2:]
    found = np.zeros((*planes.shape[:-2], region.height, region.width), planes.dtype)
    x0, x1 = max(region.x, 0), min(region.x + region.width, width)
    y0, y1 = max(region.y, 0), min(region.y + region.height, height)
    if x0 < x1 and y0 < y1:
        found[..., y0 - region.y : y1 - region.y, x0 - region.x : x1 - region.x] = planes[..., y0:y1, x0:x1]
    return found


def uncut(planes: np.ndarray, region: Region, height: int, width: int) -> np.ndarray:
    """A region's (..., h, w) back on its canvas (..., height, width); 0 outside of the region."""
    return cut(planes, Region(x=-region.x, y=-region.y, width=width, height=height))


def fill_frame(frame: StrokeFrame, region: Region) -> tuple[StrokeFrame, np.ndarray]:
    """The frame on its region, without void, and the distance (h, w) of each pixel from the element.

    Colours of void are blended from those of the element; all else there is that of the nearest pixel.
    """
    assert frame.cover is not None
    cover = cut(np.nan_to_num(frame.cover, nan=0.0), region)
    covered = cover > 0
    if covered.any():
        away = np.asarray(cv2.distanceTransform((~covered).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5))
    else:
        covered, away = np.ones_like(covered), np.full(covered.shape, np.inf, np.float32)
    rows, columns = _nearest(covered)

    def spread(planes: np.ndarray | None) -> np.ndarray | None:
        return None if planes is None else np.ascontiguousarray(cut(planes, region)[..., rows, columns])

    picture = cut(frame.picture, region)
    filled = fill_void(np.ascontiguousarray(np.moveaxis(picture, 0, 2)), covered.astype(np.float32))
    return (
        replace(
            frame,
            picture=np.ascontiguousarray(np.moveaxis(filled, 2, 0)),
            cover=cover,
            depth=spread(frame.depth),
            ids=spread(frame.ids),
            surface=spread(frame.surface),
            direction=spread(frame.direction),
            size_map=spread(frame.size_map),
            density_map=spread(frame.density_map),
        ),
        away,
    )


def _nearest(covered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and column (H, W) of the nearest covered pixel."""
    _, names = cv2.distanceTransformWithLabels(
        (~covered).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    rows, columns = np.nonzero(covered)
    place = np.empty(names.max() + 1, np.int64)
    place[names[rows, columns]] = np.arange(len(rows))
    return rows[place[names]], columns[place[names]]


def fill_void(picture: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Push-pull (Gortler et al., "The Lumigraph", SIGGRAPH 1996): (H, W, 3) with void blended from what is around it.

    Args:
        picture: sides are multiples of `ALIGNED`.
        weight: (H, W), 0 in void, 1 elsewhere.
    """
    pushed = [(picture * weight[..., None], weight)]
    for _ in range(LEVELS):
        colours, weights = pushed[-1]
        small, share = _halve(colours), _halve(weights[..., None])[..., 0]
        most = np.maximum(share, 1)
        pushed.append((small / most[..., None], np.minimum(share, 1)))
    colours, weights = pushed.pop()
    mean = colours.sum((0, 1)) / max(float(weights.sum()), 1e-6)
    value = np.where(weights[..., None] > 0, colours / np.maximum(weights, 1e-6)[..., None], mean).astype(np.float32)
    while pushed:
        colours, weights = pushed.pop()
        value = cv2.resize(value, weights.shape[::-1], interpolation=cv2.INTER_LINEAR)
        value = colours + (1 - weights[..., None]) * value
    return np.asarray(np.where(weight[..., None] > 0, picture, value), np.float32)


def _halve(planes: np.ndarray) -> np.ndarray:
    """Sums over 2 x 2 pixels."""
    height, width, count = planes.shape
    return planes.reshape(height // 2, 2, width // 2, 2, count).sum((1, 3))
