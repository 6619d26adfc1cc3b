"""What makes a training short: a thin perceptual net, and few colours and styles."""

from __future__ import annotations

import functools

import torch

from tsn.style.nets import vgg

FEW_COLOURS = 100
"""A palette of more than a thousand takes a second, in every run that a test starts."""
STYLE_COUNT = 24


@functools.cache
def thin_features(channels: int) -> vgg.VGGFeatures:
    """The perceptual net with random weights and `channels` a layer, times the number of its block.

    The net that sees every painting must have fewer to learn from it.
    """
    with torch.random.fork_rng():
        torch.manual_seed(1)
        convs, cin = {}, 3
        for block, count, _ in vgg.BLOCKS:
            for i in range(1, count + 1):
                convs[f"{block}_{i}"] = torch.nn.Conv2d(cin, cin := channels * block, 3, padding=1)
        return vgg.VGGFeatures(convs, torch.full((3,), 0.5), torch.full((3,), 4.0))
