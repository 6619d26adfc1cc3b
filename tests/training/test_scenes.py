"""Made-up scenes: the motion given is the motion drawn, of surfaces and not of the light on them."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

TRAINING = str(Path(__file__).parents[2] / "training")
sys.path.insert(0, TRAINING)
try:
    from tsn_training import scenes, surfaces
    from tsn_training.scenes import Scene, random_scene
finally:
    sys.path.remove(TRAINING)

H, W = 120, 160
SEEDS = range(6)


def sources() -> list[np.ndarray]:
    """Soft blobs of every colour, uint8."""
    rng = np.random.default_rng(3)
    coarse = rng.uniform(0, 255, (4, 24, 24, 3)).astype(np.float32)
    return [np.clip(cv2.resize(x, (300, 240), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8) for x in coarse]


def made(seed: int) -> Scene:
    return random_scene(sources(), H, W, np.random.default_rng(seed))


def along(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    return cv2.remap(picture, scenes._grid(H, W) + flow, None, cv2.INTER_LINEAR)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_motion_given_is_the_motion_drawn(seed: int) -> None:
    """... in most places: shadows, lights and grain change, rims are mixed."""
    scene = made(seed)
    for here, there, flow, seen in (
        (scene.first, scene.second, scene.forward, scene.visible[0]),
        (scene.second, scene.first, scene.backward, scene.visible[1]),
    ):
        gain = np.median(here[seen] / np.maximum(along(there, flow)[seen], 1e-3))  # a change of light
        error = np.abs(along(there, flow) * gain - here).mean(-1)[seen]
        still = np.abs(there * gain - here).mean(-1)[seen]
        assert np.median(error) < 0.03 and np.median(error) < 0.5 * np.median(still) + 0.005
        assert seen.mean() > 0.3


@pytest.mark.parametrize("seed", SEEDS)
def test_forward_and_backward_motion_agree_where_both_are_visible(seed: int) -> None:
    scene = made(seed)
    apart = np.linalg.norm(scene.forward + along(scene.backward, scene.forward), axis=-1)[scene.visible[0]]
    assert np.quantile(apart, 0.9) < 0.2


def test_a_scene_is_a_pure_function_of_its_seed() -> None:
    for one, other in zip(made(4)[:4], made(4)[:4], strict=True):
        assert np.array_equal(one, other)
    assert not np.array_equal(made(4).first, made(5).first)


def test_pictures_are_in_range_and_things_move_by_little_and_by_a_lot() -> None:
    speeds = []
    for seed in range(12):
        scene = made(seed)
        assert scene.first.min() >= 0 and scene.first.max() <= 1 and np.isfinite(scene.forward).all()
        speeds.append(np.linalg.norm(scene.forward, axis=-1))
    assert np.quantile(speeds, 0.1) < 2 and np.quantile(speeds, 0.98) > 20


def test_shadows_move_over_surfaces_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every layer but the background unseen, the motion is the background's alone, whatever falls on it."""
    monkeypatch.setattr(surfaces, "SHAPES", (lambda size, rng: np.full((size, size), 0.4, np.float32),))
    shaded = [scene for scene in map(made, range(12)) if np.ptp(scene.first.mean(-1)) > 0]
    for scene in shaded:
        steps = np.abs(np.diff(scene.forward, axis=0)).max(), np.abs(np.diff(scene.forward, axis=1)).max()
        assert max(steps) < 1, "no edge anywhere"


@pytest.mark.parametrize("shape", surfaces.SHAPES)
def test_shapes_have_an_inside_and_an_outside(shape) -> None:
    drawn = [shape(60, np.random.default_rng(seed)) for seed in range(8)]
    assert all(x.shape == (60, 60) and x.dtype == np.float32 and x.min() >= 0 and x.max() <= 1 for x in drawn)
    assert sum(x.max() > 0.9 for x in drawn) >= 6 and all(x.mean() < 0.9 for x in drawn)
