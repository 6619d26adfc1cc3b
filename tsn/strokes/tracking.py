"""Strokes follow the motion of the surface that they lie on."""

from __future__ import annotations

import numba
import numpy as np

from tsn.strokes.placement import snap

SEEN = 0.4
"""Visibility from which on a point counts as seen in the other frame."""
STEP_2, SHEAR_2 = 0.25, 0.015
"""Two neighbouring points of a stroke move alike: the square of what their motions differ by is at most the first, in
pixels^2 at 360 lines, plus the second times their distance squared."""
MARGIN_PX = 40
"""At 360 lines: a stroke whose middle is farther outside of the picture ends."""


@numba.njit(cache=True)
def track_paths(
    paths: np.ndarray, alive: np.ndarray, flow: np.ndarray, visible: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Paths of one frame in a neighbouring frame.

    A point goes where the flow says, if it is visible in the other frame and moves like the point before it (outward
    from the middle); else it keeps its place beside that point. A stroke ends where all points near its middle are
    hidden.

    Args:
        paths: (n, POINTS, 2), pixels.
        alive: (n,) uint8.
        flow: (2, H, W) from this frame to the other, on this frame's grid.
        visible: (H, W) in [0, 1].
        scale: pixels that a pixel at 360 lines is.

    Returns:
        Paths and alive in the other frame.
    """
    count, points = paths.shape[0], paths.shape[1]
    height, width = flow.shape[1], flow.shape[2]
    moved = paths.copy()
    living = alive.copy()
    middle = points // 2
    step = np.empty((points, 2), np.float32)
    good = np.empty(points, np.uint8)
    for n in range(count):
        if not alive[n]:
            continue
        any_good = -1
        for i in range(points):
            x, y = paths[n, i, 0] - 0.5, paths[n, i, 1] - 0.5
            x = min(max(x, 0.0), width - 1.001)
            y = min(max(y, 0.0), height - 1.001)
            x0, y0 = int(x), int(y)
            fx, fy = x - x0, y - y0
            seen = 0.0
            vx, vy = 0.0, 0.0
            for a in range(2):
                for b in range(2):
                    weight = (fy if a else 1 - fy) * (fx if b else 1 - fx)
                    yy, xx = min(y0 + a, height - 1), min(x0 + b, width - 1)
                    v = visible[yy, xx] * weight
                    seen += v
                    vx += v * flow[0, yy, xx]
                    vy += v * flow[1, yy, xx]
            good[i] = seen > SEEN
            if seen > 1e-3:
                step[i, 0], step[i, 1] = snap(vx / seen), snap(vy / seen)
            if good[i] and (any_good < 0 or abs(i - middle) < abs(any_good - middle)):
                any_good = i
        if any_good < 0 or abs(any_good - middle) > 2:
            living[n] = 0
            continue
        # The one nearest to the middle leads; from it outward, who differs too much from the one before follows it.
        for way in (-1, 1):
            last = any_good
            i = any_good + way
            while 0 <= i < points:
                ax, ay = paths[n, i, 0] - paths[n, last, 0], paths[n, i, 1] - paths[n, last, 1]
                ok = False
                if good[i]:
                    ux, uy = step[i, 0] - step[last, 0], step[i, 1] - step[last, 1]
                    ok = ux * ux + uy * uy <= STEP_2 * scale * scale + SHEAR_2 * (ax * ax + ay * ay)
                if not ok:
                    step[i, 0], step[i, 1] = step[last, 0], step[last, 1]
                last = i
                i += way
        for i in range(points):
            moved[n, i, 0] += step[i, 0]
            moved[n, i, 1] += step[i, 1]
        x, y = moved[n, middle, 0], moved[n, middle, 1]
        margin = MARGIN_PX * scale
        if x < -margin or y < -margin or x > width + margin or y > height + margin:
            living[n] = 0
    return moved, living
