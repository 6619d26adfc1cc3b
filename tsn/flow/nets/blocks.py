"""Building blocks of the nets for motion, and loading of their weights."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.io.safetensors_file import read_state_dict

Net = TypeVar("Net", bound=nn.Module)

LEAKY_SLOPE = 0.1
"""Slope of the leaky ReLUs below 0."""


def conv(inward: int, outward: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution with zero padding and a leaky ReLU: (N, inward, h, w) -> (N, outward, h/stride, w/stride)."""
    return nn.Sequential(nn.Conv2d(inward, outward, size, stride, size // 2), nn.LeakyReLU(LEAKY_SLOPE))


def upsample_2x(x: Tensor) -> Tensor:
    """(N, C, h, w) at twice the size, bilinear."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def load_shipped(net: Net, weights: Path) -> Net:
    """The net with weights that come with tsn, in eval mode and channels_last. Raises InputError on a damaged file."""
    return load_weights(net, weights, hint="Install tsn again.").eval().to(memory_format=torch.channels_last)


def load_weights(net: Net, weights: Path, *, hint: str) -> Net:
    """The net with weights from a file. Raises InputError, with the hint, if it is damaged or another net's."""
    net.load_state_dict(read_state_dict(weights, net.state_dict(), net_name="this net", hint=hint))
    return net
