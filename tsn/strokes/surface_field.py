"""The surface that a frame shows, as small planes: coordinates on it and their change per pixel, free of the noise of a
renderer's samples.

A renderer writes for each pixel a place on the surface (UV, rest position, world position), often that of one random
sample in the pixel, and mixes surfaces along outlines. So a plane is fitted around every node of a grid, to those
pixels only that continue its own surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

STEP_PX, MARGIN_PX = 2, 48
"""At 360 lines: between nodes, and of surface continued beyond the picture, so that strokes cross its border."""
LARGEST = 1e9
"""Coordinates beyond it are no places."""
FEWEST = 9
"""Pixels (of 25) that a plane needs."""
SAMPLE, BEND = 0.75, 0.35
"""A pixel continues the surface if it is off its plane by no more than the first, in pixels, plus the second times its
distance: a sample lies anywhere in its pixel, and forms are curved."""
HALF_FLOAT = 2.0**-11
"""Coordinates may have been rounded to this share of them."""
THINNEST = 1e-3
"""Ratio of the two axes of a pixel's footprint on the surface, below which no plane is taken for seen."""


@dataclass(frozen=True, kw_only=True)
class SurfaceField:
    """Planes on a grid of nodes over a frame and a margin around it.

    Attributes:
        values: (R, C, 3) float32, surface coordinates at the nodes; the third is 0 on UVs.
        slopes: (R, C, 3, 2) float32, their change per pixel to the right and down.
        units: (R, C) float32, surface units per pixel, the mean of both axes; 0 = no surface here.
        ratio: (R, C) float32 in 0..1, of the shorter axis of a pixel's footprint to the longer: small = grazing.
        labels: (R, C) uint64, of the object, and on UVs of the side that they are seen from (mirrored islands).
        step: pixels between nodes.
        left, top: x and y of the first node, pixels.
        solid: coordinates are places in space, not on a chart.
    """

    values: np.ndarray
    slopes: np.ndarray
    units: np.ndarray
    ratio: np.ndarray
    labels: np.ndarray
    step: int
    left: float
    top: float
    solid: bool

    def places(self) -> np.ndarray:
        """(R, C, 2) float32, x and y of the nodes, pixels; outside of the picture in the margin."""
        rows, columns = self.units.shape
        x = self.left + self.step * np.arange(columns, dtype=np.float32)
        y = self.top + self.step * np.arange(rows, dtype=np.float32)
        return np.stack(np.broadcast_arrays(x[None], y[:, None]), 2)


def fit_surface(
    surface: np.ndarray,
    ids: np.ndarray | None,
    scale: float,
    *,
    origin: tuple[int, int] = (0, 0),
    continued: bool = True,
) -> SurfaceField:
    """Planes of a surface layer.

    Args:
        surface: (2 or 3, H, W); what is not finite is no surface.
        ids: (H, W) uint32 of the objects, 0 = none; None where they are not known.
        scale: pixels that a pixel at 360 lines is.
        origin: (x, y) of the layer in the display window, pixels: the nodes do not move with the data window.
        continued: the surface goes on beyond the layer's border, in a margin; else there is nothing.
    """
    step = max(1, round(STEP_PX * scale))
    height, width = surface.shape[1:]
    margin = min(round(MARGIN_PX * scale), height - 1, width - 1) if continued else 0
    places = np.zeros((height, width, 3), np.float32)
    places[..., : len(surface)] = np.moveaxis(surface, 0, 2)
    with np.errstate(invalid="ignore"):
        places[~(np.abs(places) < LARGEST).all(2)] = np.nan
    objects = np.ones((height, width), np.uint32) if ids is None else ids
    # Continued by a half turn about its border, a plane stays a plane, and no place or slope jumps there.
    around = ((margin, margin), (margin, margin))
    places = np.pad(places, (*around, (0, 0)), mode="reflect", reflect_type="odd")
    mirrored, nearest = np.pad(objects, around, mode="reflect"), np.pad(objects, around, mode="edge")
    objects = np.where(mirrored == nearest, mirrored, 0).astype(np.uint32)
    solid = len(surface) == 3
    first = [(step // 2 - start + margin) % step for start in origin]
    found = _fit(np.ascontiguousarray(places), np.ascontiguousarray(objects), step, first[0], first[1], solid)
    return SurfaceField(
        values=found[0], slopes=found[1], units=found[2], ratio=found[3], labels=found[4],
        step=step, left=first[0] + 0.5 - margin, top=first[1] + 0.5 - margin, solid=solid,
    )  # fmt: skip


@numba.njit(cache=True)
def _fit(
    places: np.ndarray, objects: np.ndarray, step: int, first_x: int, first_y: int, solid: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """See `SurfaceField`; pixels are chosen by the differences to the node's neighbours, then again by the plane."""
    height, width = objects.shape
    rows, columns = (height - 1 - first_y) // step + 1, (width - 1 - first_x) // step + 1
    values = np.zeros((rows, columns, 3), np.float32)
    slopes = np.zeros((rows, columns, 3, 2), np.float32)
    units = np.zeros((rows, columns), np.float32)
    ratio = np.zeros((rows, columns), np.float32)
    labels = np.zeros((rows, columns), np.uint64)
    slope = np.zeros((3, 2))
    middle = np.zeros(3)
    sums = np.zeros((3, 3))
    gap = max(step, 2)  # between the pixels of a window of 5 x 5, as a share of it
    stride = max(1, gap // 2)
    for r in range(rows):
        for c in range(columns):
            y, x = first_y + r * step, first_x + c * step
            if objects[y, x] == 0 or not np.isfinite(places[y, x, 0]):
                continue
            known = True
            for axis in range(2):
                best = np.inf
                for way in (-gap, gap):
                    qy, qx = (y, x + way) if axis == 0 else (y + way, x)
                    if qy < 0 or qx < 0 or qy >= height or qx >= width or objects[qy, qx] != objects[y, x]:
                        continue
                    size = 0.0
                    for i in range(3):
                        size += (places[qy, qx, i] - places[y, x, i]) ** 2
                    if size < best:  # never true of NaN
                        best = size
                        for i in range(3):
                            slope[i, axis] = (places[qy, qx, i] - places[y, x, i]) / way
                known = known and best < np.inf
            if not known:
                continue
            for i in range(3):
                middle[i] = places[y, x, i]
            for _ in range(2):
                size = max((slope[:, 0] ** 2).sum(), (slope[:, 1] ** 2).sum()) ** 0.5
                rounding = 2 * HALF_FLOAT * np.abs(middle).max()
                n, mx, my, xx, xy, yy = 0, 0.0, 0.0, 0.0, 0.0, 0.0
                sums[:] = 0
                for dy in range(-2 * stride, 2 * stride + 1, stride):
                    for dx in range(-2 * stride, 2 * stride + 1, stride):
                        qy, qx = y + dy, x + dx
                        if qy < 0 or qx < 0 or qy >= height or qx >= width or objects[qy, qx] != objects[y, x]:
                            continue
                        off = 0.0
                        for i in range(3):
                            off += (places[qy, qx, i] - middle[i] - slope[i, 0] * dx - slope[i, 1] * dy) ** 2
                        if not off <= ((SAMPLE + BEND * (dx * dx + dy * dy) ** 0.5) * size + rounding) ** 2:
                            continue
                        n += 1
                        mx += dx
                        my += dy
                        xx += dx * dx
                        xy += dx * dy
                        yy += dy * dy
                        for i in range(3):
                            # Relative to the middle: coordinates far from 0 would lose their digits in the sums.
                            value = places[qy, qx, i] - middle[i]
                            sums[i, 0] += value
                            sums[i, 1] += value * dx
                            sums[i, 2] += value * dy
                known = n >= FEWEST
                if not known:
                    break
                mx, my = mx / n, my / n
                xx, xy, yy = xx - n * mx * mx, xy - n * mx * my, yy - n * my * my
                det = xx * yy - xy * xy
                known = det > 4.0 * n * stride**4 / 25
                if not known:
                    break
                for i in range(3):
                    a, b = sums[i, 1] - mx * sums[i, 0], sums[i, 2] - my * sums[i, 0]
                    slope[i, 0], slope[i, 1] = (yy * a - xy * b) / det, (xx * b - xy * a) / det
                    middle[i] += sums[i, 0] / n - slope[i, 0] * mx - slope[i, 1] * my
            if not known:
                continue
            uu, vv, uv = (slope[:, 0] ** 2).sum(), (slope[:, 1] ** 2).sum(), (slope[:, 0] * slope[:, 1]).sum()
            half = (uu + vv) / 2
            root = (((uu - vv) / 2) ** 2 + uv * uv) ** 0.5
            long, short = (half + root) ** 0.5, max(half - root, 0.0) ** 0.5
            if not short > THINNEST * long or not long > 1e-7 * (1 + np.abs(middle).max()):
                continue
            labels[r, c] = np.uint64(objects[y, x])
            if not solid and slope[0, 0] * slope[1, 1] < slope[0, 1] * slope[1, 0]:
                labels[r, c] |= np.uint64(1) << np.uint64(32)
            units[r, c], ratio[r, c] = (long * short) ** 0.5, short / long
            for i in range(3):
                values[r, c, i] = middle[i]
                slopes[r, c, i, 0], slopes[r, c, i, 1] = slope[i, 0], slope[i, 1]
    return values, slopes, units, ratio, labels
