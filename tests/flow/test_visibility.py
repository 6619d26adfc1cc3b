"""The flow contract: what is seen at p in frame a is at p + flow(p) in frame b."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tsn.flow.base import RenderedVectors, View, measure
from tsn.flow.visibility import (
    compose,
    consistent,
    inside,
    motion_boundary,
    visibility,
    warp,
    without_bleeding,
)

H, W = 40, 56


def constant(dx: float, dy: float, height: int = H, width: int = W) -> Tensor:
    return torch.tensor([float(dx), float(dy)]).view(2, 1, 1).expand(2, height, width).contiguous()


# --- warp and compose --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@settings(max_examples=20, deadline=None)
@given(dx=st.integers(-9, 9), dy=st.integers(-9, 9))
def test_a_known_shift(mode: str, dx: int, dy: int) -> None:
    """x is right and y is down: a point at (x, y) of a is at (x + dx, y + dy) of b."""
    b = torch.rand(3, H, W, generator=torch.Generator().manual_seed(0))
    seen = warp(b, constant(dx, dy), mode=mode)
    for x, y in ((20, 15), (30, 25), (10, 12)):
        assert torch.allclose(seen[:, y, x], b[:, y + dy, x + dx], atol=1e-4)


def test_no_motion_changes_nothing() -> None:
    image = torch.rand(3, H, W)
    for mode in ("bilinear", "bicubic"):
        assert torch.allclose(warp(image, constant(0, 0), mode=mode), image, atol=1e-5)


def test_half_a_pixel_is_the_mean_of_two() -> None:
    image = torch.rand(1, H, W)
    expected = (image[:, :, :-1] + image[:, :, 1:]) / 2
    assert torch.allclose(warp(image, constant(0.5, 0))[:, :, :-1], expected, atol=1e-4)


def test_outside_repeats_the_border() -> None:
    image = torch.rand(3, H, W)
    assert torch.allclose(warp(image, constant(1000, 0)), image[:, :, -1:].expand(3, H, W), atol=1e-5)


def test_bicubic_is_sharper() -> None:
    image = torch.rand(1, H, W)
    energy = {
        mode: warp(image, constant(0.5, 0.5), mode=mode).diff().square().mean() for mode in ("bilinear", "bicubic")
    }
    assert energy["bicubic"] > 1.1 * energy["bilinear"]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
def test_a_single_row_or_pixel(size: tuple[int, int]) -> None:
    image = torch.rand(3, *size)
    assert torch.allclose(warp(image, constant(0, 0, *size)), image, atol=1e-5)


def test_compose_adds_constant_motion() -> None:
    assert torch.allclose(compose(constant(3, -1), constant(2, 4)), constant(5, 3), atol=1e-5)


def test_compose_takes_the_second_step_where_the_first_led() -> None:
    second = constant(0, 0)
    second[0] = torch.arange(W) * 0.1
    second[1] = (torch.arange(H) * 0.2)[:, None]
    made = compose(constant(4, 3), second)
    assert torch.allclose(made[:, 10, 20], torch.tensor([4 + 24 * 0.1, 3 + 13 * 0.2]), atol=1e-4)


def test_warping_along_a_composed_flow_is_warping_twice() -> None:
    c = torch.rand(3, H, W)
    twice = warp(warp(c, constant(2, 1)), constant(-5, 3))
    assert torch.allclose(
        warp(c, compose(constant(-5, 3), constant(2, 1)))[:, 4:-4, 6:-4], twice[:, 4:-4, 6:-4], atol=1e-4
    )


# --- what is seen ------------------------------------------------------------------------------------


def test_inside() -> None:
    seen = inside(constant(5, -3))
    expected = torch.zeros(1, H, W, dtype=torch.bool)
    expected[:, 3:, : W - 5] = True
    assert torch.equal(seen, expected)


@pytest.mark.parametrize(
    ("flow", "reverse", "seen"),
    [
        ((10, 0), (-10, 0), True),
        # |w + w'|^2 <= 0.01 (|w|^2 + |w'|^2) + 0.5, by hand:
        ((0, 0), (0.7, 0), True),  # 0.49 <= 0.0049 + 0.5
        ((0, 0), (0.72, 0), False),  # 0.5184 > 0.005184 + 0.5
        ((0, 0), (0, -0.72), False),
        ((10, 0), (-8.6, 0), True),  # 1.96 <= 1.7396 + 0.5
        ((10, 0), (-8.5, 0), False),  # 2.25 > 1.7225 + 0.5
        ((10, 0), (10, 0), False),
        ((0, 10), (0, -10), True),
    ],
)
def test_sundarams_threshold(flow, reverse, seen: bool) -> None:
    found = consistent(constant(*flow, 3, 3), constant(*reverse, 3, 3))
    assert found.shape == (1, 3, 3) and bool(found.all()) is bool(found.any()) is seen


@pytest.mark.parametrize(
    ("step", "speed", "boundary"),
    [
        (0.04, 0, False),  # 0.0016 <= 0.002
        (0.05, 0, True),  # 0.0025 > 0.002
        (0.9, 10, False),  # 0.81 <= 0.01 * 100 + 0.002
        (1.1, 10, True),  # 1.21 > 1.002
    ],
)
@pytest.mark.parametrize("axis", [1, 2])
def test_motion_boundary_threshold(step: float, speed: float, boundary: bool, axis: int) -> None:
    flow = constant(speed, 0, 8, 8)
    (flow[:, 4:] if axis == 1 else flow[:, :, 4:])[1] += step
    found = motion_boundary(flow)
    assert found.shape == (1, 8, 8) and found.dtype == torch.bool
    line = found[0, 3] if axis == 1 else found[0, :, 3]
    assert bool(line.all()) is bool(line.any()) is boundary
    assert int(found.sum()) == (8 if boundary else 0)


class Square:
    """A square of 12 pixels that moves by (6, 0) over a background that stands still: the true flow, both ways."""

    name = fingerprint = "square"
    LEFT, TOP, SIDE, STEP = 16, 12, 12, 6

    def area(self, left: int) -> tuple[slice, slice]:
        return slice(self.TOP, self.TOP + self.SIDE), slice(left, left + self.SIDE)

    def pair(self, a: View, b: View) -> tuple[Tensor, Tensor]:
        forward, backward = constant(0, 0), constant(0, 0)
        forward[0][self.area(self.LEFT)] = self.STEP
        backward[0][self.area(self.LEFT + self.STEP)] = -self.STEP
        return forward, backward


def test_a_moving_square_hides_and_uncovers() -> None:
    square = Square()
    views = [View(number=number, image=torch.zeros(3, H, W)) for number in (1, 2)]
    motion = measure(square, *views)
    rows = slice(square.TOP, square.TOP + square.SIDE)
    covered = torch.zeros(1, H, W)
    covered[0, rows, square.LEFT + square.SIDE : square.LEFT + square.SIDE + square.STEP] = 1
    assert torch.equal(motion.seen_forward, 1 - covered), "background in front of the square goes under it"
    uncovered = torch.zeros(1, H, W)
    uncovered[0, rows, square.LEFT : square.LEFT + square.STEP] = 1
    assert torch.equal(motion.seen_backward, 1 - uncovered), "background behind it was not there before"
    assert motion.seen_forward.dtype == torch.float32


class Bleeding(Square):
    """An estimate of that motion which goes two pixels too far to the left, there and back alike."""

    name = fingerprint = "dis"
    BLEED = 2

    def pair(self, a: View, b: View) -> tuple[Tensor, Tensor]:
        forward, backward = super().pair(a, b)
        rows = slice(self.TOP, self.TOP + self.SIDE)
        forward[0, rows, self.LEFT - self.BLEED : self.LEFT] = self.STEP
        left = self.LEFT + self.STEP
        backward[0, rows, left - self.BLEED : left] = -self.STEP
        return forward, backward


def pictures(square: Square, *, grain: float = 0.0, light: float = 1.0) -> list[View]:
    """Two moments of a grey square before a textured wall that brightens."""
    random = torch.Generator().manual_seed(3)
    wall = 0.2 + 0.6 * torch.rand(3, H, W, generator=random)
    views = []
    for number, left in ((1, square.LEFT), (2, square.LEFT + square.STEP)):
        image = wall.clone()
        image[(slice(None), *square.area(left))] = 0.5
        image = image * (light if number == 2 else 1) + grain * torch.randn(3, H, W, generator=random)
        views.append(View(number=number, image=image))
    return views


def test_what_an_estimate_bleeds_over_is_not_seen() -> None:
    square = Bleeding()
    views = pictures(square)
    forward, backward = square.pair(*views)
    strip = (0, slice(square.TOP, square.TOP + square.SIDE), slice(square.LEFT + 4, square.LEFT + 6))
    assert visibility(backward, forward)[strip].all(), "going back and forth tells nothing"
    seen = measure(square, *views).seen_backward
    assert seen[strip].mean() < 0.1
    assert seen[:, :, square.LEFT + square.STEP : square.LEFT + square.STEP + square.SIDE].all(), (
        "nor is the square doubted"
    )


def test_far_from_what_is_hidden_a_difference_is_light() -> None:
    square = Square()
    seen = measure(square, *pictures(square, light=1.2)).seen_backward
    beside = slice(square.LEFT - 2, square.LEFT + square.STEP + 2)
    assert seen[:, :, : beside.start].all() and seen[:, :, beside.stop :].all()


def test_grain_is_no_doubt() -> None:
    square = Square()
    clean, grainy = (measure(square, *pictures(square, grain=grain)).seen_backward for grain in (0.0, 0.03))
    assert (clean - grainy).abs().mean() < 0.01


def test_a_renderers_vectors_are_not_doubted() -> None:
    square = Bleeding()
    square.name = "vectors"
    still = RenderedVectors(to_previous=None, to_next=None, valid=torch.ones(1, H, W))
    views = [replace(view, vectors=still) for view in pictures(square)]
    forward, backward = square.pair(*views)
    assert torch.equal(measure(square, *views).seen_backward, visibility(backward, forward))
    unknown = [replace(view, vectors=replace(still, valid=torch.zeros(1, H, W))) for view in views]
    assert (measure(square, *unknown).seen_backward < visibility(backward, forward)).any()


def test_silhouettes_stay_visible() -> None:
    forward, backward = Square().pair(None, None)  # type: ignore[arg-type]
    edge = motion_boundary(forward) & (visibility(forward, backward) == 1)
    assert edge.any()


def test_out_of_frame_is_not_seen() -> None:
    seen = visibility(constant(7, 0), constant(-7, 0))
    assert not seen[:, :, W - 7 :].any() and seen[:, :, : W - 7].all()


def test_same_bits_at_any_number_of_threads(threads) -> None:
    random = torch.Generator().manual_seed(1)
    image = torch.rand(3, 270, 480, generator=random)
    flow, reverse = (torch.randn(2, 270, 480, generator=random) * 3 for _ in "ab")
    results = []
    for count in (1, 2, 4):
        threads(count)
        seen = visibility(flow, reverse)
        doubted = without_bleeding(flow, seen, image, image.flip(0))
        results.append((warp(image, flow, mode="bicubic"), compose(flow, reverse), seen, doubted))
    for result in results[1:]:
        assert all(torch.equal(one, other) for one, other in zip(result, results[0], strict=True))
