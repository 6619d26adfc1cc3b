"""Build the nets that safetensors files of this family describe, and fill in their weights.

A file's metadata say which net it is for (`family`, `width`, `blocks`, `recolours`, `simplifies`, `seeded`). They may
be wrong: what they claim is held against the size of the file before any memory is taken for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from tsn.errors import InputError
from tsn.io.safetensors_file import SafetensorsHeader, read_header, read_state_dict
from tsn.style.catalogue import StyleInfo
from tsn.style.nets.families import NETS
from tsn.style.nets.layers import OPTIONAL_INPUTS, StyleNet
from tsn.style.nets.style_prediction import StylePredictionNet

Net = TypeVar("Net", bound=nn.Module)

STYLE_HINT = "training/train_style.py writes such files."
ANY_PAINTING_HINT = "training/train_adain.py writes such files."
TENSORS_PER_BLOCK = 6
"""Tensors of a residual block, at least."""


def load_style_net(info: StyleInfo) -> StyleNet:
    """Build the net that a safetensors file describes, with its weights in float32, on the CPU.

    Raises:
        InputError: the file is damaged, describes no net of ours, or its tensors do not fit the description.
    """
    header = read_header(info.path)
    family = header.metadata.get("family", "none")
    if family not in NETS:
        raise InputError(
            f"{info.path}: expected weights of family {' or '.join(map(repr, NETS))}, found {family!r}.",
            hint=STYLE_HINT,
        )
    sizes = read_sizes(info.path, header, ("width", "blocks"), hint=STYLE_HINT)
    shown = {key: read_flag(info.path, header, key) for key in OPTIONAL_INPUTS}
    make = partial(NETS[family], width=sizes["width"], blocks=sizes["blocks"], **shown)
    return build_net(make, info.path, sizes, hint=STYLE_HINT)


def load_style_prediction_net(path: Path) -> StylePredictionNet:
    """The net in a safetensors file that training/train_adain.py wrote, in float32, on the CPU.

    Raises:
        InputError: the file is damaged, of another net, or its tensors do not fit what it says of itself.
    """
    header = read_header(path)
    if header.metadata.get("family") != "adain":
        raise InputError(
            f"{path}: expected weights of family 'adain', found {header.metadata.get('family')!r}.",
            hint=ANY_PAINTING_HINT,
        )
    sizes = read_sizes(path, header, ("width", "blocks", "seen"), hint=ANY_PAINTING_HINT)
    if sizes["seen"] % 3:
        raise InputError(f"{path}: the metadata must give seen as a multiple of three, found {sizes['seen']}.")
    simplifies, seeded = (read_flag(path, header, key) for key in ("simplifies", "seeded"))
    make = partial(
        StylePredictionNet,
        width=sizes["width"],
        blocks=sizes["blocks"],
        encoder_width=sizes["seen"],
        simplifies=simplifies,
        seeded=seeded,
    )
    return build_net(make, path, sizes, hint=ANY_PAINTING_HINT)


def read_sizes(path: Path, header: SafetensorsHeader, keys: Sequence[str], *, hint: str) -> dict[str, int]:
    """What a file says of its net's size, which may be wrong but not out of all proportion to the file.

    Args:
        keys: `blocks`, and others that go into the number of weights with their square at least.

    Raises:
        InputError: a key is missing or no whole number above 0, or the net would be larger than the file.
    """
    facts = {key: header.metadata.get(key, "") for key in keys}
    if not all(re.fullmatch("[1-9][0-9]{0,17}", fact) for fact in facts.values()):
        raise InputError(
            f"{path}: the metadata must give the net's {' and '.join(keys)} as whole numbers, found"
            f" {', '.join(f'{key}={fact[:40]!r}' for key, fact in facts.items())}.",
            hint=hint,
        )
    sizes = {key: int(fact) for key, fact in facts.items()}
    for key, size in sizes.items():
        most = len(header.tensors) // TENSORS_PER_BLOCK if key == "blocks" else math.isqrt(header.element_count)
        if size > most:
            raise InputError(
                f"{path}: the tensors do not fit {key} {size}: there are {len(header.tensors)} of them, with"
                f" {header.element_count:,} numbers.",
                hint=hint,
            )
    return sizes


def read_flag(path: Path, header: SafetensorsHeader, key: str) -> bool:
    """What a file says to a question; nothing is a no. Raises InputError where it is neither yes nor no."""
    said = header.metadata.get(key, "no")
    if said not in ("yes", "no"):
        raise InputError(f"{path}: the metadata must say yes or no to {key}, found {said[:40]!r}.")
    return said == "yes"


def build_net(make: Callable[[], Net], path: Path, sizes: Mapping[str, int], *, hint: str) -> Net:
    """A net with the weights of a safetensors file in float32, ready to paint.

    Args:
        make: makes the net.
        sizes: what the file says of it, for the message.

    Raises:
        InputError: its tensors are not the net's, or hold no numbers.
    """
    with torch.device("meta"):  # without memory: if the file's tensors are as large is what is asked
        expected = make().state_dict()
    said = ", ".join(f"{key} {size}" for key, size in sizes.items())
    state = read_state_dict(path, expected, net_name=said, hint=hint)
    net = make()
    net.load_state_dict(state)
    return net.eval()
