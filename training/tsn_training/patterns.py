"""Patterns that repeat: bricks, boards, chequers, cloth, fences.

Photos cut into pieces hardly hold any, and plates are full of them. Nothing in two pictures of a chequered cloth says
by how many squares it moved, but its rims and what moves beside it: a net learns to look there only if it meets some.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

Rng = np.random.Generator
Wave = Callable[[np.ndarray, np.ndarray, Rng], np.ndarray]
"""Coordinates in periods, float32 (h, w) each, to what is drawn there, (h, w) in [0, 1]."""

PERIODS = 4.0, 48.0
"""Pixels, evenly by octaves."""


def pattern(size: int, ground: np.ndarray, rng: Rng) -> np.ndarray:
    """A patterned surface, seen at a slant, float32 (size, size, 3).

    Args:
        ground: what the pattern is laid on, float32 (size, size, 3): dirt and light that do not repeat.
    """
    y, x = np.mgrid[-0.5 : 0.5 : size * 1j, -0.5 : 0.5 : size * 1j].astype(np.float32)
    turn, slant = rng.uniform(0, 2 * np.pi), rng.uniform(-0.8, 0.8, 2) * (rng.random() < 0.6)
    depth = 1 + slant[0] * x + slant[1] * y
    stretch = size / 2 ** rng.uniform(*np.log2(PERIODS))
    u = (np.cos(turn) * x + np.sin(turn) * y) / depth * stretch
    v = (np.cos(turn) * y - np.sin(turn) * x) / depth * stretch * rng.uniform(0.5, 2)
    if rng.random() < 0.3:  # cloth and wood are not ruled
        u = u + cv2.resize(rng.normal(0, 0.4, (4, 4)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    drawn = cv2.GaussianBlur(WAVES[rng.integers(len(WAVES))](u, v, rng), (0, 0), rng.uniform(0.4, 1.5))[..., None]
    # Only where it can be drawn: what is finer than two pixels a period would be noise, and its own false pattern.
    fine = np.maximum(np.abs(np.gradient(u, axis=1)), np.abs(np.gradient(u, axis=0)))[..., None]
    drawn = 0.5 + (drawn - 0.5) * np.clip(2 - 5 * fine, 0, 1)
    tones = rng.uniform(0.05, 0.95, (2, 1)) + rng.uniform(-0.2, 0.2, (2, 3))
    dirt = ground.mean() + (ground - ground.mean()) * rng.uniform(0, 0.6) * (rng.random() < 0.7)
    laid = (tones[0] + (tones[1] - tones[0]) * drawn) * (0.5 + dirt)
    return np.clip(laid, 0, 1).astype(np.float32)


def _square(at: np.ndarray, share: float) -> np.ndarray:
    return ((at % 1) < share).astype(np.float32)


def _stripes(u: np.ndarray, v: np.ndarray, rng: Rng) -> np.ndarray:
    return _square(u, rng.uniform(0.2, 0.8))


def _waves(u: np.ndarray, v: np.ndarray, rng: Rng) -> np.ndarray:
    return np.asarray(0.5 + 0.5 * np.sin(2 * np.pi * u), np.float32)


def _chequers(u: np.ndarray, v: np.ndarray, rng: Rng) -> np.ndarray:
    return np.abs(_square(u, 0.5) - _square(v, 0.5))


def _bricks(u: np.ndarray, v: np.ndarray, rng: Rng) -> np.ndarray:
    joint = rng.uniform(0.06, 0.2)
    return np.maximum(_square(v, joint), _square(u / 2 + 0.5 * (np.floor(v) % 2), joint / 2))


def _dots(u: np.ndarray, v: np.ndarray, rng: Rng) -> np.ndarray:
    apart = np.hypot(u % 1 - 0.5, v % 1 - 0.5)
    return (apart < rng.uniform(0.15, 0.45)).astype(np.float32)


def _lattice(u: np.ndarray, v: np.ndarray, rng: Rng) -> np.ndarray:
    bar = rng.uniform(0.08, 0.35)
    return np.maximum(_square(u, bar), _square(v, bar))


WAVES: Sequence[Wave] = (_stripes, _waves, _chequers, _bricks, _dots, _lattice)
