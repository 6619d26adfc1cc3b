"""The colour of a stroke: its hue stays with it for life, its tone follows the light of each frame."""

from __future__ import annotations

import numpy as np

from tsn.strokes.guides import LUMA

SIGMA_FRAMES = 2.5
REACH_FRAMES = 5


def of_life(samples: np.ndarray, seen: np.ndarray, offset: int) -> np.ndarray:
    """Colours (n, 3): luma of frame `offset`, chroma as a Gaussian mean over the frames around it.

    Args:
        samples: (F, n, 3), the plate under each stroke over frames.
        seen: (F, n), 0 where the stroke is not in that frame.
        offset: index of the frame that is painted.
    """
    now = samples[offset] @ LUMA
    total = np.zeros_like(samples[offset])
    weight = np.zeros(samples.shape[1], np.float32)
    for f in range(len(samples)):
        if abs(f - offset) > REACH_FRAMES:
            continue
        w = np.float32(np.exp(-0.5 * ((f - offset) / SIGMA_FRAMES) ** 2)) * seen[f].astype(np.float32)
        light = samples[f] @ LUMA
        total += w[:, None] * (samples[f] - light[:, None]) / (light[:, None] + 0.05)
        weight += w
    return now[:, None] + total / np.maximum(weight, 1e-6)[:, None] * (now[:, None] + 0.05)


def varied(colours: np.ndarray, chances: np.ndarray, value: float, chroma: float, hue: float) -> np.ndarray:
    """Colours (n, 3) as a palette knife mixes them: luma, saturation and hue jittered by (n, 3) chances in [0, 1)."""
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
