"""Local means of a picture among pixels of about the same light: a bilateral grid.

After Chen, Paris and Durand 2007, "Real-time edge-aware image processing with the bilateral grid". A mean over a
neighbourhood mixes a lamp with the wall behind it, and whatever is computed from it has a halo. Here each pixel belongs
to the two levels of light that its own is between, and means are taken level by level: a lamp's among the lamp's
pixels, the wall's among the wall's. Everything is linear between levels and between cells, so nothing has an edge that
the picture has not.
"""

from __future__ import annotations

from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.determinism import resize_bilinear

LEVELS = 12
"""Levels at most, one a stop; what is brighter than the last counts there."""
CELL_PX = 4
"""Edge of a cell in a picture of `LINES` lines, in proportion in others; a mean covers about five in each direction."""
LINES = 360
_SMOOTHINGS = 2
_BAND_CELLS = 8
"""Rows of cells that are gathered at once: what they need stays in the cache."""


class LightGrid:
    """The grid of one frame.

    Args:
        stops: the light of each pixel in stops from the first level on, (1, H, W), at least 0.
    """

    def __init__(self, stops: Tensor) -> None:
        self._stops = stops
        self.block = max(1, round(stops.shape[-2] / LINES))
        """Edge in pixels of the blocks of `pool`; a cell has `CELL_PX` of them."""
        self._levels = min(LEVELS, 1 + int(stops.max().ceil()))

    def gather(self, x: Tensor) -> Tensor:
        """Local sums of (C, H, W) over each level's share of the pixels, divided by the number of all pixels near.

        Returns:
            (levels, C, h, w); dividing one such sum by another gives a weighted mean.
        """
        return self._gather(x, self._stops, self.block * CELL_PX)

    def gather_pooled(self, pooled: Tensor) -> Tensor:
        """`gather` of means over blocks, (C, H / block, W / block) rounded up: fast, and right for what shines.

        A block counts at the level of its brightest pixel, whose light makes up its mean.
        """
        return self._gather(pooled, self._brightest, CELL_PX)

    def pool(self, x: Tensor) -> Tensor:
        """Means over blocks of some rows of a picture, for `gather_pooled`."""
        return F.avg_pool2d(x, self.block, ceil_mode=True) if self.block > 1 else x

    def spread(self, grid: Tensor) -> Tensor:
        """(levels, 1, h, w) at every pixel: (1, H, W), linear between cells and levels."""
        return _spread(grid, self._stops, self.block * CELL_PX)

    def spread_pooled(self, grid: Tensor) -> Tensor:
        """`spread` at each block's brightest pixel: (1, H / block, W / block) rounded up."""
        return _spread(grid, self._brightest, CELL_PX)

    @cached_property
    def _brightest(self) -> Tensor:
        return F.max_pool2d(self._stops, self.block, ceil_mode=True) if self.block > 1 else self._stops

    def _gather(self, x: Tensor, stops: Tensor, cell: int) -> Tensor:
        rows = _BAND_CELLS * cell
        bands = [slice(i, i + rows) for i in range(0, stops.shape[-2], rows)]
        cells = torch.cat([self._band(x[:, band], stops[:, band], cell) for band in bands], dim=2)
        for _ in range(_SMOOTHINGS):
            cells = F.avg_pool2d(cells, 3, 1, 1, count_include_pad=False)
        around = F.pad(cells, (0, 0, 0, 0, 0, 0, 1, 1))
        return (around[:-2] + 2 * around[1:-1] + around[2:]) / 4

    def _band(self, x: Tensor, stops: Tensor, cell: int) -> Tensor:
        """Means over the cells of some rows, (levels, C, h, w); the shares of a pixel in the levels sum to 1."""
        below, above, share, shared = torch.ones_like(stops), *(torch.empty_like(y) for y in (stops, stops, x))
        means = []
        for level in range(self._levels):
            if level < LEVELS - 1:
                torch.sub(below, _fraction_above(stops, level, above), out=share)
            else:
                share = below
            means.append(F.avg_pool2d(torch.mul(share, x, out=shared), cell, ceil_mode=True))
            below, above = above, below
        return torch.stack(means)


def _spread(grid: Tensor, stops: Tensor, cell: int) -> Tensor:
    def at_pixels(cells: Tensor) -> Tensor:
        size = cells.shape[-2] * cell, cells.shape[-1] * cell
        return resize_bilinear(cells, size)[:, : stops.shape[-2], : stops.shape[-1]]

    x = at_pixels(grid[0]).contiguous()
    above = torch.empty_like(x)
    for level, step in enumerate(grid.diff(dim=0)):
        x += _fraction_above(stops, level, above).mul_(at_pixels(step))
    return x


def _fraction_above(stops: Tensor, level: int, out: Tensor) -> Tensor:
    """0 up to a level, 1 from the next one on, in `out`."""
    return torch.sub(stops, level, out=out).clamp_(0, 1)
