"""Where a painting's palette goes on a plate: optimal transport between their colours.

A Gram matrix says which colours a painting has and nothing of where: nets then paint every bright place the colour
that is commonest, and lose blues and reds for good. Entropic optimal transport (Cuturi, "Sinkhorn distances", 2013;
for colours Ferradans et al. 2014) moves the colours of photos to those of the painting so that each goes the
shortest way and all of the palette is used: skies become what is sky-like in it. The net is asked to have these
colours on the average over a few pixels; strokes stay free.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from tsn.colour import LUMA

SAMPLES = 2000
SIZE = 17
BLUR = 0.006
"""Of the transport, in squared colour units (an eightieth of the way from black to white, squared, is .0002): the
map from colour to colour is smooth, and a lone accent of the painting does not tear it."""
ROUNDS = 60
LUMA_STRETCH = 2.0
"""Light counts more than hue, so that what is dark on the plate stays dark in the painting."""


def _stretched(colours: Tensor) -> Tensor:
    """(N, 3) in RGB -> a space where distance weighs luma more."""
    luma = colours @ torch.tensor(LUMA)
    return torch.cat([(colours - luma[:, None]), LUMA_STRETCH * luma[:, None]], dim=1)


def _sampled(pictures: Sequence[Tensor], rng: Generator) -> Tensor:
    """`SAMPLES` colours (N, 3) of pictures (3, H, W) in [0, 1], each softened by 4 px: paint, not noise."""
    pixels = torch.cat([F.avg_pool2d(p[None], 4)[0].flatten(1) for p in pictures], dim=1).T
    return pixels[torch.randint(len(pixels), (SAMPLES,), generator=rng)]


def palette(photos: Sequence[Tensor], painting: Tensor, rng: Generator) -> Tensor:
    """The map from a plate's colours to a painting's.

    Args:
        photos: (3, H, W) each, in [0, 1]; what plates look like.
        painting: (3, H, W).

    Returns:
        (1, 3, SIZE, SIZE, SIZE): colour by blue, green, red of the plate, for `recoloured`.
    """
    ours, theirs = _sampled(photos, rng), _sampled([painting], rng)
    cost = torch.cdist(_stretched(ours), _stretched(theirs)).square() / BLUR
    # Sinkhorn's iteration on the potentials, in logarithms.
    g = torch.zeros(SAMPLES)
    for _ in range(ROUNDS):
        f = -torch.logsumexp(g - cost, dim=1)
        g = -torch.logsumexp(f[:, None] - cost, dim=0)
    axis = torch.linspace(0, 1, SIZE)
    blue, green, red = torch.meshgrid(axis, axis, axis, indexing="ij")
    nodes = torch.stack([red, green, blue], dim=-1).reshape(-1, 3)
    weights = torch.softmax(g - torch.cdist(_stretched(nodes), _stretched(theirs)).square() / BLUR, dim=1)
    return (weights @ theirs).T.reshape(1, 3, SIZE, SIZE, SIZE)


def recoloured(plate: Tensor, colours: Tensor) -> Tensor:
    """A plate (N, 3, H, W) in the colours of `palette`."""
    grid = (plate * 2 - 1).permute(0, 2, 3, 1)[:, None]  # the last axis of the table is red, its first blue
    table = colours.expand(len(plate), -1, -1, -1, -1)
    return F.grid_sample(table, grid, mode="bilinear", padding_mode="border", align_corners=True)[:, :, 0]
