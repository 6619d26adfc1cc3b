"""Keys carried along motion: exact places, what is hidden, what is stretched, how they fade."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tsn.flow.base import Motion
from tsn.flow.warp import in_frame, visibility, warp
from tsn.keys.carry import (
    FULL_REACH,
    CarriedKey,
    agreement,
    at_key,
    carry_on,
    fade,
    half_flow,
    half_size,
    kept_detail,
    paint_quality,
    sample_surfaces,
)
from tsn.keys.reach import REACH

HEIGHT, WIDTH = 48, 64


def flow_of(dx: float, dy: float = 0.0) -> Tensor:
    return torch.tensor([float(dx), float(dy)]).view(2, 1, 1).repeat(1, HEIGHT, WIDTH)


def motion_of(forward: Tensor, backward: Tensor) -> Motion:
    return Motion(
        forward=forward,
        backward=backward,
        visibility_forward=visibility(forward, backward),
        visibility_backward=visibility(backward, forward),
    )


def pan(dx: float, dy: float = 0.0) -> Motion:
    return motion_of(flow_of(dx, dy), flow_of(-dx, -dy))


def key() -> CarriedKey:
    return at_key(torch.zeros(3, HEIGHT, WIDTH))


def occluder(left: int) -> Tensor:
    """(1, H, W): a box of 12 pixels from column `left`."""
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, 16:32, left : left + 12] = 1
    return mask


def box_moves(left: int, step: int) -> Motion:
    """A box moves by `step` over a background that stands still."""
    move = flow_of(step)
    return motion_of(occluder(left) * move, -occluder(left + step) * move)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_pan_adds_up(direction: int) -> None:
    carried = key()
    for _ in range(4):
        carried = carry_on(carried, pan(3, 1), direction)
    assert carried.distance == 4
    assert torch.allclose(carried.flow, flow_of(-12 * direction, -4 * direction))
    assert torch.allclose(carried.visibility, in_frame(carried.flow).float(), atol=1e-4)


def test_what_was_hidden_stays_hidden_and_moves_with_its_surface() -> None:
    carried, left = key(), 8
    for step in (4, 4, 4):
        carried = carry_on(carried, box_moves(left, step), 1)
        left += step
    expected = torch.ones(1, HEIGHT, WIDTH)
    expected[:, 16:32, 8:20] = 0  # background that the box hid in the key's frame
    expected[:, 16:32, 20:32] = 1  # the box
    assert torch.allclose(carried.visibility, expected, atol=1e-4)
    assert torch.allclose(carried.flow[:, 16:32, 20:32], flow_of(-12)[:, 16:32, 20:32], atol=1e-4)
    assert not carried.flow[:, :16].any()


def test_motions_of_two_surfaces_are_never_mixed() -> None:
    carried, left = key(), 8.0
    shift = flow_of(-0.5)  # steps that lead between pixels
    for _ in range(6):
        field = torch.cat([carried.flow, carried.visibility])
        carried = CarriedKey(flow=shift + sample_surfaces(field, shift)[:2], visibility=carried.visibility, distance=1)
        left += 0.5
    split = torch.where(occluder(20) > 0, flow_of(-12), flow_of(0))
    found = sample_surfaces(torch.cat([split, occluder(20)]), shift)
    assert set(found[0].unique().tolist()) == {0.0, -12.0}


def test_an_even_zoom_is_sampled_between_pixels() -> None:
    x = torch.arange(WIDTH, dtype=torch.float32).expand(2, HEIGHT, WIDTH)
    found = sample_surfaces(torch.cat([x * 0.9, x[:1]]), flow_of(0.5))
    assert torch.allclose(
        found[:, :, :-1],
        torch.cat([x * 0.9, x[:1]])[:, :, :-1] + torch.tensor([0.45, 0.45, 0.5]).view(3, 1, 1),
        atol=1e-4,
    )


@pytest.mark.parametrize(
    ("across", "down", "kept"),
    [
        (1, 1, 1),
        (1.35, 1.35, 1),
        (1 / 1.35, 1, 1),
        (2.1, 1, 0.5),
        (1, 1 / 2.1, 0.5),
        (3, 1, 0),
        (0.3, 0.3, 0),
        (-1, 1, 0),
    ],
)
def test_stretching_and_squeezing_lose_detail(across: float, down: float, kept: float) -> None:
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(32.0), indexing="ij")
    flow = torch.stack([x * (across - 1), y * (down - 1)])
    assert torch.allclose(kept_detail(flow), torch.full((1, 24, 32), float(kept)), atol=0.01)


def test_turning_keeps_detail() -> None:
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(32.0), indexing="ij")
    flow = torch.stack([-x - y, x - y])  # by 90 degrees
    assert torch.equal(kept_detail(flow), torch.ones(1, 24, 32))


def test_paint_of_another_light_is_not_trusted() -> None:
    plate = torch.full((3, 24, 32), 0.4)
    grain = 0.2 * (torch.rand(3, 24, 32, generator=torch.Generator().manual_seed(0)) - 0.5)
    shadow = plate.clone()
    shadow[:, :, 16:] = 0.1
    none = torch.zeros(2, 24, 32)
    assert torch.equal(agreement(plate, plate + grain, none), torch.ones(1, 24, 32))
    found = agreement(plate, shadow, none)
    assert found[:, :, :12].eq(1).all()
    assert found[:, :, 20:].eq(0).all()


def test_quality_is_whole_at_the_key_and_nothing_where_it_is_hidden() -> None:
    picture = torch.full((3, HEIGHT // 2, WIDTH // 2), 0.5)
    assert torch.equal(paint_quality(key(), picture, picture), torch.ones(1, HEIGHT, WIDTH))
    carried = carry_on(key(), box_moves(8, 12), 1)
    quality = paint_quality(carried, picture, picture)
    assert not quality[:, 16:32, 8:20].any()  # uncovered
    assert quality[:, 18:30, 20:22].max() < 0.3  # its rim, where the box's outline was painted
    assert quality[:, 40:].eq(1).all()


def test_the_fade_is_smooth_and_ends() -> None:
    weights = [fade(distance) for distance in range(REACH + 3)]
    assert weights[: FULL_REACH + 1] == [1.0] * (FULL_REACH + 1)
    assert weights[REACH:] == [0.0] * 3
    steps = [a - b for a, b in pairwise(weights)]
    assert max(steps) < 0.13 and min(steps) >= 0
    assert steps[REACH - 1] < 0.03


def test_half_a_flow_is_in_pixels_of_half_the_size() -> None:
    assert torch.equal(half_flow(flow_of(6, 2)), torch.tensor([3.0, 1.0]).view(2, 1, 1).expand(2, 24, 32))
    assert half_flow(torch.zeros(2, 1, 1)).shape == half_size(torch.zeros(2, 1, 1)).shape == (2, 1, 1)


def test_carried_paint_is_the_key_s_own() -> None:
    paint = torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(2))
    carried = carry_on(carry_on(key(), pan(2), 1), pan(3), 1)
    assert torch.allclose(warp(paint, carried.flow, mode="bicubic")[:, :, 5:], paint[:, :, :-5], atol=1e-4)
