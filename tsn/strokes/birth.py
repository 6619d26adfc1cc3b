"""Where strokes begin in a frame, and the paths that they are drawn along."""

from __future__ import annotations

import numba as nb
import numpy as np

from tsn.strokes.hashing import joined, uniform

POINTS = 7
"""Of a path; the middle one is where the stroke was born."""
CELL = 0.8
"""Side of the cells that a stroke may be born in, as a share of the spacing."""


@nb.njit(cache=True)
def born(key, height, width, spacing, rate, need):  # type: ignore[no-untyped-def]
    """Keys (n,) and places (n, 2) (x, y) of the strokes that begin in a frame: a jittered grid, thinned by chance.

    Args:
        key: uint64, of the layer and the frame.
        spacing: pixels.
        rate: chance that a cell bears a stroke in this frame.
        need: (H, W), chance that a stroke is wanted at a place.
    """
    cell = CELL * spacing
    rows, columns = int(height / cell) + 3, int(width / cell) + 3
    keys = np.empty(rows * columns, np.uint64)
    places = np.empty((rows * columns, 2), np.float32)
    count = 0
    for i in range(-1, rows - 1):
        for j in range(-1, columns - 1):
            own = joined(joined(key, i + 4), j + 4)
            if uniform(own, 0) >= rate:
                continue
            x, y = (j + uniform(own, 1)) * cell, (i + uniform(own, 2)) * cell
            px, py = min(max(int(x), 0), width - 1), min(max(int(y), 0), height - 1)
            if uniform(own, 3) >= need[py, px]:
                continue
            keys[count] = own
            places[count, 0], places[count, 1] = x, y
            count += 1
    return keys[:count].copy(), places[:count].copy()


@nb.njit(cache=True, inline="always")
def _at(field, y, x):  # type: ignore[no-untyped-def]
    """Nearest sample of (..., H, W): direction fields are smooth."""
    height, width = field.shape[-2], field.shape[-1]
    return min(max(int(y), 0), height - 1), min(max(int(x), 0), width - 1)


@nb.njit(cache=True)
def traced(keys, places, angle, colours, step, length, width, tolerance, wander):  # type: ignore[no-untyped-def]
    """Paths (n, POINTS, 2) along the direction of forms, both ways from the places.

    A path ends where the plate's colour (averaged over a stroke's width) has left that of its middle.

    Args:
        angle: see `Guides.angle`.
        colours: (h, w, 3), the plate at 1 / `step` of its size.
        length: pixels, from end to end.
        tolerance: sum over channels of the difference in colour at which a path ends.
        wander: angle in radians that paths take where forms have no direction.
    """
    paths = np.empty((len(keys), POINTS, 2), np.float32)
    middle = POINTS // 2
    h, w = colours.shape[0], colours.shape[1]
    for n in range(len(keys)):
        x0, y0 = places[n, 0], places[n, 1]
        paths[n, middle, 0], paths[n, middle, 1] = x0, y0
        reach = 0.5 * length * (0.7 + 0.6 * uniform(keys[n], 5)) / middle
        lean = wander + 0.9 * (uniform(keys[n], 6) - 0.5)
        cy, cx = min(max(int(y0 / step), 0), h - 1), min(max(int(x0 / step), 0), w - 1)
        for way in (-1, 1):
            x, y = x0, y0
            dx, dy = 0.0, 0.0
            ended = False
            for k in range(1, middle + 1):
                if not ended:
                    iy, ix = _at(angle, y, x)
                    c2, s2 = angle[0, iy, ix], angle[1, iy, ix]
                    sure = np.sqrt(c2 * c2 + s2 * s2)
                    rest = max(0.0, 0.35 - sure)
                    theta = 0.5 * np.arctan2(s2 + rest * np.sin(2 * lean), c2 + rest * np.cos(2 * lean))
                    nx, ny = np.cos(theta), np.sin(theta)
                    if k == 1:
                        dx, dy = way * nx, way * ny
                    else:
                        if nx * dx + ny * dy < 0:
                            nx, ny = -nx, -ny
                        if nx * dx + ny * dy < 0.6:  # too sharp a turn for a brush
                            nx, ny = dx, dy
                        mx, my = dx + nx, dy + ny
                        norm = np.sqrt(mx * mx + my * my)
                        dx, dy = mx / norm, my / norm
                    tx, ty = x + reach * dx, y + reach * dy
                    sy, sx = min(max(int(ty / step), 0), h - 1), min(max(int(tx / step), 0), w - 1)
                    apart = 0.0
                    for c in range(3):
                        apart += abs(colours[sy, sx, c] - colours[cy, cx, c])
                    if apart > tolerance:
                        ended = True
                        part = 0.35 if k > 1 else 0.6
                        x, y = x + part * reach * dx, y + part * reach * dy
                    else:
                        x, y = tx, ty
                at = middle + way * k
                paths[n, at, 0], paths[n, at, 1] = x, y
    return paths
