"""The colour of a stroke: its hue stays with it for life, its tone follows the light of each frame."""

from __future__ import annotations

import numba
import numpy as np

from tsn.strokes.borders import belongs, predict
from tsn.strokes.luma import luma_of

SIGMA_FRAMES = 2.5
REACH_FRAMES = 5
SAME_LIGHT = 0.06
"""Share by which a stroke's luma may differ between frames that are still in the same light, as a standard deviation.
Samples of a textured plate vary by about half of it as a stroke moves; a shadow's edge is several times as strong."""
STRANGE_WEIGHT = 1e-3
"""Of colours of other surfaces: a stroke that sees nothing of its own takes what is there."""
BRIGHT = 2.4
"""Style value from which on a colour is the plate's own: two stops beyond white."""


def colour_over_life(samples: np.ndarray, seen: np.ndarray, offset: int) -> np.ndarray:
    """Colours (n, 3): tone of frame `offset`, chroma as a Gaussian mean over the frames around it.

    The tone is a mean, too, over those frames that are in the same light (a bilateral filter along time; Tomasi and
    Manduchi, ICCV 1998): it evens out what the sampling of the plate adds, and follows a shadow at once.

    Args:
        samples: (F, n, 3), the plate under each stroke, frame by frame, `REACH_FRAMES` to each side at most.
        seen: (F, n), 0 where the stroke is not seen in that frame, 1 where all of it is.
        offset: index of the frame that is painted.
    """
    luma = luma_of(samples)
    distance = (np.arange(len(samples), dtype=np.float32) - offset) / SIGMA_FRAMES
    weights = np.exp(-0.5 * distance * distance)[:, None] * seen
    change = (luma - luma[offset]) / (SAME_LIGHT * (luma[offset] + 0.05))
    alike = weights * np.exp(-0.5 * change * change)
    alike[offset] = np.maximum(alike[offset], STRANGE_WEIGHT)  # where nothing of its own is seen
    tone = ((alike * luma).sum(0) / np.maximum(alike.sum(0), 1e-6))[:, None]
    chroma = (samples - luma[..., None]) / (luma[..., None] + 0.05)
    mean = (weights[..., None] * chroma).sum(0) / np.maximum(weights.sum(0), 1e-6)[:, None]
    return np.asarray(tone + mean * (tone + 0.05), np.float32)


def vary_colours(colours: np.ndarray, chances: np.ndarray, value: float, chroma: float, hue: float) -> np.ndarray:
    """Colours (n, 3) in [0, 1], each stroke's a little different, as paint is mixed on a palette.

    Args:
        chances: (n, 3) in [0, 1).
        value: largest change of luma, at middle greys; black and white keep theirs.
        chroma: largest change of saturation, as a share of it.
        hue: largest turn of the hue, 1 = once around.
    """
    light = luma_of(colours)[:, None]
    tint = colours - light
    saturation = 1 + chroma * (2 * chances[:, 1:2] - 1)
    angle = 2 * np.pi * hue * (2 * chances[:, 2] - 1)
    # Rotation about the grey axis (Rodrigues).
    axis = np.float32(1 / np.sqrt(3))
    cos, sin = np.cos(angle)[:, None].astype(np.float32), np.sin(angle)[:, None].astype(np.float32)
    cross = axis * np.stack([tint[:, 2] - tint[:, 1], tint[:, 0] - tint[:, 2], tint[:, 1] - tint[:, 0]], 1)
    dot = axis * tint.sum(1, keepdims=True) * axis
    tint = tint * cos + cross * sin + dot * (1 - cos)
    middle = 4 * np.clip(light, 0, 1) * (1 - np.clip(light, 0, 1))  # black and white stay clean
    return np.clip(light + value * middle * (2 * chances[:, :1] - 1) + tint * saturation, 0, 1).astype(np.float32)


@numba.njit(cache=True)
def sample_plate(
    paths: np.ndarray,
    alive: np.ndarray,
    tangents: np.ndarray,
    half_widths: np.ndarray,
    colours: np.ndarray,
    step: int,
    planes: np.ndarray,
    tolerance: float,
    others: np.ndarray,
    cell_labels: np.ndarray,
    cell_shares: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The plate under each stroke: the mean of five samples along it times three across.

    Returns:
        colours (n, 3), and how much of the stroke is seen (n,): the share of the samples that is of its surface.

    Args:
        paths, alive, tangents: (n, POINTS, 2), (n,) and (n, 2).
        half_widths: (n,), pixels.
        colours, step: see `Guides`.
        planes, tolerance: see `find_planes` and `Borders`; with planes, only what is of the stroke's surface counts.
        others, cell_labels, cell_shares: see `Sides`.
    """
    count, points = paths.shape[0], paths.shape[1]
    h, w = colours.shape[0], colours.shape[1]
    middle = points // 2
    bordered = len(planes) > 0
    found = np.zeros((count, 3), np.float32)
    seen = np.zeros(count, np.float32)
    for n in range(count):
        if not alive[n]:
            continue
        total, whole = 0.0, 0.0
        for k in range(1, points - 1):
            for side in range(-1, 2):
                x = paths[n, k, 0] - side * 0.45 * half_widths[n] * tangents[n, 1]
                y = paths[n, k, 1] + side * 0.45 * half_widths[n] * tangents[n, 0]
                fx, fy = x / step - 0.5, y / step - 0.5
                fx = min(max(fx, 0.0), w - 1.001)
                fy = min(max(fy, 0.0), h - 1.001)
                x0, y0 = int(fx), int(fy)
                tx, ty = fx - x0, fy - y0
                x1, y1 = min(x0 + 1, w - 1), min(y0 + 1, h - 1)
                if not bordered:
                    for c in range(3):
                        found[n, c] += (colours[y0, x0, c] * (1 - tx) + colours[y0, x1, c] * tx) * (1 - ty) + (
                            colours[y1, x0, c] * (1 - tx) + colours[y1, x1, c] * tx
                        ) * ty
                    continue
                own = predict(planes, n, x - paths[n, middle, 0], y - paths[n, middle, 1])
                for i in range(2):
                    for j in range(2):
                        yy, xx = y1 if i else y0, x1 if j else x0
                        place = (ty if i else 1 - ty) * (tx if j else 1 - tx)
                        for which in range(2):
                            weight = place * cell_shares[yy, xx, which]
                            whole += weight
                            weight *= belongs(cell_labels[yy, xx, which], own, tolerance) + STRANGE_WEIGHT
                            total += weight
                            for c in range(3):
                                found[n, c] += weight * (others[yy, xx, c] if which else colours[yy, xx, c])
        for c in range(3):
            found[n, c] /= total if bordered else 3 * (points - 2)
        seen[n] = max(total / whole - STRANGE_WEIGHT, 0.0) if bordered else 1.0
    return found, seen
