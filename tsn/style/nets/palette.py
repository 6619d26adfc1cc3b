"""Where a painting's palette goes on a plate: optimal transport between their colours.

A Gram matrix says which colours a painting has and nothing of where: nets then paint every bright place the colour
that is commonest, and lose blues and reds for good. Entropic optimal transport (Cuturi, "Sinkhorn distances", 2013;
for colours Ferradans et al. 2014) moves the colours of photos to those of the painting so that each goes the
shortest way and all of the palette is used: skies become what is sky-like in it. A net in training is asked to have
these colours on the average over a few pixels; the net for any painting is shown them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.colour import LUMA
from tsn.determinism import one_thread

COLOUR_SAMPLES = 1200
GRID_SIZE = 17
ENTROPY = 0.006
"""Of the transport, in squared colour units (an eightieth of the way from black to white, squared, is .0002): the
map from colour to colour is smooth, and a lone accent of the painting does not tear it."""
SINKHORN_ITERATIONS = 60
LUMA_STRETCH = 2.0
"""Light counts more than hue, so that what is dark on the plate stays dark in the painting."""


def sample_colours(pictures: Sequence[Tensor]) -> Tensor:
    """`SAMPLES` colours (N, 3), evenly out of pictures (3, H, W) in [0, 1], each softened by 4 px: paint, not noise.

    Pictures of fewer lines or columns than that count pixel by pixel.
    """
    soft = [F.avg_pool2d(p[None], min(4, *p.shape[1:]))[0].flatten(1) for p in pictures]
    pixels = torch.cat(soft, dim=1).T
    return pixels[torch.linspace(0, len(pixels) - 1, COLOUR_SAMPLES, dtype=torch.float64).long()]


def _stretched(of: Tensor) -> Tensor:
    """(N, 3) in RGB -> a space where distance weighs luma more."""
    luma = of @ torch.tensor(LUMA)
    return torch.cat([of - luma[:, None], LUMA_STRETCH * luma[:, None]], dim=1)


def _cost(ours: Tensor, theirs: Tensor) -> Tensor:
    """Of moving one colour to another, so that its exponential is never 0 in float64: black to white costs 667."""
    return (torch.cdist(_stretched(ours), _stretched(theirs)).double().square() / ENTROPY).clamp(max=690)


def fit_palette(plates: Tensor, painting: Tensor) -> Tensor:
    """The map from a plate's colours to a painting's.

    Args:
        plates: colours (N, 3) of photos: what plates look like.
        painting: colours (M, 3) of the painting; see `colours`.

    Returns:
        (3, SIZE^3): colour by blue, green, red of the plate, for `recoloured`.
    """
    with one_thread():
        kernel = torch.exp(-_cost(plates, painting))
        theirs = torch.ones(len(painting), dtype=torch.float64)
        for _ in range(SINKHORN_ITERATIONS):  # Sinkhorn's iteration
            ours = 1 / (kernel @ theirs)
            theirs = 1 / (ours @ kernel)
        weights = theirs * torch.exp(-_cost(identity_palette().T, painting))
        return (weights @ painting.double() / weights.sum(1, keepdim=True)).T.float().contiguous()


def identity_palette() -> Tensor:
    """The palette that leaves every colour as it is."""
    axis = torch.linspace(0, 1, GRID_SIZE)
    blue, green, red = torch.meshgrid(axis, axis, axis, indexing="ij")
    return torch.stack([red, green, blue]).flatten(1)


def apply_palette(plate: Tensor, by: Tensor) -> Tensor:
    """A plate (N, 3, H, W) in the colours of `palette`."""
    grid = (plate * 2 - 1).permute(0, 2, 3, 1)[:, None]  # the last axis of the table is red, its first blue
    table = by.view(1, 3, GRID_SIZE, GRID_SIZE, GRID_SIZE).expand(len(plate), -1, -1, -1, -1)
    return F.grid_sample(table, grid, mode="bilinear", padding_mode="border", align_corners=True)[:, :, 0]
