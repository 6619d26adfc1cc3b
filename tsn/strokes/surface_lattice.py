"""Anchors of strokes on the surface itself: points of a lattice on its coordinates, found again in every frame.

A lattice has one jittered point in each cell. Its octaves halve the cells, and together they are nested: what is wanted
at some scale contains all that was wanted at a coarser one, so when a camera moves in, strokes come in between and none
goes (Praun et al., "Real-time hatching", SIGGRAPH 2001; Bénard et al., "Dynamic solid textures", EG 2009). Each anchor
has its own `level`, a continuous number of octaves, from which on it is there: they come one by one, not in waves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from tsn.strokes.easing import smoothstep
from tsn.strokes.hashing import derive_key, uniform
from tsn.strokes.placement import CELL, snap
from tsn.strokes.surface_field import SurfaceField

OWN = 0.75
"""Share of an octave's cells that have an anchor; the coarser octaves have the others (1/4, 1/16 ... add up)."""
COARSER = 2
"""Octaves above the one wanted whose anchors are still there; 1/64 of all are coarser than that."""
EARLY = 0.3
"""Octaves by which an anchor is found before its level is reached, so that its weights have a past."""
THICKNESS, FADE = 0.5, 0.1
"""In space, anchors lie beside the surface and are moved onto it: up to the first, in cells, fading over the second.
A slab as thick as a cell has one anchor for each square of the cell's side, however the surface lies in the lattice."""
GRAZING, FACING = 0.03, 0.1
"""Ratio of a pixel's footprint between which anchors fade in."""
TWIN_PX = 4.0
"""At 360 lines: two finds of one anchor that are farther apart are two places with equal coordinates, and both stay."""


@dataclass(frozen=True, kw_only=True)
class Anchors:
    """The anchors of a layer in one frame, by rising key; keys repeat where coordinates do.

    Attributes:
        keys: (n,) uint64.
        places: (n, 2) float32, pixels, see `placement.snap`; up to the field's margin outside of the picture.
        slopes: (n, 3, 2) float32, see `SurfaceField`.
        levels: (n,) float32, octaves from which on they are wanted, of cells of one unit.
        depths: (n,) float32, octaves wanted here, minus the level.
        facing: (n,) float32 in 0..1: less where the surface grazes or is far from the anchor.
    """

    keys: np.ndarray
    places: np.ndarray
    slopes: np.ndarray
    levels: np.ndarray
    depths: np.ndarray
    facing: np.ndarray


def find_anchors(key: int, field: SurfaceField, spacings: np.ndarray, scale: float) -> Anchors:
    """Anchors of a lattice in a frame.

    Args:
        key: uint64, of the layer.
        spacings: (R, C), of strokes at the field's nodes, pixels; 0 where none is wanted.
        scale: pixels that a pixel at 360 lines is.
    """
    with np.errstate(divide="ignore"):
        octaves = -np.log2(CELL * spacings * field.units).astype(np.float32)
    found = _find(
        np.uint64(key), field.values, field.slopes, field.units, field.ratio, field.labels,
        octaves,
        field.step, field.left, field.top, field.solid, TWIN_PX * scale,
    )  # fmt: skip
    order = np.argsort(found[0], kind="stable")
    keys, places, slopes, levels, depths, facing = (np.ascontiguousarray(part[order]) for part in found)
    return Anchors(keys=keys, places=places, slopes=slopes, levels=levels, depths=depths, facing=facing)


@numba.njit(cache=True)
def _offset(slopes: np.ndarray, r: int, c: int, d0: float, d1: float, d2: float) -> tuple[float, float, float]:
    """Pixels to the right and down from a node to the point of its plane nearest to it plus d, and how far that is."""
    uu = slopes[r, c, 0, 0] ** 2 + slopes[r, c, 1, 0] ** 2 + slopes[r, c, 2, 0] ** 2
    vv = slopes[r, c, 0, 1] ** 2 + slopes[r, c, 1, 1] ** 2 + slopes[r, c, 2, 1] ** 2
    uv = (
        slopes[r, c, 0, 0] * slopes[r, c, 0, 1]
        + slopes[r, c, 1, 0] * slopes[r, c, 1, 1]
        + slopes[r, c, 2, 0] * slopes[r, c, 2, 1]
    )
    a = slopes[r, c, 0, 0] * d0 + slopes[r, c, 1, 0] * d1 + slopes[r, c, 2, 0] * d2
    b = slopes[r, c, 0, 1] * d0 + slopes[r, c, 1, 1] * d1 + slopes[r, c, 2, 1] * d2
    det = uu * vv - uv * uv
    x, y = (vv * a - uv * b) / det, (uu * b - uv * a) / det
    n0 = d0 - slopes[r, c, 0, 0] * x - slopes[r, c, 0, 1] * y
    n1 = d1 - slopes[r, c, 1, 0] * x - slopes[r, c, 1, 1] * y
    n2 = d2 - slopes[r, c, 2, 0] * x - slopes[r, c, 2, 1] * y
    return x, y, np.sqrt(n0 * n0 + n1 * n1 + n2 * n2)


@numba.njit(cache=True)
def _cell(parent: np.uint64, i: int, j: int, k: int) -> tuple[np.uint64, float, float, float, float, float]:
    """A cell's key, chance that it has an anchor, where in the cell (three shares), and when in its octave it comes."""
    key = derive_key(derive_key(derive_key(parent, i), j), k)
    return key, uniform(key, 0), uniform(key, 1), uniform(key, 2), uniform(key, 3), uniform(key, 4)


@numba.njit(cache=True)
def _put(
    slots: np.ndarray, keys: np.ndarray, places: np.ndarray, key: np.uint64, x: float, y: float, near: float
) -> tuple[int, int]:
    """Slot of a key in an open table, and the number of its anchor at (x, y); -1 = none there."""
    slot = np.int64(key % np.uint64(len(slots)))
    while True:
        n = slots[slot]
        if n < 0 or (keys[n] == key and abs(places[n, 0] - x) + abs(places[n, 1] - y) < near):
            return int(slot), int(n)
        slot = (slot + 1) % len(slots)


@numba.njit(cache=True)
def _find(
    key: np.uint64,
    values: np.ndarray,
    slopes: np.ndarray,
    units: np.ndarray,
    ratio: np.ndarray,
    labels: np.ndarray,
    octaves: np.ndarray,
    step: int,
    left: float,
    top: float,
    solid: bool,
    twin_px: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """See `Anchors`; in the order of the nodes that find them. `octaves` (R, C) are wanted at the nodes."""
    rows, columns = units.shape
    room = 1024
    slots = np.full(2 * room, -1, np.int32)
    keys, homes = np.empty(room, np.uint64), np.empty((room, 2), np.int32)
    places, stats = np.empty((room, 2), np.float64), np.empty((room, 4), np.float64)
    count = 0
    for r in range(rows):
        for c in range(columns):
            if units[r, c] == 0 or ratio[r, c] <= GRAZING or octaves[r, c] == np.inf:
                continue
            octave = int(np.floor(octaves[r, c] + EARLY)) + 1
            for level in range(octave - COARSER - 2, octave + 1):
                side = 2.0**-level
                # The larger the cells are on screen, the fewer nodes find all their anchors.
                stride, reach = 1, side / units[r, c] / (4 * step)
                while stride < 4 and 2 * stride <= reach:
                    stride *= 2
                if r % stride or c % stride:
                    continue
                own = derive_key(derive_key(key, int(labels[r, c])), level + 1024)
                i0 = int(np.floor(values[r, c, 0] / side - 0.5))
                j0 = int(np.floor(values[r, c, 1] / side - 0.5))
                k0 = int(np.floor(values[r, c, 2] / side - 0.5)) if solid else 0
                for corner in range(8 if solid else 4):
                    i, j, k = i0 + (corner & 1), j0 + (corner >> 1 & 1), k0 + (corner >> 2)
                    cell, chance, s0, s1, s2, late = _cell(own, i, j, k)
                    if chance >= OWN:
                        continue
                    a0, a1, a2 = (i + s0) * side, (j + s1) * side, (k + s2) * side if solid else 0.0
                    x, y, away = _offset(slopes, r, c, a0 - values[r, c, 0], a1 - values[r, c, 1], a2 - values[r, c, 2])
                    near = 0.7 * stride * step
                    if abs(x) > near or abs(y) > near or away >= THICKNESS * side:
                        continue
                    # From node to node to the one that is nearest to the anchor.
                    hr, hc = r, c
                    for _ in range(4):
                        tr, tc = hr + int(np.rint(y / step)), hc + int(np.rint(x / step))
                        inside = 0 <= tr < rows and 0 <= tc < columns
                        if (tr == hr and tc == hc) or not inside or labels[tr, tc] != labels[r, c]:
                            break
                        hr, hc = tr, tc
                        x, y, away = _offset(
                            slopes, hr, hc, a0 - values[hr, hc, 0], a1 - values[hr, hc, 1], a2 - values[hr, hc, 2]
                        )
                    if (
                        abs(x) > step
                        or abs(y) > step
                        or away >= THICKNESS * side
                        or ratio[hr, hc] <= GRAZING
                        or octaves[hr, hc] == np.inf
                    ):
                        continue
                    born = level - 1 + np.log2(1 + 3 * late) / 2
                    depth = octaves[hr, hc] - born
                    if depth < -EARLY or depth > COARSER + 1:
                        continue
                    x, y = snap(left + hc * step + x), snap(top + hr * step + y)
                    # The same place is kept once, by the plane that is nearest to the anchor.
                    slot, n = _put(slots, keys, places, cell, x, y, twin_px)
                    if n >= 0 and stats[n, 3] <= away:
                        continue
                    if n < 0:
                        n = count
                        count += 1
                        slots[slot] = n
                    facing = smoothstep((ratio[hr, hc] - GRAZING) / (FACING - GRAZING))
                    facing *= smoothstep((THICKNESS - away / side) / FADE)
                    keys[n], places[n, 0], places[n, 1], homes[n, 0], homes[n, 1] = cell, x, y, hr, hc
                    stats[n, 0], stats[n, 1], stats[n, 2], stats[n, 3] = born, depth, facing, away
                    if count == room:
                        room *= 2
                        keys, homes = np.concatenate((keys, keys)), np.concatenate((homes, homes))
                        places, stats = np.concatenate((places, places)), np.concatenate((stats, stats))
                        slots = np.full(2 * room, -1, np.int32)
                        for m in range(count):
                            slot, _ = _put(slots, keys, places, keys[m], np.inf, np.inf, 0.0)
                            slots[slot] = m
    planes = np.empty((count, 3, 2), np.float32)
    for n in range(count):
        planes[n] = slopes[homes[n, 0], homes[n, 1]]
    stats = stats[:count].astype(np.float32)
    return (
        keys[:count].copy(),
        places[:count].astype(np.float32),
        planes,
        stats[:, 0].copy(),
        stats[:, 1].copy(),
        stats[:, 2].copy(),
    )
