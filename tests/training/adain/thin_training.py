"""What makes a training of any painting short: a thin perceptual net, and few styles."""

from __future__ import annotations

import functools

import torch

from tsn_training import perceptual

FEW_COLOURS, STYLES = 100, 24


@functools.cache
def thin_features() -> perceptual.Features:
    """The perceptual net with random weights and a few channels a layer, more than a net of width 3 has."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        convs, cin = {}, 3
        for block, count, _ in perceptual._BLOCKS:
            for i in range(1, count + 1):
                convs[f"{block}_{i}"] = torch.nn.Conv2d(cin, cin := 8 * block, 3, padding=1)
        return perceptual.Features(convs, torch.full((3,), 0.5), torch.full((3,), 4.0))
