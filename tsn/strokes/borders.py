"""Where one surface ends and another begins, by the render's object ids or else by its depth.

Both become one map of labels: a surface is where labels continue as predicted. An id predicts itself; log depth
predicts the plane of its slope (min-mod of the one-sided differences, which never looks across a border), so that a
floor that recedes is one surface and what stands before it another.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numba
import numpy as np

from tsn.strokes.easing import smoothstep

DEPTH_TOLERANCE = 0.06
"""Of log depth: what differs by less from a stroke's plane is of its surface, from twice as much on it is not."""
DEPTH_JUMP = 0.04
"""Of log depth from one step of a path to the next, beyond the slope, at which the path has left its surface."""
DEPTH_REACH = 0.25
"""Largest change of log depth that a slope predicts: slopes beside borders can be wrong."""
FAR = np.float32(100)
"""Label of pixels that have no depth, such as a sky."""
ID_TOLERANCE = 0.25
MIXED_WEIGHT = 0.05
OUTLINE_FROM = 0.2
"""Share of the binomial neighbourhood of 5 x 5 pixels from which on a surface shows: narrows 3 pixels to 1.5."""
CLUSTERS = 4
"""Surfaces told apart in one cell; of a fifth no colour is taken."""
CELL_SAMPLES = 4
"""Along a side of a cell: strokes gather dozens of cells, and need no more of each."""


@dataclass(frozen=True, kw_only=True)
class Borders:
    """Labels of a frame's pixels.

    Attributes:
        labels: float32 (H, W), see `label_ids` and `label_depth`; (0, 0) where neither is known: all is one surface.
        slopes: float32 (2, H, W), change of the label for a pixel to the right and down; (2, 0, 0) for ids.
        tolerance: see `DEPTH_TOLERANCE`.
        jump: see `DEPTH_JUMP`.
    """

    labels: np.ndarray
    slopes: np.ndarray
    tolerance: float
    jump: float


@dataclass(frozen=True, kw_only=True)
class Sides:
    """What cells of a reduced picture hold beside their largest surface. All are (0, ...) without borders.

    Attributes:
        others: float32 (h, w, 3), mean colour of the second largest surface.
        labels, shares: float32 (h, w, 2), mean label and share of the pixels, of the largest and the second; a cell
            without a second has the largest's label twice.
    """

    others: np.ndarray
    labels: np.ndarray
    shares: np.ndarray


NO_BORDERS = Borders(
    labels=np.zeros((0, 0), np.float32), slopes=np.zeros((2, 0, 0), np.float32), tolerance=ID_TOLERANCE, jump=1.0
)
NO_SIDES = Sides(
    others=np.zeros((0, 0, 3), np.float32),
    labels=np.zeros((0, 0, 2), np.float32),
    shares=np.zeros((0, 0, 2), np.float32),
)
NO_OUTLINE = (np.zeros((0, 0, 2), np.float32), np.zeros((0, 0, 2), np.float32), np.zeros((0, 0), np.float32))
"""What `outline` gives where there are no borders."""


def label_ids(ids: np.ndarray) -> np.ndarray:
    """Ids (H, W) uint32 as float32, which holds 24 bits: a multiplicative hash, in which two of 100 objects are taken
    for one by a chance of 1 in 3000."""
    return ((ids.astype(np.uint32) * np.uint32(0x9E3779B1)) >> np.uint32(8)).astype(np.float32)


def label_depth(depth: np.ndarray) -> np.ndarray:
    """Log of depth (H, W). What has none (NaN, inf, zero and below) is farther than all else."""
    there = np.isfinite(depth) & (depth > 0)
    return np.where(there, np.log(np.where(there, depth, 1), dtype=np.float32), FAR).astype(np.float32)


def find_borders(ids: np.ndarray | None, depth: np.ndarray | None) -> Borders:
    """Borders by ids, else by depth, else none. A depth that is the same everywhere has none."""
    if ids is not None:
        labels = label_ids(ids)
        return Borders(labels=labels, slopes=NO_BORDERS.slopes, tolerance=ID_TOLERANCE, jump=ID_TOLERANCE)
    if depth is not None:
        labels = label_depth(depth)
        slopes = np.stack([_min_mod(labels, 1), _min_mod(labels, 0)])
        return Borders(labels=labels, slopes=slopes, tolerance=DEPTH_TOLERANCE, jump=DEPTH_JUMP)
    return NO_BORDERS


def _min_mod(labels: np.ndarray, axis: int) -> np.ndarray:
    """The smaller of the differences to both neighbours where they have the same sign, else 0."""
    pads = [(1, 1) if each == axis else (0, 0) for each in range(2)]
    padded = np.pad(labels, pads, mode="edge")
    step = np.diff(padded, axis=axis)
    before, after = (step[:-1], step[1:]) if axis == 0 else (step[:, :-1], step[:, 1:])
    least = np.minimum(np.abs(before), np.abs(after))
    return np.where(before * after > 0, np.sign(before) * least, np.float32(0)).astype(np.float32)


@numba.njit(cache=True, inline="always")
def belongs(label: float, own: float, tolerance: float) -> float:
    """How far a label is of the surface whose label is `own` there: 1 within the tolerance, 0 from twice that on."""
    return 1 - smoothstep(abs(label - own) / tolerance - 1)


@numba.njit(cache=True, inline="always")
def predict(planes: np.ndarray, n: int, dx: float, dy: float) -> float:
    """The label of stroke `n` at (dx, dy) from its middle."""
    change = planes[n, 1] * dx + planes[n, 2] * dy
    return planes[n, 0] + min(max(change, -DEPTH_REACH), DEPTH_REACH)


@numba.njit(cache=True)
def find_planes(paths: np.ndarray, own: np.ndarray, labels: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Planes (n, 3) float32 of the strokes of a frame: label at the middle, and its change for a pixel in x and y.

    The depth of a surface changes little over a stroke's life, and a lot from it to what hides it: the point of a
    stroke where the depth is nearest to that of its birth lies on its surface.

    Args:
        own: (n,), labels where the strokes were laid.
        labels, slopes: see `Borders`. Without slopes, labels are those of the birth.
    """
    count, points = paths.shape[0], paths.shape[1]
    middle = points // 2
    planes = np.zeros((count, 3), np.float32)
    height, width = labels.shape
    for n in range(count):
        planes[n, 0] = own[n]
        if slopes.shape[1] == 0:
            continue
        best = DEPTH_REACH
        for i in range(points):
            y = min(max(int(np.floor(paths[n, i, 1])), 0), height - 1)
            x = min(max(int(np.floor(paths[n, i, 0])), 0), width - 1)
            off = abs(labels[y, x] - own[n])
            if off < best:
                best = off
                planes[n, 1], planes[n, 2] = slopes[0, y, x], slopes[1, y, x]
                change = planes[n, 1] * (paths[n, middle, 0] - paths[n, i, 0])
                change += planes[n, 2] * (paths[n, middle, 1] - paths[n, i, 1])
                planes[n, 0] = labels[y, x] + min(max(change, -DEPTH_REACH), DEPTH_REACH)
    return planes


@numba.njit(cache=True)
def walk(
    labels: np.ndarray, slopes: np.ndarray, jump: float, x: float, y: float, dx: float, dy: float, reach: float
) -> float:
    """How far the surface goes from (x, y) along (dx, dy), pixels: `reach` at most."""
    height, width = labels.shape
    iy, ix = min(max(int(y), 0), height - 1), min(max(int(x), 0), width - 1)
    gone = 0.0
    while gone < reach:
        step = min(1.0, reach - gone)
        expected = labels[iy, ix]
        if slopes.shape[1]:
            expected += step * (dx * slopes[0, iy, ix] + dy * slopes[1, iy, ix])
        iy = min(max(int(y + (gone + step) * dy), 0), height - 1)
        ix = min(max(int(x + (gone + step) * dx), 0), width - 1)
        if abs(labels[iy, ix] - expected) > jump:
            return gone
        gone += step
    return reach


@numba.njit(cache=True)
def split_cells(
    image: np.ndarray, labels: np.ndarray, mixed: np.ndarray, tolerance: float, step: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean colours of the two largest surfaces in each cell of `step` x `step` pixels.

    Args:
        mixed: bool (H, W): pixels beside another surface, whose colour anti-aliasing has mixed; they count little.

    Returns:
        colours (h, w, 3) of the largest, and the three arrays of `Sides`.
    """
    height, width = labels.shape
    h, w = -(-height // step), -(-width // step)
    colours, others = np.zeros((h, w, 3), np.float32), np.zeros((h, w, 3), np.float32)
    names, shares = np.zeros((h, w, 2), np.float32), np.zeros((h, w, 2), np.float32)
    sums = np.zeros((CLUSTERS, 5), np.float64)
    every = max(step // CELL_SAMPLES, 1)
    for i in range(h):
        for j in range(w):
            known = 0
            for y in range(i * step, min((i + 1) * step, height), every):
                for x in range(j * step, min((j + 1) * step, width), every):
                    label = labels[y, x]
                    k = 0
                    while k < known and abs(label - sums[k, 4] / sums[k, 3]) > tolerance:
                        k += 1
                    if k == CLUSTERS:
                        continue
                    if k == known:
                        sums[k] = 0
                        known += 1
                    weight = MIXED_WEIGHT if mixed[y, x] else 1.0
                    for c in range(3):
                        sums[k, c] += weight * image[y, x, c]
                    sums[k, 3] += weight
                    sums[k, 4] += weight * label
            first, second = 0, -1
            for k in range(1, known):
                if sums[k, 3] > sums[first, 3]:
                    first, second = k, first
                elif second < 0 or sums[k, 3] > sums[second, 3]:
                    second = k
            for c in range(3):
                colours[i, j, c] = sums[first, c] / sums[first, 3]
            total = (step // every) ** 2
            names[i, j] = sums[first, 4] / sums[first, 3]
            shares[i, j, 0] = sums[first, 3] / total
            if second >= 0:
                for c in range(3):
                    others[i, j, c] = sums[second, c] / sums[second, 3]
                names[i, j, 1], shares[i, j, 1] = sums[second, 4] / sums[second, 3], sums[second, 3] / total
    return colours, others, names, shares


def find_mixed(borders: Borders, side: int) -> np.ndarray:
    """bool (H, W): whether the `side` x `side` pixels around each are of more than one surface."""
    kernel = np.ones((side, side), np.uint8)
    most = cv2.dilate(borders.labels, kernel, borderType=cv2.BORDER_REPLICATE)
    least = cv2.erode(borders.labels, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(most - least > borders.tolerance)


def outline(borders: Borders) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Borders softened by about a pixel: no id and no depth has the anti-aliasing of the plate.

    Returns:
        labels, shares: float32 (H, W, 2), the two surfaces of a pixel's neighbourhood of 5 x 5, the pixel's own first;
            the shares add up to 1.
        away: float32 (H, W), distance from the nearest pixel whose neighbourhood has two.
    """
    labels, mixed = borders.labels, find_mixed(borders, 5)
    away = cv2.distanceTransform((~mixed).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    names, shares = _neighbourhoods(labels, mixed, borders.tolerance)
    return names, shares, away


@numba.njit(cache=True)
def _neighbourhoods(labels: np.ndarray, mixed: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    height, width = labels.shape
    names, shares = np.zeros((height, width, 2), np.float32), np.zeros((height, width, 2), np.float32)
    binomial = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    for y in range(height):
        for x in range(width):
            own = labels[y, x]
            names[y, x, 0], shares[y, x, 0] = own, 1.0
            if not mixed[y, x]:
                continue
            share, other, total = 0.0, 0.0, 0.0
            for i in range(-2, 3):
                for j in range(-2, 3):
                    label = labels[min(max(y + i, 0), height - 1), min(max(x + j, 0), width - 1)]
                    weight = binomial[i + 2] * binomial[j + 2]
                    if abs(label - own) <= tolerance:
                        share += weight
                    elif total == 0 or abs(label - other / total) <= tolerance:
                        other += weight * label
                        total += weight
            if total > 0:
                shares[y, x, 0] = smoothstep((share / (share + total) - OUTLINE_FROM) / (1 - 2 * OUTLINE_FROM))
                names[y, x, 1], shares[y, x, 1] = other / total, 1 - shares[y, x, 0]
    return names, shares
