from __future__ import annotations

from dataclasses import replace

import torch
from hypothesis import given
from hypothesis import strategies as st
from pytest import mark, raises

from tsn.errors import InputError
from tsn.keys import doubt as doubting
from tsn.keys.analogy import analogy_losses, make_pool, nearest
from tsn.keys.doubt import doubt
from tsn.keys.losses import colour_loss, key_losses
from tsn.keys.patches import centres, cut, join, patch_side, place

LAYERS = ("1_2", "2_2", "3_3")


@given(height=st.integers(16, 70), width=st.integers(16, 70), seed=st.integers(0, 99), align=st.booleans())
def test_patches_lie_in_the_frame_around_what_is_wanted(height, width, seed, align):
    wanted = torch.zeros(1, height, width)
    y, x = seed % height, (7 * seed) % width
    wanted[0, y, x] = 1
    top, left = place(centres(wanted), (height, width), 16, torch.Generator().manual_seed(seed), align=align)
    assert 0 <= top <= height - 16 and 0 <= left <= width - 16
    assert -16 < y - top < 32 and -16 < x - left < 32
    assert not align or top % 4 == left % 4 == 0


def test_a_patch_is_the_part_of_the_frame_weighted_by_key_and_cover(guided, key_of):
    frame = guided(0)
    frame = replace(frame, cover=torch.full_like(frame.confidence, 0.5))
    patch = cut(frame, key_of(frame), (8, 12), 16)
    assert torch.equal(patch.target[0], 1 - frame.picture[:, 8:24, 12:28])
    assert torch.equal(patch.guides[0], frame.guides[:, 8:24, 12:28])
    assert (patch.weight == 0.5).all()
    assert torch.equal(cut(frame, None, (8, 12), 16).target, patch.picture)


def test_patches_fit_into_small_frames(guided):
    assert patch_side([guided(size=(48, 64))], 96) == 48
    assert patch_side([guided(size=(48, 64)), guided(size=(22, 90))], 96) == 20
    with raises(InputError, match="64 x 7 pixels are too small to learn from: expected at least 8"):
        patch_side([guided(size=(7, 64))], 96)


@mark.parametrize(("lost", "holes"), [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0)])
def test_doubt_loses_paint_where_it_says_so(guided, key_of, monkeypatch, lost, holes):
    monkeypatch.setattr(doubting, "LOST", lost)
    monkeypatch.setattr(doubting, "HOLES", holes)
    frame = guided(0)
    patches = join([cut(frame, key_of(frame), corner, 32) for corner in ((0, 0), (16, 32), (8, 8), (0, 30))])
    worse = doubt(patches, torch.Generator().manual_seed(0))
    assert torch.equal(worse.target, patches.target) and torch.equal(worse.picture, patches.picture)
    trusted = worse.confidence > 0.9
    share = float(trusted.float().mean())
    assert share == {1.0: 0.0, 0.0: 1.0}[lost] if not holes else 0.1 < share < 0.9
    error = (worse.carried - patches.carried).abs().amax(1, keepdim=True)
    assert not trusted.any() or error[trusted].mean() < 0.1
    assert worse.confidence[~trusted].mean() < 0.5 if not trusted.all() else True


def test_losses_are_0_on_the_key_and_count_by_weight(guided, key_of, perceptual):
    frame = guided(0)
    patch = cut(frame, key_of(frame), (0, 0), 48)
    maps, plain = (perceptual(x, last="3_3") for x in (patch.target, patch.picture))
    assert [float(x) for x in key_losses(maps, maps, patch.weight, LAYERS)] == [0, 0]
    assert min(float(x) for x in key_losses(plain, maps, patch.weight, LAYERS)) > 0.01
    assert [float(x) for x in key_losses(plain, maps, 0 * patch.weight, LAYERS)] == [0, 0]
    half = patch.weight.clone()
    half[..., :24] = 0
    wrong = torch.where(half > 0, patch.target, patch.picture)
    shown = patch.confidence
    assert colour_loss(wrong, patch.target, half, shown) == 0 < colour_loss(wrong, patch.target, patch.weight, shown)
    assert colour_loss(wrong, patch.target, half, 0 * shown) < colour_loss(wrong, patch.target, patch.weight, 0 * shown)


def test_where_no_paint_is_shown_strokes_may_lie_elsewhere_but_not_colours():
    checks = torch.zeros(1, 3, 32, 32)
    checks[:, :, ::2, ::2] = checks[:, :, 1::2, 1::2] = 1
    weight = torch.ones(1, 1, 32, 32)
    moved, grey = checks.roll(1, -1), torch.full_like(checks, 0.2)
    assert colour_loss(moved, checks, weight, weight) == 1
    assert colour_loss(moved, checks, weight, 0 * weight) == 0.25
    assert colour_loss(grey, checks, weight, 0 * weight) > colour_loss(moved, checks, weight, 0 * weight)


def test_a_place_finds_its_own_cell_and_its_paint_has_no_loss(guided, key_of, perceptual):
    frame = guided(0)
    patch = cut(frame, key_of(frame), (0, 0), 48)
    pool = make_pool([patch], perceptual, LAYERS, torch.Generator())
    index = nearest(pool, patch.picture, perceptual)
    assert index.shape == (1, 144)
    inner = index.view(12, 12)[2:-2, 2:-2]
    assert torch.allclose(pool.colour[inner], patch_colours(patch.target)[2:-2, 2:-2], atol=0.02)
    right = analogy_losses(patch.target, perceptual(patch.target, last="3_3"), pool, index, LAYERS)
    wrong = analogy_losses(patch.picture, perceptual(patch.picture, last="3_3"), pool, index, LAYERS)
    assert right[0] < 0.7 * wrong[0] and right[1] < 0.7 * wrong[1]


def weights(*painted, size=(32, 32), weight=1.0):
    """(1, 1, H, W), `weight` in one rectangle (top, left, bottom, right)."""
    top, left, bottom, right = painted or (0, 0, *size)
    whole = torch.zeros(1, 1, *size)
    whole[..., top:bottom, left:right] = weight
    return whole


@mark.parametrize(
    ("weight", "cells"),
    [
        (weights(), 4 * 4),
        (weights(weight=0.5), 4 * 4),
        (weights(0, 0, 7, 7), 1),  # a corner: only in cells that know of the border
        (weights(0, 13, 32, 16), 4),  # a line
        (weights(size=(8, 8)), 4),
        (weights(size=(12, 12)), 1),
        (0 * weights(), None),
    ],
)
def test_cells_of_the_pool_are_those_that_are_painted_most(guided, key_of, perceptual, weight, cells):
    frame = guided(0)
    patch = replace(cut(frame, key_of(frame), (0, 0), weight.shape[-1]), weight=weight)
    pool = make_pool([patch], perceptual, LAYERS, torch.Generator())
    assert (None if pool is None else len(pool.plate)) == cells
    if pool is not None:
        index = nearest(pool, patch.picture, perceptual)
        painted = patch.target.clone().requires_grad_()
        texture, colour = analogy_losses(painted, perceptual(painted, last="3_3"), pool, index, LAYERS)
        (texture + colour).backward()
        assert painted.grad.isfinite().all()


def patch_colours(picture):
    return torch.nn.functional.avg_pool2d(picture, 4)[0].permute(1, 2, 0)
