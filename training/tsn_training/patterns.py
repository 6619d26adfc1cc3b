"""Patterns that repeat: bricks, boards, chequers, cloth, fences.

Photos cut into pieces contain hardly any, and plates are full of them. Two pictures of a chequered cloth do not show by
how many squares it moved, except at its edges and through what moves beside it: a flow net learns to look there only
from such examples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

Rng = np.random.Generator
PatternFunction = Callable[[np.ndarray, np.ndarray, Rng], np.ndarray]
"""Coordinates in periods, float32 (h, w) each -> the pattern, float32 (h, w) in [0, 1]."""

PERIOD_RANGE_PX = 4.0, 48.0
"""Periods are drawn evenly by octaves."""


def random_pattern(size: int, base: np.ndarray, rng: Rng) -> np.ndarray:
    """Return a patterned surface, perhaps seen at a slant, float32 (size, size, 3) in [0, 1].

    Args:
        base: the surface that the pattern is drawn on, float32 (size, size, 3): dirt and light that do not repeat.
    """
    y, x = np.mgrid[-0.5 : 0.5 : size * 1j, -0.5 : 0.5 : size * 1j].astype(np.float32)
    turn, slant = rng.uniform(0, 2 * np.pi), rng.uniform(-0.8, 0.8, 2) * (rng.random() < 0.6)
    depth = 1 + slant[0] * x + slant[1] * y
    stretch = size / 2 ** rng.uniform(*np.log2(PERIOD_RANGE_PX))
    u = (np.cos(turn) * x + np.sin(turn) * y) / depth * stretch
    v = (np.cos(turn) * y - np.sin(turn) * x) / depth * stretch * rng.uniform(0.5, 2)
    if rng.random() < 0.3:  # cloth and wood are not straight
        u = u + cv2.resize(rng.normal(0, 0.4, (4, 4)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    pattern = PATTERNS[int(rng.integers(len(PATTERNS)))](u, v, rng)
    pattern = cv2.GaussianBlur(pattern, (0, 0), rng.uniform(0.4, 1.5))[..., None]
    # It fades to grey where a period is less than about two pixels: it would alias there, into another pattern.
    periods_per_px = np.maximum(np.abs(np.gradient(u, axis=1)), np.abs(np.gradient(u, axis=0)))[..., None]
    pattern = 0.5 + (pattern - 0.5) * np.clip(2 - 5 * periods_per_px, 0, 1)
    tones = rng.uniform(0.05, 0.95, (2, 1)) + rng.uniform(-0.2, 0.2, (2, 3))
    dirt = base.mean() + (base - base.mean()) * rng.uniform(0, 0.6) * (rng.random() < 0.7)
    surface = (tones[0] + (tones[1] - tones[0]) * pattern) * (0.5 + dirt)
    return np.clip(surface, 0, 1).astype(np.float32)


def _square_wave(at: np.ndarray, share: float) -> np.ndarray:
    """Return 1 in the first `share` of each period, else 0."""
    return ((at % 1) < share).astype(np.float32)


def _stripes(u: np.ndarray, v: np.ndarray, rng: Rng) -> np.ndarray:
    return _square_wave(u, rng.uniform(0.2, 0.8))


def _waves(u: np.ndarray, v: np.ndarray, rng: Rng) -> np.ndarray:
    return np.asarray(0.5 + 0.5 * np.sin(2 * np.pi * u), np.float32)


def _chequers(u: np.ndarray, v: np.ndarray, rng: Rng) -> np.ndarray:
    return np.abs(_square_wave(u, 0.5) - _square_wave(v, 0.5))


def _bricks(u: np.ndarray, v: np.ndarray, rng: Rng) -> np.ndarray:
    joint = rng.uniform(0.06, 0.2)
    return np.maximum(_square_wave(v, joint), _square_wave(u / 2 + 0.5 * (np.floor(v) % 2), joint / 2))


def _dots(u: np.ndarray, v: np.ndarray, rng: Rng) -> np.ndarray:
    distance = np.hypot(u % 1 - 0.5, v % 1 - 0.5)
    return (distance < rng.uniform(0.15, 0.45)).astype(np.float32)


def _lattice(u: np.ndarray, v: np.ndarray, rng: Rng) -> np.ndarray:
    bar = rng.uniform(0.08, 0.35)
    return np.maximum(_square_wave(u, bar), _square_wave(v, bar))


PATTERNS: Sequence[PatternFunction] = (_stripes, _waves, _chequers, _bricks, _dots, _lattice)
