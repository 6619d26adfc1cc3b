"""The motion of most of what surrounds a place."""

from __future__ import annotations

import pytest
import torch

from tsn.flow.nets.proposals import CELL_PX, context_flow
from tsn.flow.warp import warp_batch

H, W = 12 * CELL_PX, 16 * CELL_PX
HOLE = (..., slice(4 * CELL_PX, 7 * CELL_PX), slice(6 * CELL_PX, 9 * CELL_PX))
"""Three cells a side: less than half of any window of seven."""


@pytest.fixture
def still() -> torch.Tensor:
    return torch.zeros(1, 2, H, W)


@pytest.mark.parametrize("radius", [3, 8])
def test_where_a_shadow_runs_it_is_the_floors(still, radius: int) -> None:
    flow = still + torch.tensor([2.5, -1.0]).view(2, 1, 1)
    found = flow.clone()
    found[HOLE] = 30
    torch.testing.assert_close(context_flow(found, still, radius), flow, rtol=0, atol=1e-5)


def test_what_misses_itself_there_and_back_counts_for_nothing(still) -> None:
    found, missed = still.clone(), still.clone()
    found[..., : 3 * W // 4] = 20  # most of the picture
    missed[..., : 3 * W // 4] = 5
    assert context_flow(found, missed, 8)[..., W // 2 :].abs().max() < 1e-3


@pytest.mark.parametrize("miss,counts", [(0.9, True), (1.1, False)])
def test_of_a_cell_only_what_meets_counts(still, miss: float, counts: bool) -> None:
    found, missed = still.clone(), still.clone()
    found[..., ::2], missed[:, 0, :, ::2] = 8, miss  # every other column of each cell
    torch.testing.assert_close(context_flow(found, missed, 3), still + 4.0 * counts, rtol=0, atol=0.02)


def test_where_nothing_else_is_it_counts(still) -> None:
    found = still + 7
    torch.testing.assert_close(context_flow(found, still + 5, 3), found, rtol=0, atol=1e-5)


def test_it_follows_a_floor_that_a_camera_moves_over(still) -> None:
    found = still.clone()
    found[:, 0] = torch.arange(H)[:, None] / 10
    moved = context_flow(found, still, 3)[:, :, 4 * CELL_PX : -4 * CELL_PX]
    torch.testing.assert_close(moved, found[:, :, 4 * CELL_PX : -4 * CELL_PX], rtol=0, atol=0.06)


def test_samples_and_directions_know_nothing_of_each_other() -> None:
    rng = torch.Generator().manual_seed(1)
    flow, missed = (2 * torch.randn(3, 2, H, W, generator=rng) for _ in range(2))
    whole = context_flow(flow, missed, 3)
    assert whole.shape == flow.shape
    for n in range(3):
        assert torch.equal(context_flow(flow[n : n + 1], missed[n : n + 1], 3)[0], whole[n])
    turned = context_flow(flow.flip(1), missed.flip(1), 3)
    assert torch.equal(turned.flip(1), whole)


def test_it_moves_with_everything(still) -> None:
    rng = torch.Generator().manual_seed(2)
    flow = 2 * torch.randn(1, 2, H, W, generator=rng)
    missed = flow + warp_batch(flow.flip(3), flow)
    torch.testing.assert_close(
        context_flow(flow + 16, missed, 8), context_flow(flow, missed, 8) + 16, rtol=0, atol=1e-4
    )
