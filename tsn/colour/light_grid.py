"""Local means of a picture among pixels of about the same light: a bilateral grid.

After Chen, Paris and Durand 2007, "Real-time edge-aware image processing with the bilateral grid". A mean over a
neighbourhood mixes a lamp with the wall behind it, and whatever is computed from it has a halo. Here each pixel belongs
to the two levels of light that its own is between, and means are taken level by level: a lamp's among the lamp's
pixels, the wall's among the wall's. Everything is linear between levels and between cells, so nothing has an edge that
the picture has not.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.determinism import resize_bilinear

LEVELS = 12
"""Levels at most, one a stop; what is brighter than the last counts there."""
CELLS_PER_HEIGHT = 90
"""Cells of the grid from top to bottom; a mean covers about five in each direction."""
MIN_CELL_PX = 4
_SMOOTHINGS = 2


class LightGrid:
    """The grid of one frame.

    Args:
        stops: the light of each pixel in stops from the first level on, (1, H, W), at least 0.
    """

    def __init__(self, stops: Tensor) -> None:
        self._stops = stops
        self._height, self._width = stops.shape[-2:]
        self._cell = max(MIN_CELL_PX, round(self._height / CELLS_PER_HEIGHT))
        self._levels = min(LEVELS, 1 + int(stops.max().ceil()))

    def gather(self, x: Tensor) -> Tensor:
        """Local sums of (C, H, W) over each level's share of the pixels, divided by the number of all pixels near.

        Returns:
            (levels, C, h, w); dividing one such sum by another gives a weighted mean.
        """
        missing = (0, -self._width % self._cell, 0, -self._height % self._cell)
        cells = torch.stack([F.avg_pool2d(F.pad(self._share(i) * x, missing), self._cell) for i in range(self._levels)])
        for _ in range(_SMOOTHINGS):
            cells = F.avg_pool2d(cells, 3, 1, 1, count_include_pad=False)
        around = F.pad(cells, (0, 0, 0, 0, 0, 0, 1, 1))
        return (around[:-2] + 2 * around[1:-1] + around[2:]) / 4

    def spread(self, grid: Tensor) -> Tensor:
        """(levels, C, h, w) at every pixel: (C, H, W), linear between cells and levels."""
        size = grid.shape[-2] * self._cell, grid.shape[-1] * self._cell
        x = torch.zeros_like(self._stops)
        for i, level in enumerate(grid):
            x = x + self._share(i) * resize_bilinear(level, size)[:, : self._height, : self._width]
        return x

    def _share(self, level: int) -> Tensor:
        """How much each pixel belongs to a level, (1, H, W); the shares of a pixel sum to 1."""
        if level == LEVELS - 1:
            return (self._stops - (level - 1)).clamp(0, 1)
        return (1 - (self._stops - level).abs()).clamp(min=0)
