"""Strokes rasterised front to back, tile by tile: what later strokes cover is never computed.

Bits do not depend on the number of threads: tiles are independent, and inside one the order is fixed. No fastmath,
whose sums differ from machine to machine.
"""

from __future__ import annotations

import numba
import numpy as np

from tsn.strokes.borders import belongs, predict
from tsn.strokes.easing import smoothstep

TILE = 64
OPAQUE = 1 / 512
"""A pixel through which less than this shows is finished: half a code of 8 bits."""
WIPE = 0.75
"""Share of its opacity by which a stroke wipes away the relief of the paint under it."""
CLIP_FROM, CLIP_TO = 0.22, 0.42
"""Sums over the channels of a difference in colour between which a clipped stroke fades out."""
FAINTEST = 0.004
"""Opacity below which paint is left out: one code of 8 bits."""


@numba.njit(cache=True)
def sort_into_tiles(
    paths: np.ndarray, half_widths: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """The segments of paths that may touch each tile, in the order of the strokes.

    Returns:
        starts (tiles + 1,), and entries: those from starts[t] to starts[t + 1] are of tile t, each the number of a
        stroke times the segments of a path, plus the number of the segment.
    """
    count, points = paths.shape[0], paths.shape[1]
    rows, columns = -(-height // TILE), -(-width // TILE)
    starts = np.zeros(rows * columns + 1, np.int64)
    entries = np.empty(0, np.int64)
    for turn in range(2):
        for n in range(count):
            for s in range(points - 1):
                x0 = min(paths[n, s, 0], paths[n, s + 1, 0]) - half_widths[n]
                x1 = max(paths[n, s, 0], paths[n, s + 1, 0]) + half_widths[n]
                y0 = min(paths[n, s, 1], paths[n, s + 1, 1]) - half_widths[n]
                y1 = max(paths[n, s, 1], paths[n, s + 1, 1]) + half_widths[n]
                if x1 < 0 or y1 < 0 or x0 >= width or y0 >= height:
                    continue
                for ty in range(max(int(y0) // TILE, 0), min(int(y1) // TILE + 1, rows)):
                    for tx in range(max(int(x0) // TILE, 0), min(int(x1) // TILE + 1, columns)):
                        tile = ty * columns + tx
                        if turn == 0:
                            starts[tile + 1] += 1
                        else:
                            entries[starts[tile]] = n * (points - 1) + s
                            starts[tile] += 1
        if turn == 0:
            starts = np.cumsum(starts)
            entries = np.empty(starts[-1], np.int64)
    # Filling moved every start to its end, which is the next one's start.
    return np.concatenate((np.zeros(1, np.int64), starts[:-1])), entries


@numba.njit(cache=True, parallel=True)
def paint_strokes(
    keys: np.ndarray,
    paths: np.ndarray,
    half_widths: np.ndarray,
    opacities: np.ndarray,
    colours: np.ndarray,
    plate_colours: np.ndarray,
    tip_numbers: np.ndarray,
    levels: np.ndarray,
    clipped: np.ndarray,
    tips: tuple[np.ndarray, ...],
    edge: np.ndarray,
    ground: np.ndarray,
    starts: np.ndarray,
    entries: np.ndarray,
    planes: np.ndarray,
    tolerance: float,
    labels: np.ndarray,
    shares: np.ndarray,
    away: np.ndarray,
    overhang: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Strokes over a ground: colour (H, W, 3), relief (H, W), coverage (H, W), float32; ids (H, W), uint32.

    Args:
        keys: (n,) uint64, whose upper half is a stroke's id.
        paths: (n, POINTS, 2), the topmost stroke first.
        half_widths, opacities: (n,), pixels and 0..1.
        colours, plate_colours: (n, 3): of the paint, and of the plate under the stroke.
        tip_numbers, levels: (n,) int: which brush tip, and at which of its levels.
        clipped: (n,) uint8: 1 = no paint where the plate's colour is another than `plate_colours`.
        tips: see `Tips.levels`.
        edge: (H, W, 3), the plate without its grain.
        ground: (H, W, 3), what shows between strokes.
        starts, entries: see `sort_into_tiles`.
        planes: (n, 3), see `find_planes`; with them, clipped strokes end at the outline of their surface, too.
        tolerance: see `Borders`.
        labels, shares, away: see `outline`.
        overhang: how far strokes that are not clipped may hang over an outline, pixels.
    """
    bordered, middle = len(planes) > 0, paths.shape[1] // 2
    height, width = edge.shape[0], edge.shape[1]
    points = paths.shape[1]
    rows, columns = -(-height // TILE), -(-width // TILE)
    out = np.empty((height, width, 3), np.float32)
    relief = np.empty((height, width), np.float32)
    cover = np.empty((height, width), np.float32)
    ids = np.zeros((height, width), np.uint32)
    for tile in numba.prange(rows * columns):
        top, left = (tile // columns) * TILE, (tile % columns) * TILE
        tall, wide = min(TILE, height - top), min(TILE, width - left)
        # At an outline, each of both surfaces is painted by itself, and their shares of the pixel blend them: fading
        # strokes alone would not do, since where many overlap, faint edges add up to a hard one.
        panes = 2 if bordered else 1
        through = np.ones((panes, tall, wide), np.float32)
        through_height = np.ones((panes, tall, wide), np.float32)
        colour = np.zeros((panes, tall, wide, 3), np.float32)
        thick = np.zeros((panes, tall, wide), np.float32)
        largest = np.zeros((tall, wide), np.float32)
        fits, blend = np.ones(2), np.ones(2)
        open_pixels = tall * wide
        if bordered:
            for y in range(tall):
                for x in range(wide):
                    if shares[top + y, left + x, 1] > 0:
                        open_pixels += 1
                    else:
                        through[1, y, x] = 0
        for e in range(starts[tile], starts[tile + 1]):
            if open_pixels == 0:
                break
            n, s = entries[e] // (points - 1), entries[e] % (points - 1)
            ax, ay = paths[n, s, 0], paths[n, s, 1]
            bx, by = paths[n, s + 1, 0], paths[n, s + 1, 1]
            dx, dy = bx - ax, by - ay
            long = np.sqrt(dx * dx + dy * dy)
            if long < 1e-3:
                continue
            dx /= long
            dy /= long
            half = half_widths[n]
            # Planes that halve the angle to the segment before and after, so that a pixel belongs to one of them.
            px, py, qx, qy = dx, dy, dx, dy
            if s > 0:
                ex, ey = ax - paths[n, s - 1, 0], ay - paths[n, s - 1, 1]
                el = np.sqrt(ex * ex + ey * ey)
                if el > 1e-3:
                    px, py = dx + ex / el, dy + ey / el
            if s < points - 2:
                ex, ey = paths[n, s + 2, 0] - bx, paths[n, s + 2, 1] - by
                el = np.sqrt(ex * ex + ey * ey)
                if el > 1e-3:
                    qx, qy = dx + ex / el, dy + ey / el
            x0 = max(int(np.floor(min(ax, bx) - half)) - left, 0)
            x1 = min(int(np.ceil(max(ax, bx) + half)) - left + 1, wide)
            y0 = max(int(np.floor(min(ay, by) - half)) - top, 0)
            y1 = min(int(np.ceil(max(ay, by) + half)) - top + 1, tall)
            mask = tips[levels[n]]
            mask_rows, mask_columns = mask.shape[2], mask.shape[3]
            tip = tip_numbers[n]
            strong = opacities[n]
            for y in range(y0, y1):
                for x in range(x0, x1):
                    if through[0, y, x] < OPAQUE and (panes == 1 or through[1, y, x] < OPAQUE):
                        continue
                    cx, cy = left + x + 0.5 - ax, top + y + 0.5 - ay
                    across = dx * cy - dy * cx
                    if across <= -half or across >= half:
                        continue
                    if cx * px + cy * py < 0:
                        continue
                    gx, gy = left + x + 0.5 - bx, top + y + 0.5 - by
                    if gx * qx + gy * qy >= 0:
                        continue
                    tau = (cx * dx + cy * dy) / long
                    tau = min(max(tau, 0.0), 1.0)
                    mu = (s + tau) / (points - 1) * mask_columns - 0.5
                    mv = (across / half * 0.5 + 0.5) * mask_rows - 0.5
                    u0 = int(np.floor(mu))
                    v0 = int(np.floor(mv))
                    fu, fv = mu - u0, mv - v0
                    alpha = 0.0
                    ridge = 0.0
                    for i in range(2):
                        for j in range(2):
                            uu, vv = u0 + j, v0 + i
                            if uu < 0 or vv < 0 or uu >= mask_columns or vv >= mask_rows:
                                continue
                            weight = (fv if i else 1 - fv) * (fu if j else 1 - fu)
                            alpha += weight * mask[tip, 0, vv, uu]
                            ridge += weight * mask[tip, 1, vv, uu]
                    if alpha < FAINTEST:
                        continue
                    sides = 1
                    if bordered:
                        yy, xx = top + y, left + x
                        own = predict(planes, n, xx + 0.5 - paths[n, middle, 0], yy + 0.5 - paths[n, middle, 1])
                        # Neighbourhoods reach 2 pixels beyond the outline; `away` counts from there.
                        hang = 0.0 if clipped[n] else 1 - smoothstep(2 * (away[yy, xx] + 2) / overhang - 1)
                        if shares[yy, xx, 1] > 0:
                            sides = 2
                        for side in range(sides):
                            fits[side] = max(hang, belongs(labels[yy, xx, side], own, tolerance))
                            blend[side] = shares[yy, xx, side]
                    if clipped[n] and sides == 1:  # what anti-aliasing blends is not judged by its colour
                        apart = 0.0
                        for c in range(3):
                            apart += abs(edge[top + y, left + x, c] - plate_colours[n, c])
                        alpha *= 1 - smoothstep((apart - CLIP_FROM) / (CLIP_TO - CLIP_FROM))
                    for side in range(sides):
                        paint = alpha * fits[side]
                        if paint < FAINTEST or through[side, y, x] < OPAQUE:
                            continue
                        thickness = ridge * strong * fits[side]
                        paint *= strong
                        part = through[side, y, x] * paint
                        for c in range(3):
                            colour[side, y, x, c] += part * colours[n, c]
                        if part * blend[side] > largest[y, x]:
                            largest[y, x] = part * blend[side]
                            ids[top + y, left + x] = np.uint32(keys[n] >> np.uint64(32))
                        thick[side, y, x] += through_height[side, y, x] * thickness
                        through[side, y, x] *= 1 - paint
                        through_height[side, y, x] *= 1 - WIPE * paint
                        if through[side, y, x] < OPAQUE:
                            open_pixels -= 1
        for y in range(tall):
            for x in range(wide):
                yy, xx = top + y, left + x
                relief[yy, xx], cover[yy, xx] = 0, 1
                for c in range(3):
                    out[yy, xx, c] = 0
                sides = 2 if bordered and shares[yy, xx, 1] > 0 else 1
                for side in range(sides):
                    share = shares[yy, xx, side] if bordered else np.float32(1)
                    for c in range(3):
                        out[yy, xx, c] += share * (colour[side, y, x, c] + through[side, y, x] * ground[yy, xx, c])
                    relief[yy, xx] += share * thick[side, y, x]
                    cover[yy, xx] -= share * through[side, y, x]
    return out, relief, cover, ids
