"""Begin with the weights of a net that knows how to draw already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from tsn.errors import InputError
from tsn.style import catalogue, loading
from tsn.style.nets.layers import StyleNet
from tsn.style.nets.texture_guide import BANDS

SHOWN = "down.0.conv.weight"
"""The kernel that looks at what a net is shown beside the plate, at half size."""


def adopt(net: StyleNet, start_from: Path) -> None:
    """Give a net the weights of a trained one, which may have been shown no palette and no seeds: the net need not look
    at them yet.

    Raises:
        InputError: they are of another net.
    """
    found = loading.load_style_net(catalogue.describe_weights(start_from))
    state = found.state_dict()
    state.pop("palette", None)  # of another painting
    if net.palette is not None:
        state["palette"] = net.palette
    state[SHOWN] = widened(state[SHOWN], found, net)
    adopted(net, state, start_from, f"{type(net).__name__}, width {net.width}, {net.blocks} blocks")


def widened(kernel: Tensor, found: StyleNet, net: StyleNet) -> Tensor:
    """The kernel `SHOWN` of one net for another, which may be shown more: of that it sees nothing yet."""
    new = (net.palette is not None and found.palette is None, 3), (net.seeded and not found.seeded, len(BANDS))
    for place, (added, channels) in enumerate(new):
        if added:  # colours come before seeds
            end = kernel.shape[1] - (len(BANDS) if found.seeded and place == 0 else 0)
            nothing = kernel.new_zeros(len(kernel), channels, *kernel.shape[2:])
            kernel = torch.cat([kernel[:, :end], nothing, kernel[:, end:]], dim=1)
    return kernel


def adopted(net: nn.Module, state: Mapping[str, Tensor], source: Path, said: str) -> None:
    """Fill a net with weights. Raises InputError, which says what the net is, where they are of another."""
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(f"{source} is of another net than {said}.") from error
