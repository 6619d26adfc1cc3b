"""The colour of a stroke: its hue stays with it for life, its tone follows the light of each frame."""

from __future__ import annotations

import numba
import numpy as np

from tsn.strokes.guides import LUMA

SIGMA_FRAMES = 2.5
REACH_FRAMES = 5
SAME_LIGHT = 0.06
"""Share by which a stroke's luma may differ between frames that are still in the same light, as a standard deviation.
Samples of a textured plate vary by about half of it as a stroke moves; a shadow's edge is several times as strong."""
BRIGHT = 1.35
"""Style value from which on a colour is the plate's own: half a stop beyond white."""


def colour_over_life(samples: np.ndarray, seen: np.ndarray, offset: int) -> np.ndarray:
    """Colours (n, 3): tone of frame `offset`, chroma as a Gaussian mean over the frames around it.

    The tone is a mean, too, over those frames that are in the same light (a bilateral filter along time; Tomasi and
    Manduchi, ICCV 1998): it evens out what the sampling of the plate adds, and follows a shadow at once.

    Args:
        samples: (F, n, 3), the plate under each stroke, frame by frame, `REACH_FRAMES` to each side at most.
        seen: (F, n), 0 where the stroke is not in that frame.
        offset: index of the frame that is painted.
    """
    luma = samples @ LUMA
    distance = (np.arange(len(samples), dtype=np.float32) - offset) / SIGMA_FRAMES
    weights = np.exp(-0.5 * distance * distance)[:, None] * seen
    change = (luma - luma[offset]) / (SAME_LIGHT * (luma[offset] + 0.05))
    alike = weights * np.exp(-0.5 * change * change)
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
    light = (colours @ LUMA)[:, None]
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
    paths: np.ndarray, alive: np.ndarray, tangents: np.ndarray, half_widths: np.ndarray, colours: np.ndarray, step: int
) -> np.ndarray:
    """The plate's colour (n, 3) under each stroke: the mean of five samples along it times three across.

    Args:
        paths, alive, tangents: (n, POINTS, 2), (n,) and (n, 2).
        half_widths: (n,), pixels.
        colours, step: see `Guides`.
    """
    count, points = paths.shape[0], paths.shape[1]
    h, w = colours.shape[0], colours.shape[1]
    found = np.zeros((count, 3), np.float32)
    for n in range(count):
        if not alive[n]:
            continue
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
                for c in range(3):
                    found[n, c] += (colours[y0, x0, c] * (1 - tx) + colours[y0, x1, c] * tx) * (1 - ty) + (
                        colours[y1, x0, c] * (1 - tx) + colours[y1, x1, c] * tx
                    ) * ty
        for c in range(3):
            found[n, c] /= 3 * (points - 2)
    return found
