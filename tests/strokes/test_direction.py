from __future__ import annotations

import numpy as np
import pytest

from tsn.strokes.borders import find_borders
from tsn.strokes.direction import form_direction, lead

SIDE = 96


def degrees(angle: np.ndarray, where: tuple[slice, slice]) -> tuple[float, float]:
    """Mean direction at a place, degrees in [0, 180) clockwise from the x axis, and its certainty."""
    cos, sin = angle[(slice(None), *where)].mean((1, 2))
    return float(np.degrees(0.5 * np.arctan2(sin, cos)) % 180), float(np.hypot(cos, sin))


def ball() -> np.ndarray:
    """Normals (3, SIDE, SIDE) of a ball, NaN around it."""
    y, x = (np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.5) / (SIDE / 2 - 4)
    inside = x * x + y * y < 1
    z = np.sqrt(np.maximum(1 - x * x - y * y, 0))
    return np.where(inside, np.stack([x, -y, z]), np.nan).astype(np.float32)


@pytest.mark.parametrize("along", [0, 30, 60, 90, 135])
def test_strokes_run_along_stripes(along: int) -> None:
    y, x = np.mgrid[:128, :128].astype(np.float32)
    turn = np.radians(along)
    luma = 0.5 + 0.4 * np.sin((x * -np.sin(turn) + y * np.cos(turn)) * 0.5).astype(np.float32)
    found, certainty = degrees(form_direction(luma, 1.0), (slice(40, 88), slice(40, 88)))
    assert certainty > 0.9 and abs((found - along + 90) % 180 - 90) < 2


@pytest.mark.parametrize("length", [1e-3, 1.0, -500.0])
def test_vectors_lead_whatever_their_length_and_sign(length: float) -> None:
    picture = np.zeros((2, SIDE, SIDE), np.float32)
    picture[0] = 0.8
    aov = np.zeros((2, SIDE, SIDE), np.float32)
    aov[:, :, 48:] = length * np.array([np.cos(np.radians(50)), np.sin(np.radians(50))])[:, None, None]
    led = lead(picture, aov, 1.0)
    assert degrees(led, (slice(20, 70), slice(60, 90))) == pytest.approx((50, 1), abs=0.01)
    np.testing.assert_allclose(led[:, :, :40], picture[:, :, :40], atol=1e-6)  # 0 has no opinion


def test_strokes_go_around_a_ball_and_along_a_cylinder() -> None:
    nothing = np.zeros((2, SIDE, SIDE), np.float32)
    led = lead(nothing, ball(), 1.0)
    assert degrees(led, (slice(44, 52), slice(84, 88)))[0] == pytest.approx(90, abs=4)
    assert degrees(led, (slice(8, 12), slice(44, 52)))[0] % 180 == pytest.approx(0, abs=4)
    x = (np.arange(SIDE) - SIDE / 2) / SIDE
    cylinder = np.broadcast_to(np.stack([x, 0 * x, np.sqrt(1 - x * x)])[:, None], (3, SIDE, SIDE)).astype(np.float32)
    found, certainty = degrees(lead(nothing, cylinder, 1.0), (slice(30, 60), slice(30, 60)))
    assert found == pytest.approx(90, abs=1) and certainty > 0.4


def test_normals_lead_the_same_in_any_space() -> None:
    random = np.random.default_rng(4)
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0].astype(np.float32)
    nothing = np.zeros((2, SIDE, SIDE), np.float32)
    turned = np.einsum("ij,jhw->ihw", turn, ball()).astype(np.float32)
    np.testing.assert_allclose(lead(nothing, turned, 1.0), lead(nothing, ball(), 1.0), atol=2e-3)


def test_flat_normals_and_broken_ones_leave_the_picture_s_direction() -> None:
    picture = np.random.default_rng(5).uniform(-0.5, 0.5, (2, SIDE, SIDE)).astype(np.float32)
    for aov in (np.ones((3, SIDE, SIDE)), np.full((3, SIDE, SIDE), np.nan), np.full((2, SIDE, SIDE), np.inf)):
        np.testing.assert_allclose(lead(picture, aov.astype(np.float32), 1.0), picture, atol=1e-6)


def test_a_silhouette_leads_on_its_near_side_only() -> None:
    y, x = np.mgrid[:SIDE, :SIDE]
    post = np.abs(x - 48) < 12
    luma = np.where(post, 0.8, 0.2).astype(np.float32) + 0.02 * np.sin(y * 0.8).astype(np.float32)
    depth = find_borders(None, np.where(post, np.float32(2), np.float32(6)))
    beside = (slice(40, 56), slice(63, 66))
    on = (slice(40, 56), slice(55, 58))
    assert degrees(form_direction(luma, 1.0), beside)[0] == pytest.approx(90, abs=20)  # follows the post
    led = form_direction(luma, 1.0, depth)
    assert abs((degrees(led, beside)[0] + 90) % 180 - 90) < 20  # the ground's own stripes
    assert degrees(led, on)[0] == pytest.approx(90, abs=20)
