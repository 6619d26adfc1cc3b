"""Build the nets that our safetensors files describe, and load their weights.

The metadata of a file describe its net (`family`, `width`, `blocks`, `recolours`, `simplifies`, `seeded`). They may be
wrong: before any memory is allocated, they are compared with the size of the file.
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
"""The least that a residual block has."""


def load_style_net(info: StyleInfo) -> StyleNet:
    """Load a style transfer net from a safetensors file, in float32, on the CPU.

    Raises:
        InputError: the file is damaged, or of an unknown family, or its tensors do not fit its metadata.
    """
    header = read_header(info.path)
    family = header.metadata.get("family", "none")
    if family not in NETS:
        raise InputError(
            f"{info.path}: expected weights of family {' or '.join(map(repr, NETS))}, found {family!r}.",
            hint=STYLE_HINT,
        )
    sizes = read_sizes(info.path, header, ("width", "blocks"), hint=STYLE_HINT)
    options = {key: read_flag(info.path, header, key) for key in OPTIONAL_INPUTS}
    make = partial(NETS[family], width=sizes["width"], blocks=sizes["blocks"], **options)
    return build_net(make, info.path, sizes, hint=STYLE_HINT)


def load_style_prediction_net(path: Path) -> StylePredictionNet:
    """Load the net for any painting from a safetensors file of training/train_adain.py, in float32, on the CPU.

    Raises:
        InputError: the file is damaged, or of another family, or its tensors do not fit its metadata.
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
    """Read the sizes of a net from the metadata of its file.

    Args:
        path: of the file, for messages.
        header: of the file.
        keys: `blocks`, or a width: the number of weights grows at least with the square of a width.
        hint: of error messages.

    Raises:
        InputError: a key is missing or no whole number above 0, or is too large for the number of weights in the file.
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
    """Read a `yes` or `no` from metadata; a missing key is `no`. Raises InputError for any other value."""
    value = header.metadata.get(key, "no")
    if value not in ("yes", "no"):
        raise InputError(f"{path}: the metadata must give {key} as yes or no, found {value[:40]!r}.")
    return value == "yes"


def build_net(make: Callable[[], Net], path: Path, sizes: Mapping[str, int], *, hint: str) -> Net:
    """Build a net with the weights of a safetensors file, in float32, in evaluation mode.

    Args:
        make: constructs the net.
        path: of the file.
        sizes: of the net, by the metadata, for messages.
        hint: of error messages.

    Raises:
        InputError: the names or shapes of the tensors are not those of the net, or a value is not finite.
    """
    with torch.device("meta"):  # allocates nothing: the shapes may be wrong
        expected = make().state_dict()
    said = ", ".join(f"{key} {size}" for key, size in sizes.items())
    state = read_state_dict(path, expected, net_name=said, hint=hint)
    net = make()
    net.load_state_dict(state)
    return net.eval()
