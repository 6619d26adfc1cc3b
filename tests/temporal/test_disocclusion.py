from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tsn.flow.base import Motion
from tsn.flow.warp import visibility
from tsn.temporal import disocclusion, window
from tsn.temporal.disocclusion import MotionStep, derive_step, frame_silhouettes, silhouette_mask
from tsn.temporal.pipeline import derive_window_frame, stabilise_paint

H, W, K = 64, 96, 4
SPEED = 4


def left_of(t: int) -> int:
    """First column of a post, 16 px wide, that moves to the right before a wall that stands still."""
    return 24 + SPEED * t


def moving(t: int) -> MotionStep:
    """The step from frame t to t + 1."""

    def flow(at: int, dx: float) -> Tensor:
        field = torch.zeros(2, H, W)
        field[0, :, left_of(at) : left_of(at) + 16] = dx
        return field

    there, back = flow(t, SPEED), flow(t + 1, -SPEED)
    return derive_step(
        Motion(
            forward=there,
            backward=back,
            visibility_forward=visibility(there, back),
            visibility_backward=visibility(back, there),
        )
    )


def around(t: int, count: int = K) -> tuple[list[MotionStep], list[MotionStep]]:
    return [moving(t - 1 - i) for i in range(count)], [moving(t + i) for i in range(count)]


def test_a_silhouette_is_where_two_motions_meet() -> None:
    found = silhouette_mask(moving(0).motion.forward)[0, H // 2]
    edges = [left_of(0) - 1, left_of(0), left_of(0) + 15, left_of(0) + 16]
    assert found.nonzero().flatten().tolist() == edges and (found[edges] == 1).all()


def test_a_surface_that_bends_is_none() -> None:
    bend = torch.zeros(2, H, W)
    bend[0] = torch.arange(W) * 0.05  # a zoom by a twentieth
    assert not silhouette_mask(bend).any()


def test_silhouettes_by_the_motion_to_both_sides(noise) -> None:
    before, after = around(2)
    both = frame_silhouettes(before, after, noise(H, W))
    assert both.shape == (1, H, W) and both[0, 0, left_of(2)] == 1
    assert torch.equal(frame_silhouettes([], [], noise(H, W)), torch.zeros(1, H, W))


@pytest.mark.parametrize("size", [(H, W), (30, 50), (3, 5), (1, 1)])
def test_of_any_size(motion, size: tuple[int, int]) -> None:
    made = derive_step(motion(1, 0, *size))
    assert (
        made.near_silhouette_first.shape
        == made.near_silhouette_second.shape
        == (1, max(1, size[0] // 4), max(1, size[1] // 4))
    )
    assert not made.near_silhouette_first.any(), "all moves alike"


def weighed() -> tuple[Tensor, list[window.Tap]]:
    """The weights of frame 0's window, whose Gaussian is flat."""
    before, after = around(0)
    taps = window.window_taps([s.motion for s in before], [s.motion for s in after], 1e6)
    return disocclusion.weight_taps(
        taps, [window.reduce_flow(tap.flow) for tap in taps], before, after, torch.empty(3, H, W), 4.0
    )


def test_paint_beside_a_silhouette_counts_for_little() -> None:
    own, taps = weighed()
    row = own[0, H // 2]
    assert row[left_of(0) + 17] == pytest.approx(disocclusion.SILHOUETTE_WEIGHT, abs=0.05) and row[:8].min() > 0.99
    tap = next(tap for tap in taps if tap.offset == 2)
    there = left_of(2) - 2  # beside the post by then, far from it now
    assert tap.weight[0, H // 2, there] < 0.3 < 0.99 < tap.weight[0, H // 2, 4]


def test_what_is_uncovered_opens_with_its_own_paint() -> None:
    own, weighted = weighed()
    fresh, earlier = left_of(0) - 3, left_of(0) - 3 - SPEED
    assert own[0, H // 2, fresh] > 4.0 > own[0, H // 2, earlier]
    last = next(tap for tap in weighted if tap.offset == -1)
    assert last.weight[0, H // 2, earlier] > 1 > last.weight[0, H // 2, 4] - 1e-3, (
        "it settles, and is not dropped at once"
    )


def test_a_contour_leaves_no_echo() -> None:
    """A style that draws a white line around the post: none stays on the wall where the post was."""

    def paint(t: int) -> Tensor:
        picture = torch.full((3, H, W), 0.4)
        picture[:, :, left_of(t) - 2 : left_of(t) + 18] = 1
        picture[:, :, left_of(t) : left_of(t) + 16] = 0.1
        return picture

    grey = torch.full((3, H, W), 0.5)
    frames = {offset: derive_window_frame(grey, paint(offset)) for offset in range(-K, K + 1)}
    made = stabilise_paint(*around(0), frames, radius=K, detail=0.0)
    motions = [[s.motion for s in side] for side in around(0)]
    plain = window.weighted_mean(torch.ones(1, H, W), paint(0), window.window_taps(*motions, 3.0), paint)
    ahead = (slice(None), slice(8, -8), slice(left_of(1) + 15, left_of(4) + 18))  # where the post will be
    assert (made[ahead] - 0.4).abs().max() < 0.03 < 0.06 < (plain[ahead] - 0.4).abs().max()
    behind = made[:, 8:-8, 4 : left_of(-1) - 2]
    assert (behind - 0.4).abs().max() < 0.12, "what opened with the line, 0.6 lighter, has nearly settled"
