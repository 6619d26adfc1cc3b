"""One picture of several keys: no mean of two paintings, no sudden change, patches that come and go by themselves."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tsn.flow.base import Motion
from tsn.flow.warp import warp
from tsn.keys.carry import at_key, carry_on, half_size, paint_quality
from tsn.keys.choice import ShownKey, choose_paint, closeness
from tsn.keys.packed import pack, unpack
from tsn.keys.patch_ranks import patch_ranks
from tsn.keys.reach import REACH
from tsn.keys.silhouettes import close_thin_gaps

HEIGHT, WIDTH = 72, 96
RED, BLUE = (torch.tensor(colour).view(3, 1, 1).expand(3, HEIGHT, WIDTH) for colour in ([1.0, 0, 0], [0, 0, 1.0]))
LIKE = torch.zeros(3, HEIGHT, WIDTH)


def shown(paint: Tensor, distance: int, quality: Tensor | float = 1.0, number: int = 1) -> ShownKey:
    return ShownKey(
        paint=paint,
        ranks=patch_ranks(number, torch.zeros(3, HEIGHT, WIDTH)),
        quality=torch.as_tensor(quality).float().expand(1, HEIGHT, WIDTH),
        distance=distance,
    )


def between(at: int, gap: int = 16) -> tuple[Tensor, Tensor]:
    return choose_paint([shown(RED, at, number=1), shown(BLUE, gap - at, number=2)], LIKE)


@pytest.mark.parametrize(("at", "colour"), [(0, RED), (1, RED), (15, BLUE), (16, BLUE)])
def test_near_a_key_all_is_its_paint(at: int, colour: Tensor) -> None:
    paint, confidence = between(at)
    assert torch.allclose(paint, colour, atol=1e-6)
    assert torch.allclose(confidence, torch.ones(1, HEIGHT, WIDTH))


def test_between_two_keys_hardly_a_place_is_mixed() -> None:
    reds = []
    for at in range(17):
        paint, confidence = between(at)
        assert torch.allclose(paint.sum(0), torch.ones(HEIGHT, WIDTH), atol=1e-5)
        assert ((paint[0] > 0.1) & (paint[0] < 0.9)).float().mean() < 0.25
        assert confidence.min() > 0.99
        reds.append(float(paint[0].mean()))
    steps = [a - b for a, b in pairwise(reds)]
    assert reds[0] == pytest.approx(1) and reds[-1] == pytest.approx(0)
    assert min(steps) >= 0  # no place goes back
    assert max(steps) < 0.3
    assert 0.35 < reds[8] < 0.65


def test_patches_change_over_as_wholes() -> None:
    paint, _ = between(8)
    red = (paint[0] > 0.5).float()
    borders = red.diff(dim=0).abs().mean() + red.diff(dim=1).abs().mean()
    assert 0.02 < borders < 0.3  # single pixels would give 1, a single front .02


def test_each_place_follows_the_key_that_shows_it() -> None:
    left = torch.zeros(1, HEIGHT, WIDTH)
    left[:, :, : WIDTH // 2] = 1
    paint, confidence = choose_paint([shown(RED, 10, left), shown(BLUE, 6, 1 - left)], LIKE)
    middle = WIDTH // 2
    assert paint[0, :, : middle - 1].min() > 0.999 or paint[0, :, : middle - 5].min() > 0.999
    assert paint[2, :, middle + 5 :].min() > 0.999
    assert confidence[:, :, : middle - 5].min() > 0.99


def test_the_better_key_wins_though_it_is_a_little_farther_away() -> None:
    paint, _ = choose_paint([shown(RED, 7, 0.15), shown(BLUE, 9, 1.0)], LIKE)
    assert (paint[2] > 0.5).float().mean() > 0.9


def test_with_distance_patches_go_one_by_one() -> None:
    shares = []
    for distance in range(REACH + 1):
        _, confidence = choose_paint([shown(RED, distance)], LIKE)
        assert ((confidence > 0.1) & (confidence < 0.9)).float().mean() < 0.35
        shares.append(float(confidence.mean()))
    assert shares[:13] == pytest.approx([1.0] * 13)
    assert 0.3 < shares[18] < 0.7
    assert shares[REACH] == 0
    assert all(0 <= a - b < 0.3 for a, b in pairwise(shares))


def test_a_key_in_its_own_frame_leaves_to_others_what_it_did_not_paint() -> None:
    matte = torch.zeros(1, HEIGHT, WIDTH)
    matte[:, :, : WIDTH // 2] = 1
    paint, confidence = choose_paint([shown(RED, 0, matte), shown(BLUE, 5)], LIKE)
    assert paint[0, :, :40].min() > 0.999
    assert paint[2, :, 52:].min() > 0.999
    assert confidence.min() > 0.9


def test_no_key_no_confidence() -> None:
    paint, confidence = choose_paint([], LIKE)
    assert not paint.any() and not confidence.any()
    _, confidence = choose_paint([shown(RED, 3, 0.0)], LIKE)
    assert not confidence.any()


def test_ranks_are_spread_evenly_and_belong_to_the_key() -> None:
    picture = torch.rand(3, 180, 320, generator=torch.Generator().manual_seed(3))
    ranks = patch_ranks(1001, picture)
    assert torch.equal(ranks, patch_ranks(1001, picture))
    assert (ranks != patch_ranks(1002, picture)).float().mean() > 0.9
    counts = torch.histc(ranks, 4, 0, 1) / ranks.numel()
    assert counts.min() > 0.15 and counts.max() < 0.35


def test_patches_follow_the_paint() -> None:
    picture = torch.zeros(3, 72, 96)
    picture[:, :, 41:] = 1  # an edge that no grid of patches knows
    ranks = patch_ranks(1, picture)[0]
    steps = ranks.diff(dim=1).abs().mean(0)
    assert steps[39:42].max() > 3 * steps.median()


def test_closeness() -> None:
    assert closeness(0) > 40 * closeness(1)
    assert closeness(8) == closeness(4) / 2
    assert closeness(REACH) == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (2, 3)])
def test_the_smallest_pictures(size: tuple[int, int]) -> None:
    paint = torch.full((3, *size), 0.5)
    still = torch.zeros(2, *size)
    seen = torch.ones(1, *size)
    motion = Motion(forward=still, backward=still, visibility_forward=seen, visibility_backward=seen)
    carried = close_thin_gaps(unpack(pack(carry_on(at_key(paint), motion, -1))), paint)
    key = ShownKey(
        paint=warp(paint, carried.flow, mode="bicubic"),
        ranks=warp(patch_ranks(1, paint), carried.flow),
        quality=paint_quality(carried, half_size(paint), half_size(paint)),
        distance=carried.distance,
    )
    found, confidence = choose_paint([key], paint)
    assert torch.allclose(found, paint, atol=1e-4)
    assert confidence.min() > 0.99
