"""The yardstick of the benchmarks, on motion whose error is known."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import yardstick
from yardstick import Figures, TrueMotion, Yardstick, gradient_energy, visible, warp

HEIGHT, WIDTH, FRAMES, STEP = 48, 64, 12, 2
BORDER = 1e-5
"""Error of the Gaussian at the picture's border, where it sees what it reflects."""
RNG = np.random.default_rng(0)
TEXTURE = cv2.GaussianBlur(RNG.uniform(0, 1, (HEIGHT, WIDTH + FRAMES * STEP, 3)).astype(np.float32), (0, 0), 2)


def flow(dx: float) -> np.ndarray:
    field = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    field[..., 0] = dx
    return field


MOTION = TrueMotion(
    forward=[flow(STEP)] * (FRAMES - 1),
    backward=[flow(-STEP)] * (FRAMES - 1),
    known=[np.ones((HEIGHT, WIDTH), bool)] * FRAMES,
)
MOVING = [TEXTURE[:, (FRAMES - t) * STEP : (FRAMES - t) * STEP + WIDTH] for t in range(FRAMES)]
"""A texture that moves right by STEP pixels a frame."""
BOILING = [frame + RNG.normal(0, 0.1, frame.shape).astype(np.float32) for frame in MOVING]


def test_what_moves_truly_has_no_error() -> None:
    figures = Yardstick(MOTION, MOVING).measure(MOVING)
    assert figures.short < BORDER and figures.long is not None and figures.long < BORDER
    assert figures.uncovered == figures.distance == 0


def test_noise_is_measured_at_the_stroke_scale() -> None:
    figures = Yardstick(MOTION, MOVING).measure(BOILING)
    left = 2 * 0.1**2 / (4 * np.pi * yardstick.STROKE_SIGMA_PX**2)  # of two frames' noise, after the Gaussian
    assert figures.short == pytest.approx(left, rel=0.1)
    assert figures.distance == pytest.approx(0.1 * np.sqrt(2 / np.pi), rel=0.05)
    assert figures.raw > 3 * figures.strokes


def test_half_the_noise_is_a_quarter_of_the_error_and_blur_is_seen() -> None:
    measure = Yardstick(MOTION, BOILING)
    base = measure.measure(BOILING)
    calmer = [(a + b) / 2 for a, b in zip(MOVING, BOILING, strict=True)]
    figures = measure.measure(calmer).relative_to(base)
    assert figures.short == pytest.approx(0.25, rel=0.01) and figures.long == pytest.approx(0.25, rel=0.01)
    assert measure.measure([cv2.blur(frame, (5, 5)) for frame in BOILING]).relative_to(base).strokes < 0.3
    own = base.relative_to(base)
    assert (own.short, own.long, own.strokes, own.raw) == (1, 1, 1, 1)


def test_uncovered_is_what_comes_into_sight() -> None:
    changed = [frame.copy() for frame in MOVING]
    for frame in changed:
        frame[:, :STEP] += 0.5  # what entered the picture on the left
    figures = Yardstick(MOTION, MOVING).measure(changed)
    assert figures.uncovered == pytest.approx(0.5) and figures.distance == pytest.approx(0.5 * STEP / WIDTH)


def test_only_what_is_known_is_judged() -> None:
    known = [np.ones((HEIGHT, WIDTH), bool) for _ in range(FRAMES)]
    broken = [frame.copy() for frame in MOVING]
    for t, mask in enumerate(known):
        mask[:16] = False
        broken[t][:8] = RNG.uniform(0, 1, (8, WIDTH, 3))  # beyond the Gaussian's reach of what is known
    figures = Yardstick(TrueMotion(forward=MOTION.forward, backward=MOTION.backward, known=known), MOVING).measure(
        broken
    )
    assert figures.short < BORDER and figures.uncovered == 0 and figures.distance > 0.01


def test_a_short_shot_has_no_long_error() -> None:
    motion = TrueMotion(forward=MOTION.forward[:3], backward=MOTION.backward[:3], known=MOTION.known[:4])
    figures = Yardstick(motion, MOVING[:4]).measure(BOILING[:4])
    assert figures.long is None and figures.relative_to(figures).long is None
    assert len(figures.columns()) == len(yardstick.HEADINGS)


def test_hidden_is_what_another_motion_comes_to() -> None:
    field = flow(0)
    field[:, 20:30, 0] = 4  # a bar moves right over a still ground
    reverse = flow(0)
    reverse[:, 24:34, 0] = -4
    seen = visible(field, reverse)
    assert seen[:, 20:30].all() and not seen[:, 30:34].any() and seen[:, 34:].all() and seen[:, :20].all()


def test_warp_and_energy() -> None:
    assert np.allclose(warp(MOVING[1], flow(STEP))[:, :-STEP], MOVING[0][:, :-STEP], atol=1e-6)
    ramp = np.repeat(np.arange(8, dtype=np.float32)[None, :, None], 8, 0)
    assert gradient_energy(np.repeat(ramp, 3, 2)) == pytest.approx(1)
    assert isinstance(Yardstick(MOTION, MOVING).measure(MOVING), Figures)
