"""Begin with the weights of a style that knows how to draw already."""

from __future__ import annotations

from pathlib import Path

import torch

from tsn.errors import InputError
from tsn.style import weights
from tsn.style.lockable import LockableNet
from tsn.style.seeds import BANDS

SHOWN = "down.0.conv.weight"


def adopt(net: LockableNet, start_from: Path) -> None:
    """Give a net the weights of a trained one, which may have been shown no palette and no seeds: the net need not look
    at them yet.

    Raises:
        InputError: they are of another net.
    """
    found = weights.load(weights.describe(start_from))
    state = found.state_dict()
    state.pop("palette", None)  # of another painting
    if net.palette is not None:
        state["palette"] = net.palette
    new = (net.palette is not None and found.palette is None, 3), (net.seeded and not found.seeded, len(BANDS))
    for place, (added, channels) in enumerate(new):
        kernel = state[SHOWN]
        if added:  # colours come before seeds
            end = kernel.shape[1] - (len(BANDS) if found.seeded and place == 0 else 0)
            nothing = kernel.new_zeros(len(kernel), channels, *kernel.shape[2:])
            state[SHOWN] = torch.cat([kernel[:, :end], nothing, kernel[:, end:]], dim=1)
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        said = f"{type(net).__name__}, width {net.width}, {net.blocks} blocks"
        raise InputError(f"{start_from} is of another net than {said}.") from error
