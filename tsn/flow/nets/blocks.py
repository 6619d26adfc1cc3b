"""What the nets beside an estimator are made of, and how their weights are read."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.io.safetensors_file import read_state_dict

Net = TypeVar("Net", bound=nn.Module)

LEAKY_SLOPE = 0.1
"""Of the leaky ReLUs, below nought."""


def conv(inward: int, outward: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inward, outward, size, stride, size // 2), nn.LeakyReLU(LEAKY_SLOPE))


def upsample_2x(x: Tensor) -> Tensor:
    """At twice the size, bilinear."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def load_shipped(made: Net, weights: Path) -> Net:
    """The net with weights from a file that comes with tsn, ready to use. Raises InputError where that is damaged."""
    return load_weights(made, weights, hint="Install tsn again.").eval().to(memory_format=torch.channels_last)


def load_weights(made: Net, weights: Path, *, hint: str) -> Net:
    """The net with weights from a file. Raises InputError, with a hint, where that is damaged or another net's."""
    made.load_state_dict(read_state_dict(weights, made.state_dict(), net_name="this net", hint=hint))
    return made
