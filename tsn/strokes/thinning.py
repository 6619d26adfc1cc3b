"""How far each stroke shows in a frame: it fades in and out over its life, and gives way to those it crowds."""

from __future__ import annotations

import numba
import numpy as np

from tsn.strokes.easing import smoothstep

STRETCH = 1.45
"""Strokes may follow each other more closely along their direction than beside each other: distances count by this
factor across a stroke, and by its inverse along it."""


@numba.njit(cache=True)
def thin_strokes(
    centres: np.ndarray, tangents: np.ndarray, base: np.ndarray, order: np.ndarray, spacings: np.ndarray
) -> np.ndarray:
    """Weights (n,) in [0, 1]: base weight, times what stronger neighbours leave; continuous in all that moves.

    In `order`, w_i = base_i * product over earlier neighbours j of (1 - w_j (1 - smoothstep(s / 2, s, d))),
    d being measured shorter along stroke j and longer across it, and s the mean of the spacings of both.

    Args:
        centres, tangents: (n, 2), pixels, and of length 1.
        base: (n,), weights before thinning.
        order: indices (n,), the strongest first.
        spacings: (n,), pixels.
    """
    count = len(base)
    weights = np.zeros(count, np.float32)
    if count == 0:
        return weights
    reach = spacings.max() * STRETCH
    left, top = centres[:, 0].min(), centres[:, 1].min()
    columns = int((centres[:, 0].max() - left) / reach) + 1
    rows = int((centres[:, 1].max() - top) / reach) + 1
    head = np.full(rows * columns, -1, np.int32)
    link = np.full(count, -1, np.int32)
    for k in range(count):
        i = order[k]
        x, y = centres[i, 0], centres[i, 1]
        cx, cy = int((x - left) / reach), int((y - top) / reach)
        weight = base[i]
        for gy in range(max(cy - 1, 0), min(cy + 2, rows)):
            for gx in range(max(cx - 1, 0), min(cx + 2, columns)):
                j = head[gy * columns + gx]
                while j >= 0 and weight > 1e-3:
                    dx, dy = x - centres[j, 0], y - centres[j, 1]
                    along = (dx * tangents[j, 0] + dy * tangents[j, 1]) / STRETCH
                    across = (dy * tangents[j, 0] - dx * tangents[j, 1]) * STRETCH
                    d = np.sqrt(along * along + across * across)
                    spacing = 0.5 * (spacings[i] + spacings[j])
                    if d < spacing:
                        weight *= 1 - weights[j] * (1 - smoothstep((d / spacing - 0.5) * 2))
                    j = link[j]
        if weight > 1e-3:
            weights[i] = weight
            link[i] = head[cy * columns + cx]
            head[cy * columns + cx] = i
    return weights
