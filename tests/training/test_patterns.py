"""Patterns repeat, in range, on what they are laid on."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

TRAINING = str(Path(__file__).parents[2] / "training")
sys.path.insert(0, TRAINING)
try:
    from tsn_training import patterns
    from tsn_training.patterns import PATTERNS, PatternFunction, random_pattern
finally:
    sys.path.remove(TRAINING)

GREY = np.full((256, 256, 3), 0.5, np.float32)


@pytest.mark.parametrize("function", PATTERNS)
def test_every_pattern_repeats_after_two_periods(function: PatternFunction) -> None:
    """... at most: rows of bricks are laid in turns."""
    v, u = np.mgrid[0:6:96j, 0:6:96j].astype(np.float32) + 1e-3
    drawn = function(u, v, np.random.default_rng(1))
    again = function(u + 2, v + 2, np.random.default_rng(1))
    assert drawn.shape == u.shape and drawn.dtype == np.float32
    assert 0 <= drawn.min() < 0.1 and 0.9 < drawn.max() <= 1
    assert (np.abs(drawn - again) > 0.01).mean() < 0.01  # a rim falls to either side


@pytest.mark.parametrize("seed", range(12))
def test_a_pattern_is_a_picture(seed: int) -> None:
    drawn = random_pattern(256, GREY, np.random.default_rng(seed))
    assert drawn.shape == GREY.shape and drawn.dtype == np.float32
    assert drawn.min() >= 0 and drawn.max() <= 1 and np.isfinite(drawn).all()
    assert np.array_equal(drawn, random_pattern(256, GREY, np.random.default_rng(seed)))


def test_most_patterns_look_the_same_elsewhere() -> None:
    """Moved by some way, they match themselves again; a photo does not."""

    def matches(picture: np.ndarray) -> float:
        light = picture.mean(-1) - picture.mean()
        spectrum = np.abs(np.fft.rfft2(light * np.hanning(256)[:, None] * np.hanning(256))) ** 2
        alike = np.fft.fftshift(np.fft.irfft2(spectrum))
        alike /= alike.max()
        y, x = np.mgrid[-128:128, -128:128]
        away = np.hypot(x, y)
        return float(alike[(away > 12) & (away < 100)].max())

    drawn = [random_pattern(256, GREY, np.random.default_rng(seed)) for seed in range(20)]
    assert np.median([matches(x) for x in drawn if x.std() > 0.03]) > 0.5
    rough = cv2.GaussianBlur(np.random.default_rng(0).standard_normal((256, 256, 3)), (0, 0), 2)
    assert matches(rough) < 0.25


def test_dirt_of_the_base_shows_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "PATTERNS", (lambda u, v, rng: np.zeros_like(u),))
    dirty = GREY.copy()
    dirty[:128] = 0.2
    steps = [np.ptp(random_pattern(256, dirty, np.random.default_rng(seed)).mean((1, 2))) for seed in range(20)]
    assert max(steps) > 0.05 and min(steps) < 0.01  # some are clean
