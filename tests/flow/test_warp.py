"""The flow contract: what is seen at p in frame a is at p + flow(p) in frame b."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tsn.flow.warp import compose, consistent, in_frame, visibility, warp

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
    seen = in_frame(constant(5, -3))
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


def square() -> tuple[Tensor, Tensor]:
    """A square of 12 pixels that moves by (6, 0) over a background that stands still: the true flow, both ways."""
    forward, backward = constant(0, 0), constant(0, 0)
    forward[0, 12:24, 16:28], backward[0, 12:24, 22:34] = 6, -6
    return forward, backward


def test_a_moving_square_hides_and_uncovers() -> None:
    forward, backward = square()
    covered, uncovered = torch.zeros(1, H, W), torch.zeros(1, H, W)
    covered[0, 12:24, 28:34] = uncovered[0, 12:24, 16:22] = 1
    seen = visibility(forward, backward)
    assert torch.equal(seen, 1 - covered), "background in front of the square goes under it"
    assert torch.equal(visibility(backward, forward), 1 - uncovered), "background behind it was not there before"
    assert seen.dtype == torch.float32


def test_silhouettes_stay_visible() -> None:
    forward, backward = square()
    seen = visibility(forward, backward)
    assert bool((seen[0, 12:24, 16:28] == 1).all()), "all of the square, its border too"
    assert bool((seen[0, 11, 16:28] == 1).all()) and bool((seen[0, 12:24, 15] == 1).all()), "and what lies beside it"


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
        results.append((warp(image, flow, mode="bicubic"), compose(flow, reverse), visibility(flow, reverse)))
    for result in results[1:]:
        assert all(torch.equal(one, other) for one, other in zip(result, results[0], strict=True))
