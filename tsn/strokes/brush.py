"""Brush tips: where a stroke leaves paint, and how thick. Drawn here; `u` runs along the stroke, `v` across it."""

from __future__ import annotations

import cv2
import numpy as np

from tsn.strokes.easing import ramp
from tsn.strokes.preset import DrawnBrush

TIPS, ROWS, COLUMNS = 12, 64, 256
SEED = 7
LEVELS = 5
"""Each at half the rows of the one before: a stroke of few pixels takes the one with about as many rows."""


def draw_tips(brush: DrawnBrush) -> tuple[np.ndarray, ...]:
    """Masks and heights of `TIPS` tips of a brush: for each level float32 (TIPS, 2, rows, columns), mask in [0, 1]."""
    random = np.random.default_rng(SEED)
    whole = np.stack([_bristle_tip(random, brush.hairs) for _ in range(TIPS)])
    levels = [whole]
    for _ in range(LEVELS - 1):
        before = levels[-1]
        levels.append(before.reshape(*before.shape[:2], before.shape[2] // 2, 2, before.shape[3] // 2, 2).mean((3, 5)))
    return tuple(np.ascontiguousarray(level, dtype=np.float32) for level in levels)


def _bristle_tip(random: np.random.Generator, hairs: float) -> np.ndarray:
    u = (np.arange(COLUMNS, dtype=np.float32) + 0.5)[None] / COLUMNS
    v = ((np.arange(ROWS, dtype=np.float32) + 0.5)[:, None] / ROWS) * 2 - 1
    # Hairs: noise that is long along the stroke; each begins and ends at its own place and runs dry towards the end.
    noise: np.ndarray = random.normal(size=(ROWS, 8)).astype(np.float32)
    noise = cv2.resize(noise, (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(noise, (0, 0), sigmaX=12, sigmaY=0.9)
    broad = cv2.GaussianBlur(noise, (0, 0), sigmaX=30, sigmaY=4)
    hair = fine / (fine.std() + 1e-6) * 0.5 + broad / (broad.std() + 1e-6) * 0.5
    ends = cv2.GaussianBlur(random.normal(size=(ROWS, 2)).astype(np.float32), (0, 0), sigmaX=0.01, sigmaY=1.5)
    ends = ends / (ends.std() + 1e-6)
    start = 0.045 + 0.02 * ends[:, :1] + 0.10 * v * v
    stop = 0.93 - 0.05 * hairs * ends[:, 1:] - 0.16 * v * v
    inside = ramp(u, start - 0.02, start + 0.02) * (1 - ramp(u, stop - 0.05, stop + 0.03))
    wobble = cv2.GaussianBlur(random.normal(size=(1, COLUMNS)).astype(np.float32), (0, 0), sigmaX=20, sigmaY=0.01)
    side = 0.86 + 0.05 * wobble / (wobble.std() + 1e-6)
    across = 1 - ramp(np.abs(v), side - 0.1, side + 0.08)
    dry = 0.15 + 0.85 * ramp(u, 0.35, 1.0)
    gaps = 1 - hairs * dry * ramp(-hair, 0.6, 1.6)
    mask = inside * across * gaps
    ridge = 0.5 + 0.22 * hair + 0.25 * ramp(np.abs(v), 0.45, 0.8) * across + 0.2 * ramp(u, 0.75, 0.92)
    return np.stack([np.clip(mask, 0, 1), np.clip(ridge, 0, 1.3) * mask])
