"""Begin a training with the weights of a net that can draw already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from tsn.errors import InputError
from tsn.style import catalogue, loading
from tsn.style.nets.layers import StyleNet
from tsn.style.nets.texture_guide import BANDS

INPUT_KERNEL = "down.0.conv.weight"
"""The kernel that reads a net's extra inputs at half size: the recoloured plate, then the texture guide."""


def load_pretrained(net: StyleNet, start_from: Path) -> None:
    """Give a net the weights of a trained one, which may have fewer inputs: the kernels of the others begin with 0.

    Raises:
        InputError: the weights are those of another kind of net.
    """
    source = loading.load_style_net(catalogue.describe_weights(start_from))
    state = source.state_dict()
    state.pop("palette", None)  # it is that of another painting
    if net.palette is not None:
        state["palette"] = net.palette
    state[INPUT_KERNEL] = widen_kernel(state[INPUT_KERNEL], source, net)
    load_weights(net, state, start_from, f"{type(net).__name__}, width {net.width}, {net.blocks} blocks")


def widen_kernel(kernel: Tensor, source: StyleNet, net: StyleNet) -> Tensor:
    """Return `INPUT_KERNEL` of the net `source` with zeros for the inputs that only `net` has."""
    added = (net.palette is not None and source.palette is None, 3), (net.seeded and not source.seeded, len(BANDS))
    for position, (missing, channels) in enumerate(added):
        if missing:  # colours come before the texture guide
            end = kernel.shape[1] - (len(BANDS) if source.seeded and position == 0 else 0)
            zeros = kernel.new_zeros(len(kernel), channels, *kernel.shape[2:])
            kernel = torch.cat([kernel[:, :end], zeros, kernel[:, end:]], dim=1)
    return kernel


def load_weights(net: nn.Module, state: Mapping[str, Tensor], source: Path, expected: str) -> None:
    """Fill a net with weights.

    Args:
        source: the weights' file, and `expected` the net in words, for the error message.

    Raises:
        InputError: they do not fit the net.
    """
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(f"{source} is of another net than {expected}.") from error
