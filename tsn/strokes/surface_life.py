"""The life of anchors over a window of frames: which is which from frame to frame, how long each is seen, how it lies.

An anchor has its key in every frame: what a stroke needs of its past and future is looked up, nothing is carried.
"""

from __future__ import annotations

import numba
import numpy as np

from tsn.strokes.hashing import uniform
from tsn.strokes.placement import POINTS

LONGEST_STRETCH = 1.6
"""Paths that turn over the window have a shorter mean; it is stretched to their mean length, but no further."""


@numba.njit(cache=True)
def match_anchors(
    keys: np.ndarray, places: np.ndarray, other_keys: np.ndarray, other_places: np.ndarray, limit: float
) -> np.ndarray:
    """Index (n,) int32 of each anchor in another frame: that with its key, the nearest of several; -1 = not seen there.

    Args:
        keys, other_keys: uint64, rising.
        places, other_places: (n, 2), pixels.
        limit: pixels that an anchor may move.
    """
    found = np.full(len(keys), -1, np.int32)
    first = 0
    for n in range(len(keys)):
        while first < len(other_keys) and other_keys[first] < keys[n]:
            first += 1
        best = limit * limit
        m = first
        while m < len(other_keys) and other_keys[m] == keys[n]:
            dx, dy = other_places[m, 0] - places[n, 0], other_places[m, 1] - places[n, 1]
            if dx * dx + dy * dy < best:
                best, found[n] = dx * dx + dy * dy, m
            m += 1
    return found


@numba.njit(cache=True)
def _carry(slopes: np.ndarray, other: np.ndarray, offset: np.ndarray) -> tuple[float, float]:
    """An offset of one frame, pixels, as it lies on the surface in another: pinv(slopes) other offset."""
    uu, vv, uv, a, b = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(3):
        u, v = slopes[i, 0], slopes[i, 1]
        d = other[i, 0] * offset[0] + other[i, 1] * offset[1]
        uu, vv, uv = uu + u * u, vv + v * v, uv + u * v
        a, b = a + u * d, b + v * d
    det = uu * vv - uv * uv
    return (vv * a - uv * b) / det, (uu * b - uv * a) / det


@numba.njit(cache=True)
def head_cosines(keys: np.ndarray, slopes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Cosines (n,) between strokes and the direction on the surface, of each key's own, in which their heads lie.

    In the picture the two ends of a path have no order that lasts; all strokes that become vertical would turn round.

    Args:
        slopes, offsets: (n, 3, 2) and (n, POINTS, 2) pixels.
    """
    found = np.zeros(len(keys))
    along, towards, head = np.zeros(3), np.zeros(3), np.zeros(2)
    for n in range(len(keys)):
        x, y = offsets[n, -1, 0] - offsets[n, 0, 0], offsets[n, -1, 1] - offsets[n, 0, 1]
        uu, vv, uv, a, b = 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(3):
            u, v, towards[i] = slopes[n, i, 0], slopes[n, i, 1], uniform(keys[n], 12 + i) - 0.5
            uu, vv, uv, a, b = uu + u * u, vv + v * v, uv + u * v, a + u * towards[i], b + v * towards[i]
        det = uu * vv - uv * uv
        head[0], head[1] = (vv * a - uv * b) / det, (uu * b - uv * a) / det
        product, first, second = 0.0, 0.0, 0.0
        for i in range(3):
            along[i] = slopes[n, i, 0] * x + slopes[n, i, 1] * y
            towards[i] = slopes[n, i, 0] * head[0] + slopes[n, i, 1] * head[1]
            product, first, second = product + along[i] * towards[i], first + along[i] ** 2, second + towards[i] ** 2
        if first > 0 and second > 0:
            found[n] = product / np.sqrt(first * second)
    return found


@numba.njit(cache=True)
def add_paths(
    total: np.ndarray,
    lengths: np.ndarray,
    weights: np.ndarray,
    slopes: np.ndarray,
    index: np.ndarray,
    other_slopes: np.ndarray,
    other_offsets: np.ndarray,
    weight: float,
) -> None:
    """Add the paths of a frame to sums over a window, as they lie on the surface of the frame that is painted.

    Args:
        total: (n, POINTS, 2), sum of offsets from the anchor, changed; a path's two ways have no order, so each is
            added the way round that it lies to the sum.
        lengths: (n,), sum of the distance between a path's ends, changed.
        weights: (n,), sum of weights, changed.
        slopes: (n, 3, 2), see `Anchors`.
        index: (n,), of each anchor in the other frame; -1 = not there.
        other_slopes, other_offsets: (m, 3, 2), and (m, POINTS, 2) pixels; all 0 = no path there.
        weight: of the other frame.
    """
    carried = np.zeros((POINTS, 2))
    last = POINTS - 1
    for n in range(len(index)):
        m = index[n]
        if m < 0 or (other_offsets[m, 0, 0] == 0 and other_offsets[m, 0, 1] == 0):
            continue
        for k in range(POINTS):
            carried[k, 0], carried[k, 1] = _carry(slopes[n], other_slopes[m], other_offsets[m, k])
        x, y = carried[last, 0] - carried[0, 0], carried[last, 1] - carried[0, 1]
        turned = x * (total[n, last, 0] - total[n, 0, 0]) + y * (total[n, last, 1] - total[n, 0, 1]) < 0
        lengths[n] += weight * np.sqrt(x * x + y * y)
        weights[n] += weight
        for k in range(POINTS):
            from_end = last - k if turned else k
            total[n, k, 0] += weight * carried[from_end, 0]
            total[n, k, 1] += weight * carried[from_end, 1]


def mean_paths(places: np.ndarray, total: np.ndarray, lengths: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Paths (n, POINTS, 2) from the sums of `add_paths`, float32, as far from the places as `placement.snap` allows."""
    ends = total[:, -1] - total[:, 0]
    short = np.sqrt((ends * ends).sum(1))
    stretch = np.clip(lengths / np.maximum(short, 1e-6), 1, LONGEST_STRETCH) / np.maximum(weights, 1e-6)
    offsets = np.floor(total * stretch[:, None, None] * 1024 + 0.5) / 1024
    return np.asarray(places[:, None] + offsets, np.float32)
