"""Strokes rasterised front to back, tile by tile: what later strokes cover is never computed.

Bits do not depend on the number of threads: tiles are independent, and inside one the order is fixed. No fastmath, whose
sums differ from machine to machine.
"""

from __future__ import annotations

import numba as nb
import numpy as np

TILE = 64
OPAQUE = 1 / 512
"""What shines through less than this is not painted any more: half a code of 8 bits."""
KEEP = 0.75
"""Share of its opacity by which a stroke wipes away the height of the paint under it."""


@nb.njit(cache=True)
def bins(paths, half_widths, height, width):  # type: ignore[no-untyped-def]
    """For each tile the segments that may touch it, in the order of the strokes: starts (tiles + 1,) and entries."""
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


@nb.njit(cache=True, parallel=True)
def painted(paths, half_widths, opacities, colours, raw, tips, levels, clipped, mask_0, mask_1, mask_2, mask_3, mask_4, edge, starts, entries, ground):  # type: ignore[no-untyped-def]  # noqa: E501
    """Colour (H, W, 3), height and coverage (H, W) of strokes over a ground.

    Args:
        paths: (n, POINTS, 2), the topmost stroke first.
        half_widths, opacities: (n,).
        colours, raw: (n, 3): the paint's, and the plate's under the stroke (for clipping).
        tips, levels: (n,) int: which brush, and at which level.
        clipped: (n,) uint8: stops where the plate's colour is another.
        mask_0 ...: see `brush.tips`.
        edge: (H, W, 3), the plate, a little smoothed.
        ground: (H, W, 3).
    """
    height, width = edge.shape[0], edge.shape[1]
    points = paths.shape[1]
    rows, columns = -(-height // TILE), -(-width // TILE)
    out = np.empty((height, width, 3), np.float32)
    relief = np.empty((height, width), np.float32)
    cover = np.empty((height, width), np.float32)
    for tile in nb.prange(rows * columns):
        top, left = (tile // columns) * TILE, (tile % columns) * TILE
        tall, wide = min(TILE, height - top), min(TILE, width - left)
        through = np.ones((tall, wide), np.float32)
        through_height = np.ones((tall, wide), np.float32)
        colour = np.zeros((tall, wide, 3), np.float32)
        thick = np.zeros((tall, wide), np.float32)
        open_pixels = tall * wide
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
            level = levels[n]
            if level == 0:
                mask = mask_0
            elif level == 1:
                mask = mask_1
            elif level == 2:
                mask = mask_2
            elif level == 3:
                mask = mask_3
            else:
                mask = mask_4
            mask_rows, mask_columns = mask.shape[2], mask.shape[3]
            tip = tips[n]
            strong = opacities[n]
            for y in range(y0, y1):
                for x in range(x0, x1):
                    if through[y, x] < OPAQUE:
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
                    if alpha < 0.004:
                        continue
                    if clipped[n]:
                        apart = 0.0
                        for c in range(3):
                            apart += abs(edge[top + y, left + x, c] - raw[n, c])
                        over = (apart - 0.22) / 0.2
                        over = min(max(over, 0.0), 1.0)
                        alpha *= 1 - over * over * (3 - 2 * over)
                        if alpha < 0.004:
                            continue
                    thickness = ridge * strong
                    alpha *= strong
                    part = through[y, x] * alpha
                    for c in range(3):
                        colour[y, x, c] += part * colours[n, c]
                    thick[y, x] += through_height[y, x] * thickness
                    through[y, x] *= 1 - alpha
                    through_height[y, x] *= 1 - KEEP * alpha
                    if through[y, x] < OPAQUE:
                        open_pixels -= 1
        for y in range(tall):
            for x in range(wide):
                for c in range(3):
                    out[top + y, left + x, c] = colour[y, x, c] + through[y, x] * ground[top + y, left + x, c]
                relief[top + y, left + x] = thick[y, x]
                cover[top + y, left + x] = 1 - through[y, x]
    return out, relief, cover


@nb.njit(cache=True)
def sampled(paths, alive, colours, step, half_width, tangents):  # type: ignore[no-untyped-def]
    """The plate's colour (n, 3) under each stroke: the mean of 5x3 samples, from the averaged plate of its layer."""
    count, points = paths.shape[0], paths.shape[1]
    h, w = colours.shape[0], colours.shape[1]
    found = np.zeros((count, 3), np.float32)
    for n in range(count):
        if not alive[n]:
            continue
        for k in range(1, points - 1):
            for side in range(-1, 2):
                x = paths[n, k, 0] - side * 0.45 * half_width * tangents[n, 1]
                y = paths[n, k, 1] + side * 0.45 * half_width * tangents[n, 0]
                fx, fy = x / step - 0.5, y / step - 0.5
                fx = min(max(fx, 0.0), w - 1.001)
                fy = min(max(fy, 0.0), h - 1.001)
                x0, y0 = int(fx), int(fy)
                tx, ty = fx - x0, fy - y0
                x1, y1 = min(x0 + 1, w - 1), min(y0 + 1, h - 1)
                for c in range(3):
                    found[n, c] += (
                        (colours[y0, x0, c] * (1 - tx) + colours[y0, x1, c] * tx) * (1 - ty)
                        + (colours[y1, x0, c] * (1 - tx) + colours[y1, x1, c] * tx) * ty
                    )
        for c in range(3):
            found[n, c] /= 3 * (points - 2)
    return found
