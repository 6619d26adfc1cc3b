"""Guided patch synthesis in the manner of EbSynth, as a baseline: a key's paint laid out anew for another frame.

Own implementation, after what is published: Jamriska et al., "Stylizing video by example", SIGGRAPH 2019, and Fiser et
al., "StyLit", SIGGRAPH 2016; the search is PatchMatch (Barnes et al. 2009). Coarse to fine, each 5x5 patch of the
target looks for the patch of the key whose guides and whose paint fit best; then every pixel becomes the mean of what
all patches over it say. Guides are the plate's colours, and the place in the key where motion says that the pixel was.
"""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit

LEVELS, ROUNDS, HALF_PATCH = 4, 4, 2
COLOUR_WEIGHT, PLACE_WEIGHT = 2.0, 2.0
PLACE_PX = 40.0
"""Distance in the key that counts as much as a difference from black to white."""


def synthesise(
    key_plate: np.ndarray, key_paint: np.ndarray, plate: np.ndarray, place: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """Lay out a key's paint for another frame.

    Args:
        key_plate, key_paint: (H, W, 3) in [0, 1].
        plate: of the other frame.
        place: (x, y) in the key of each of its pixels, (H, W, 2).
        known: how far that is to be trusted, (H, W) in [0, 1].

    Returns:
        (H, W, 3).
    """
    height, width = plate.shape[:2]
    field = np.round(place).astype(np.int32)
    painted = None
    for level in reversed(range(LEVELS)):
        size = max(8, width >> level), max(8, height >> level)
        small = [cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (key_plate, key_paint, plate, place, known)]
        source_plate, source_paint, target_plate, where, trust = (x.astype(np.float32) for x in small)
        scale = np.array([size[0] / width, size[1] / height], np.float32)
        if painted is None:
            place_x, place_y = (np.ascontiguousarray((where * scale)[..., axis]) for axis in (0, 1))
            field = np.round(where * scale).astype(np.int32)
            painted = cv2.remap(source_paint, place_x, place_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        else:
            field = 2 * cv2.resize(field.astype(np.float32), size, interpolation=cv2.INTER_NEAREST).astype(np.int32)
            painted = cv2.resize(painted, size, interpolation=cv2.INTER_LINEAR)
        expected = where * scale
        for round_ in range(ROUNDS):
            _search(
                field,
                source_plate,
                source_paint,
                target_plate,
                painted,
                expected,
                trust,
                PLACE_PX * size[0] / width,
                round_,
            )
            painted = _vote(field, source_paint)
    assert painted is not None
    return painted


@njit(cache=True)
def _cost(
    y: int,
    x: int,
    v: int,
    u: int,
    source_plate: np.ndarray,
    source_paint: np.ndarray,
    target_plate: np.ndarray,
    painted: np.ndarray,
    expected: np.ndarray,
    trust: np.ndarray,
    place_px: float,
    best: float,
) -> float:
    height, width = target_plate.shape[:2]
    tall, wide = source_plate.shape[:2]
    away = ((expected[y, x, 0] - u) ** 2 + (expected[y, x, 1] - v) ** 2) / (place_px * place_px)
    total: float = 25 * PLACE_WEIGHT * trust[y, x] * min(away, 4.0)
    for dy in range(-HALF_PATCH, HALF_PATCH + 1):
        ty, sy = min(max(y + dy, 0), height - 1), min(max(v + dy, 0), tall - 1)
        for dx in range(-HALF_PATCH, HALF_PATCH + 1):
            tx, sx = min(max(x + dx, 0), width - 1), min(max(u + dx, 0), wide - 1)
            for c in range(3):
                guide = target_plate[ty, tx, c] - source_plate[sy, sx, c]
                style = painted[ty, tx, c] - source_paint[sy, sx, c]
                total += COLOUR_WEIGHT * guide * guide + style * style
        if total >= best:
            return total
    return total


@njit(cache=True)
def _search(
    field: np.ndarray,
    source_plate: np.ndarray,
    source_paint: np.ndarray,
    target_plate: np.ndarray,
    painted: np.ndarray,
    expected: np.ndarray,
    trust: np.ndarray,
    place_px: float,
    seed: int,
) -> None:
    np.random.seed(seed)
    height, width = target_plate.shape[:2]
    tall, wide = source_plate.shape[:2]
    forward = seed % 2 == 0
    step = 1 if forward else -1
    for j in range(height):
        y = j if forward else height - 1 - j
        for i in range(width):
            x = i if forward else width - 1 - i
            u, v = min(max(field[y, x, 0], 0), wide - 1), min(max(field[y, x, 1], 0), tall - 1)
            best = _cost(y, x, v, u, source_plate, source_paint, target_plate, painted, expected, trust, place_px, 1e30)
            for k in range(2):
                ny, nx = (y - step, x) if k == 0 else (y, x - step)
                if 0 <= ny < height and 0 <= nx < width:
                    cu = min(max(field[ny, nx, 0] + x - nx, 0), wide - 1)
                    cv = min(max(field[ny, nx, 1] + y - ny, 0), tall - 1)
                    cost = _cost(
                        y, x, cv, cu, source_plate, source_paint, target_plate, painted, expected, trust, place_px, best
                    )
                    if cost < best:
                        best, u, v = cost, cu, cv
            radius = max(tall, wide)
            while radius >= 1:
                cu = min(max(u + np.random.randint(-radius, radius + 1), 0), wide - 1)
                cv = min(max(v + np.random.randint(-radius, radius + 1), 0), tall - 1)
                cost = _cost(
                    y, x, cv, cu, source_plate, source_paint, target_plate, painted, expected, trust, place_px, best
                )
                if cost < best:
                    best, u, v = cost, cu, cv
                radius //= 3
            field[y, x, 0], field[y, x, 1] = u, v


@njit(cache=True)
def _vote(
    field: np.ndarray,
    source_paint: np.ndarray,
) -> np.ndarray:
    height, width = field.shape[:2]
    tall, wide = source_paint.shape[:2]
    out = np.zeros((height, width, 3), np.float32)
    for y in range(height):
        for x in range(width):
            count = 0
            for dy in range(-HALF_PATCH, HALF_PATCH + 1):
                for dx in range(-HALF_PATCH, HALF_PATCH + 1):
                    ny, nx = y + dy, x + dx
                    if 0 <= ny < height and 0 <= nx < width:
                        sy, sx = field[ny, nx, 1] - dy, field[ny, nx, 0] - dx
                        if 0 <= sy < tall and 0 <= sx < wide:
                            count += 1
                            for c in range(3):
                                out[y, x, c] += source_paint[sy, sx, c]
            if count == 0:
                sy, sx = min(max(field[y, x, 1], 0), tall - 1), min(max(field[y, x, 0], 0), wide - 1)
                out[y, x] = source_paint[sy, sx]
            else:
                out[y, x] /= count
    return out
