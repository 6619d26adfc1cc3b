"""Begin with the weights of a style that knows how to draw already."""

from __future__ import annotations

from pathlib import Path

import torch

from tsn.errors import InputError
from tsn.style import weights
from tsn.style.lockable import LockableNet

SHOWN = "down.0.conv.weight"


def adopt(net: LockableNet, start_from: Path) -> None:
    """Give a net the weights of a trained one, which may have been shown no palette: it need not look at it yet.

    Raises:
        InputError: they are of another net.
    """
    state = weights.load(weights.describe(start_from)).state_dict()
    state.pop("palette", None)  # of another painting
    if net.palette is not None:
        state["palette"] = net.palette
        kernel, room = state[SHOWN], net.state_dict()[SHOWN].shape[1]
        if kernel.shape[1] == room - 3:
            state[SHOWN] = torch.cat([kernel, kernel.new_zeros(len(kernel), 3, *kernel.shape[2:])], dim=1)
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        said = f"{type(net).__name__}, width {net.width}, {net.blocks} blocks"
        raise InputError(f"{start_from} is of another net than {said}.") from error
