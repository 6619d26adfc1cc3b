"""Map the colours of a plate to the palette of a painting, by optimal transport.

A Gram matrix holds which colours a painting has, and not where: a net that is trained on it alone paints every bright
area in the most frequent colour, and loses blues and reds. Entropic optimal transport (Cuturi, "Sinkhorn distances:
lightspeed computation of optimal transport", 2013; for colours Ferradans et al., "Regularized discrete optimal
transport", 2014) moves the colours of photos to those of the painting so that each moves as little as possible and the
whole palette is used: skies get the painting's sky colours. The colour loss of the training compares local means with
these colours, and nets that recolour get them as input and paint over them as a base colour.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.colour import LUMA
from tsn.determinism import one_thread

COLOUR_SAMPLES = 1200
"""Colours that stand for a set of pictures."""
GRID_SIZE = 17
"""Nodes of a palette along each of red, green and blue."""
ENTROPY = 0.006
"""Weight of the entropy in the transport, in squared distances of `_stretch_luma`: it keeps the map smooth, so that a
rare accent of the painting does not tear it."""
SINKHORN_ITERATIONS = 60
LUMA_STRETCH = 2.0
"""Factor on luma in colour distances: what is dark on the plate stays dark in the painting."""


def sample_colours(pictures: Sequence[Tensor]) -> Tensor:
    """Sample colours at even steps from pictures.

    Each colour is a mean of 4x4 pixels, so that it is one of the paint and not of noise; in pictures of fewer than 4
    rows or columns, a mean of as many.

    Args:
        pictures: (3, H, W) each, in [0, 1].

    Returns:
        (`COLOUR_SAMPLES`, 3).
    """
    means = [F.avg_pool2d(p[None], min(4, *p.shape[1:]))[0].flatten(1) for p in pictures]
    pixels = torch.cat(means, dim=1).T
    return pixels[torch.linspace(0, len(pixels) - 1, COLOUR_SAMPLES, dtype=torch.float64).long()]


def _stretch_luma(rgb: Tensor) -> Tensor:
    """Colours (N, 3) in a space (N, 4) where differences of luma weigh more."""
    luma = rgb @ torch.tensor(LUMA)
    return torch.cat([rgb - luma[:, None], LUMA_STRETCH * luma[:, None]], dim=1)


def _cost(sources: Tensor, targets: Tensor) -> Tensor:
    """Cost of moving each source colour (N, 3) to each target colour (M, 3), over the entropy's weight, (N, M).

    Limited so that exp(-cost) is never 0 in float64; from black to white it is 667.
    """
    return (torch.cdist(_stretch_luma(sources), _stretch_luma(targets)).double().square() / ENTROPY).clamp(max=690)


def fit_palette(plates: Tensor, painting: Tensor) -> Tensor:
    """Compute the map from the colours of plates to those of a painting.

    Args:
        plates: colours (N, 3) of photos, which stand for all plates; see `sample_colours`.
        painting: colours (M, 3) of the painting.

    Returns:
        A palette (3, GRID_SIZE^3) for `apply_palette`: the new RGB, by blue, green and red of the plate.
    """
    with one_thread():
        kernel = torch.exp(-_cost(plates, painting))
        target_scale = torch.ones(len(painting), dtype=torch.float64)
        for _ in range(SINKHORN_ITERATIONS):
            source_scale = 1 / (kernel @ target_scale)
            target_scale = 1 / (source_scale @ kernel)
        weights = target_scale * torch.exp(-_cost(identity_palette().T, painting))
        return (weights @ painting.double() / weights.sum(1, keepdim=True)).T.float().contiguous()


def identity_palette() -> Tensor:
    """The palette (3, GRID_SIZE^3) that leaves every colour as it is."""
    axis = torch.linspace(0, 1, GRID_SIZE)
    blue, green, red = torch.meshgrid(axis, axis, axis, indexing="ij")
    return torch.stack([red, green, blue]).flatten(1)


def apply_palette(plate: Tensor, palette: Tensor) -> Tensor:
    """Look up each colour of a plate (N, 3, H, W) in [0, 1] in a palette, with trilinear interpolation."""
    grid = (plate * 2 - 1).permute(0, 2, 3, 1)[:, None]  # grid_sample takes x first: red is the table's last axis
    table = palette.view(1, 3, GRID_SIZE, GRID_SIZE, GRID_SIZE).expand(len(plate), -1, -1, -1, -1)
    return F.grid_sample(table, grid, mode="bilinear", padding_mode="border", align_corners=True)[:, :, 0]
