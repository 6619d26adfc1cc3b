"""What the layers of a made-up scene are cut from: random surfaces, and random shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from tsn_training.patterns import random_pattern

Rng = np.random.Generator

PLAIN_SHARE, PATTERN_SHARE = 0.2, 0.2
"""Of all surfaces; patterns are drawn on plain ones and on others."""


def random_surface(sources: Sequence[np.ndarray], size: int, rng: Rng) -> np.ndarray:
    """Return a piece of a picture, a plain surface, or a pattern on either, float32 (size, size, 3).

    Args:
        sources: pictures, uint8 (H, W, 3).
    """
    if rng.random() < PATTERN_SHARE:
        return random_pattern(size, _plain_or_piece(sources, size, rng), rng)
    return _plain_or_piece(sources, size, rng)


def _plain_or_piece(sources: Sequence[np.ndarray], size: int, rng: Rng) -> np.ndarray:
    if rng.random() < PLAIN_SHARE:
        tones = rng.uniform(0, 1, (2, 2, 1)) + rng.uniform(-0.15, 0.15, 3) * np.ones((2, 2, 1))
        plain = cv2.resize(
            (tones.mean((0, 1)) * 0.8 + tones * 0.2).astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR
        )
        return np.clip(plain + rng.uniform(0, 0.03) * rng.standard_normal((size, size, 1), np.float32), 0, 1)
    source = sources[int(rng.integers(len(sources)))]
    side = min(source.shape[:2])
    cut = int(side * rng.uniform(0.25, 1))
    top, left = (int(rng.integers(0, length - cut + 1)) for length in source.shape[:2])
    piece = source[top : top + cut, left : left + cut]
    interpolation = cv2.INTER_AREA if cut > size else cv2.INTER_CUBIC
    return cv2.resize(piece, (size, size), interpolation=interpolation).astype(np.float32) / 255 * rng.uniform(0.5, 1.1)


def random_shape(size: int, rng: Rng) -> np.ndarray:
    """Return a shape, float32 (size, size) in [0, 1], with soft edges."""
    return SHAPES[int(rng.integers(len(SHAPES)))](size, rng)


def _blob(size: int, rng: Rng) -> np.ndarray:
    field = cv2.resize(rng.standard_normal((5, 5)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    return _softened(field + 1.2 - 2.2 * np.hypot(x, y).astype(np.float32) > 0)


def _polygon(size: int, rng: Rng) -> np.ndarray:
    count = int(rng.integers(3, 8))
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    radii = rng.uniform(0.25, 0.5, count) * size
    points = size / 2 + np.stack([np.cos(angles), np.sin(angles)], -1) * radii[:, None]
    return _softened(cv2.fillPoly(np.zeros((size, size), np.uint8), [points.astype(np.int32)], 1))


def _ellipse(size: int, rng: Rng) -> np.ndarray:
    axes = tuple(int(a) for a in rng.uniform(0.15, 0.48, 2) * size)
    return _softened(cv2.ellipse(np.zeros((size, size), np.uint8), (size // 2, size // 2), axes, 0, 0, 360, 1, -1))


def _bars(size: int, rng: Rng) -> np.ndarray:
    """Twigs, fences, bars: lines of 1 to 8 pixels."""
    shape = np.zeros((size, size), np.uint8)
    for _ in range(rng.integers(1, 6)):
        points = rng.uniform(0, size, (int(rng.integers(2, 4)), 2)).astype(np.int32)
        cv2.polylines(shape, [points], False, 1, int(rng.integers(1, 9)))
    return _softened(shape)


def _softened(shape: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(shape.astype(np.float32), (0, 0), 0.5)


SHAPES: Sequence[Callable[[int, Rng], np.ndarray]] = (_blob, _polygon, _ellipse, _bars)
