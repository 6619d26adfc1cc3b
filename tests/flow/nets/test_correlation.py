"""Patch correlation around a motion."""

from __future__ import annotations

import torch

from tsn.flow.nets.correlation import PATCH_PX, correlation_volume, patch_descriptors

H, W = 48, 64


def rough(seed: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(seed))


def test_a_change_of_light_leaves_likeness_alone() -> None:
    light = rough(1, H, W)
    result = patch_descriptors(light)
    assert result.shape == (1, PATCH_PX**2, H // 2, W // 2)
    likeness = (result * patch_descriptors(0.6 * light + 0.1)).sum(1)
    assert likeness.mean() > 0.97
    assert (result * patch_descriptors(rough(2, H, W))).sum(1).abs().mean() < 0.3


def test_what_is_plain_is_like_nothing() -> None:
    plain = patch_descriptors(0.4 + 0.001 * torch.randn(1, 1, H, W, generator=torch.Generator().manual_seed(1)))
    assert (plain * plain).sum(1).max() < 0.05


def test_the_best_is_found_beside_where_the_motion_leads() -> None:
    wide = rough(3, H, W + 8)
    pair = torch.cat([wide[..., :W], wide[..., 4 : W + 4]])  # what is at x is at x - 4: two cells
    flow = torch.zeros(2, 2, H // 2, W // 2)
    flow[0, 0], flow[1, 0] = -1, 1  # half of the way
    found = correlation_volume(patch_descriptors(pair), flow, 2).view(2, 5, 5, H // 2, W // 2)
    inner = (..., slice(4, -4), slice(4, -4))
    best = found[0].flatten(0, 1)[inner].argmax(0)
    assert (best == 2 * 5 + 1).float().mean() > 0.95, "one cell further left"
    assert (found[1].flatten(0, 1)[inner].argmax(0) == 2 * 5 + 3).float().mean() > 0.95
    assert found[0, 2, 1][inner].mean() > 0.95
