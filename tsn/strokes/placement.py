"""Where strokes are born in a frame, and the paths that they are drawn along."""

from __future__ import annotations

import numba
import numpy as np

from tsn.strokes.borders import walk
from tsn.strokes.hashing import derive_key, uniform

POINTS = 7
"""Of a path; the middle one is where the stroke was born."""
CELL = 0.8
"""Side of the cells that a stroke may be born in, as a share of the spacing."""
COLOUR_STEP = 0.34
"""Sum over the channels of a difference in colour at which a path ends: it has left its surface."""
CERTAIN = 0.35
"""Certainty of the direction from which on it leads alone; below, strokes turn towards `DEFAULT_ANGLE`, each a little
differently."""
DEFAULT_ANGLE = 0.6
"""Radians, clockwise from the x axis: how a right-handed painter fills an even place."""
SHARPEST_TURN = 0.6
"""Cosine between two segments of a path: a brush turns no sharper and goes straight on instead."""


@numba.njit(cache=True, inline="always")
def snap(place: float) -> float:
    """A coordinate or a motion as a multiple of 1/1024 pixel: float32 holds sums of them without rounding, so strokes
    do not depend on where the canvas begins."""
    return np.floor(place * 1024 + 0.5) / 1024


@numba.njit(cache=True)
def place_strokes(
    key: np.uint64, origin: tuple[int, int], spacings: np.ndarray, rate: float, need: np.ndarray, by: int
) -> tuple[np.ndarray, np.ndarray]:
    """Keys (n,) uint64 and places (n, 2) float32 (x, y) of a frame's new strokes: a jittered grid, thinned by chance.

    Args:
        key: uint64, of the layer and the frame.
        origin: (x, y) of the picture in the display window, pixels: the grid does not move with the data window.
        spacings: (h, w), pixels, at any reduced size.
        rate: chance that a cell has a stroke born in this frame.
        need, by: (h, w), chance that a stroke is wanted at a place, one to `by` pixels.
    """
    height, width = need.shape[0] * by, need.shape[1] * by
    tall, wide = spacings.shape
    closest = spacings.min()
    cell = CELL * closest
    first_row, first_column = int(np.floor(origin[1] / cell)) - 1, int(np.floor(origin[0] / cell)) - 1
    rows, columns = int(height / cell) + 4, int(width / cell) + 4
    keys = np.empty(rows * columns, np.uint64)
    places = np.empty((rows * columns, 2), np.float32)
    count = 0
    for i in range(first_row, first_row + rows):
        for j in range(first_column, first_column + columns):
            own = derive_key(derive_key(key, i + 4), j + 4)
            chance = uniform(own, 0)
            if chance >= rate:
                continue
            x = snap((j + uniform(own, 1)) * cell) - origin[0]
            y = snap((i + uniform(own, 2)) * cell) - origin[1]
            px, py = min(max(int(x), 0), width - 1), min(max(int(y), 0), height - 1)
            if uniform(own, 3) >= need[py // by, px // by]:
                continue
            # The grid is as fine as the smallest strokes need it; larger ones come as much more seldom.
            share = closest / spacings[py * tall // height, px * wide // width]
            if chance >= rate * share * share:
                continue
            keys[count] = own
            places[count, 0], places[count, 1] = x, y
            count += 1
    return keys[:count].copy(), places[:count].copy()


@numba.njit(cache=True)
def trace_paths(
    keys: np.ndarray,
    places: np.ndarray,
    angle: np.ndarray,
    by: int,
    colours: np.ndarray,
    step: int,
    lengths: np.ndarray,
    labels: np.ndarray,
    slopes: np.ndarray,
    jump: float,
    overhang: float,
    others: np.ndarray,
    cell_labels: np.ndarray,
) -> np.ndarray:
    """Paths (n, POINTS, 2) along the direction of forms, both ways from the places.

    A path ends at a border of its surface, and where the plate's colour (averaged over a stroke's width) has left that
    of its middle.

    Args:
        angle, by: see `Guides`.
        colours: (h, w, 3), the plate at 1 / `step` of its size.
        lengths: (n,), pixels, from end to end, before their variation by a factor of .7 to 1.3.
        labels, slopes, jump: see `Borders`.
        overhang: how far a path goes beyond a border, pixels.
        others, cell_labels: see `Sides`.
    """
    paths = np.empty((len(keys), POINTS, 2), np.float32)
    middle = POINTS // 2
    h, w = colours.shape[0], colours.shape[1]
    bordered = labels.size > 0
    for n in range(len(keys)):
        x0, y0 = places[n, 0], places[n, 1]
        paths[n, middle, 0], paths[n, middle, 1] = x0, y0
        reach = 0.5 * lengths[n] * (0.7 + 0.6 * uniform(keys[n], 5)) / middle
        lean = DEFAULT_ANGLE + 0.9 * (uniform(keys[n], 6) - 0.5)
        cy, cx = min(max(int(y0 / step), 0), h - 1), min(max(int(x0 / step), 0), w - 1)
        own = colours[cy, cx]
        if bordered:
            label = labels[min(max(int(y0), 0), labels.shape[0] - 1), min(max(int(x0), 0), labels.shape[1] - 1)]
            if second_side(cell_labels, cy, cx, label):
                own = others[cy, cx]
        for way in (-1, 1):
            x, y = x0, y0
            dx, dy = 0.0, 0.0
            ended = False
            for k in range(1, middle + 1):
                if not ended:
                    iy = min(max(int(y), 0) // by, angle.shape[1] - 1)
                    ix = min(max(int(x), 0) // by, angle.shape[2] - 1)
                    c2, s2 = angle[0, iy, ix], angle[1, iy, ix]
                    sure = np.sqrt(c2 * c2 + s2 * s2)
                    rest = max(0.0, CERTAIN - sure)
                    theta = 0.5 * np.arctan2(s2 + rest * np.sin(2 * lean), c2 + rest * np.cos(2 * lean))
                    nx, ny = np.cos(theta), np.sin(theta)
                    if k == 1:
                        dx, dy = way * nx, way * ny
                    else:
                        if nx * dx + ny * dy < 0:
                            nx, ny = -nx, -ny
                        if nx * dx + ny * dy < SHARPEST_TURN:
                            nx, ny = dx, dy
                        mx, my = dx + nx, dy + ny
                        norm = np.sqrt(mx * mx + my * my)
                        dx, dy = mx / norm, my / norm
                    tx, ty = x + reach * dx, y + reach * dy
                    sy, sx = min(max(int(ty / step), 0), h - 1), min(max(int(tx / step), 0), w - 1)
                    there = colours[sy, sx]
                    if bordered:
                        gone = walk(labels, slopes, jump, x, y, dx, dy, reach)
                        if gone < reach:
                            ended = True
                            gone = min(gone + overhang, reach)
                            x, y = x + gone * dx, y + gone * dy
                        else:
                            label = labels[
                                min(max(int(ty), 0), labels.shape[0] - 1), min(max(int(tx), 0), labels.shape[1] - 1)
                            ]
                            if second_side(cell_labels, sy, sx, label):
                                there = others[sy, sx]
                    if not ended:
                        apart = 0.0
                        for c in range(3):
                            apart += abs(there[c] - own[c])
                        if apart > COLOUR_STEP:
                            ended = True
                            part = 0.35 if k > 1 else 0.6
                            x, y = x + part * reach * dx, y + part * reach * dy
                        else:
                            x, y = tx, ty
                    x, y = snap(x), snap(y)
                at = middle + way * k
                paths[n, at, 0], paths[n, at, 1] = x, y
    return paths


@numba.njit(cache=True, inline="always")
def second_side(cell_labels: np.ndarray, y: int, x: int, label: float) -> bool:
    """Whether a label is nearer to that of a cell's second surface; a cell of one surface has 0 pixels of another."""
    return abs(cell_labels[y, x, 1] - label) < abs(cell_labels[y, x, 0] - label)


def sample_map(picture: np.ndarray, places: np.ndarray, height: int, width: int) -> np.ndarray:
    """Values (n,) of a map (h, w) over a canvas of (height, width) at places (n, 2), the nearest each."""
    rows, columns = picture.shape
    y = np.clip((places[:, 1] * (rows / height)).astype(np.int64), 0, rows - 1)
    x = np.clip((places[:, 0] * (columns / width)).astype(np.int64), 0, columns - 1)
    return np.asarray(picture[y, x], np.float32)


def tangents(paths: np.ndarray) -> np.ndarray:
    """(n, 2), of length 1, at the middle of each path."""
    middle = POINTS // 2
    along = paths[:, middle + 1] - paths[:, middle - 1]
    length = np.sqrt((along * along).sum(1, keepdims=True))
    return np.asarray(along / np.maximum(length, 1e-6), np.float32)
