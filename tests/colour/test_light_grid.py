"""Local means among pixels of about the same light."""

import torch
from torch import Tensor

from tsn.colour.light_grid import CELL_PX, LightGrid


def stops_of(height: int, width: int) -> Tensor:
    """A lamp of five stops on a wall of one."""
    stops = torch.ones(1, height, width)
    stops[:, height // 3 : height // 2, width // 3 : width // 2] = 5
    return stops


def test_a_constant_is_spread_as_it_is() -> None:
    stops = 13 * torch.rand(1, 50, 70, generator=torch.Generator().manual_seed(1))
    grid = LightGrid(stops)
    cells = grid.gather(torch.ones_like(stops))
    assert torch.allclose(grid.spread(torch.full_like(cells, 3.0)), torch.tensor(3.0))


def test_a_lamps_mean_is_the_lamps() -> None:
    stops = stops_of(96, 128)
    grid = LightGrid(stops)
    sums = grid.gather(torch.cat([stops, torch.ones_like(stops)]))
    assert torch.allclose(grid.spread(sums[:, :1] / (sums[:, 1:] + 1e-9)), stops, atol=1e-3)


def test_a_block_counts_where_its_brightest_pixel_is() -> None:
    """So a spark of one pixel in a large picture keeps its energy at its own light."""
    stops = torch.zeros(1, 1080, 400)
    stops[:, 541, 200] = 4
    grid = LightGrid(stops)
    assert grid.block == 3
    pooled = grid.gather_pooled(grid.pool((stops > 0).float()))
    whole = grid.gather((stops > 0).float())
    assert pooled.shape == whole.shape == (5, 1, 90, -(-400 // (3 * CELL_PX)))
    assert torch.allclose(pooled, whole, atol=1e-6)
    assert pooled[4].sum() > 0 and pooled[0].sum() == 0
    assert grid.spread_pooled(pooled).shape == (1, 360, 134)
