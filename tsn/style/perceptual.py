"""The perceptual net, VGG16: where its weights lie, and their loading.

They do not come with tsn; `tsn fetch vgg16` brings them (`tsn.style.perceptual_fetch`). Painting keys, learning them
and training nets need them; the hosts that render don't. Weights: Oxford's VGG group (ImageNet, CC BY 4.0).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from tsn.errors import InputError
from tsn.io.published import weights_folder
from tsn.io.safetensors_file import read_header, read_state_dict
from tsn.style.nets.vgg import VGGFeatures, empty_convs

NAME = "vgg16"
FILE = "vgg16.safetensors"
"""The file's name in the weights folder, whichever source the weights were converted from."""
REFETCH_HINT = "Delete it and run `tsn fetch vgg16`."


def perceptual_weights() -> Path | None:
    """The file of VGG16's weights, or None where they were not fetched."""
    path = weights_folder() / FILE
    return path if path.is_file() else None


def load_perceptual(device: torch.device | str = "cpu") -> VGGFeatures:
    """Load VGG16, in float32.

    Raises:
        InputError: its weights were not fetched, or the file is damaged.
    """
    path = perceptual_weights()
    if path is None:
        raise InputError(
            f"The perceptual net's weights, {FILE}, are not in {weights_folder()}: painting and learning keys needs"
            " them.",
            hint="Run `tsn fetch vgg16` once, or set TSN_WEIGHTS to the folder that has them.",
        )
    return load_perceptual_file(path).to(device)


def load_perceptual_file(path: Path) -> VGGFeatures:
    """Load VGG16 out of its converted file. Raises InputError where it is damaged."""
    net = empty_perceptual()
    net.load_state_dict(read_state_dict(path, net.state_dict(), net_name="VGG16", hint=REFETCH_HINT))
    if read_header(path).metadata.get("sha256") != content_hash(net):
        raise InputError(f"{path} is damaged: its checksum does not fit its content.", hint=REFETCH_HINT)
    return net


def content_hash(net: VGGFeatures) -> str:
    """SHA-256 (hex) of the net's weights: the file has no checksum of its own, and one flipped bit is other paint."""
    hashed = hashlib.sha256()
    for name, tensor in sorted(net.state_dict().items()):
        hashed.update(name.encode())
        hashed.update(tensor.contiguous().numpy().tobytes())
    return hashed.hexdigest()


def perceptual_name(path: Path) -> str:
    """What a card or a key's file says of the weights: net, licence and source."""
    source = read_header(path).metadata.get("source", "unknown source")
    return f"VGG16 (ImageNet, Oxford VGG, CC BY 4.0; {source})"


def empty_perceptual() -> VGGFeatures:
    """The net with random weights."""
    return VGGFeatures(empty_convs(), torch.zeros(3), torch.ones(3))
