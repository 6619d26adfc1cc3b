"""Files of one float32 tensor for caches: written atomically, checked when read."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from tsn.errors import InputError
from tsn.io.atomic import atomic_write
from tsn.io.safetensors_file import TensorInfo, read_header


def write_tensor(path: Path, name: str, tensor: Tensor) -> None:
    """Write a float32 tensor on the CPU under a name. Raises OutputError."""
    content = tensor.detach().contiguous()
    # A view of a larger tensor is read back with the same strides: torch computes the last elements of a contiguous
    # tensor, which don't fill a vector register, with other code and so with other last bits.
    stride = "" if tensor.is_contiguous() else ",".join(map(str, tensor.stride()))
    with atomic_write(path) as temporary:
        # Not save_file, whose files only their owner can read: other hosts may run under other users.
        metadata = {"stride": stride, "crc32": _checksum(content, stride)}
        temporary.write_bytes(save({name: content}, metadata=metadata))


def read_tensor(path: Path, name: str, shape: Sequence[int]) -> Tensor | None:
    """Read the tensor that `write_tensor` stored, with the same strides; None where there is no file.

    Raises:
        InputError: the file holds another tensor, or a checksum shows damage. (The format itself has no checksum, and a
            flipped bit would end up in the picture.)
    """
    if not path.is_file():
        return None
    wanted = TensorInfo(dtype="F32", shape=tuple(shape))
    header = read_header(path)
    if header.tensors != {name: wanted}:  # checked before loading: another tensor may have any size
        raise InputError(f"{path}: damaged: it holds something else than was written")
    try:
        with safe_open(path, framework="pt") as file:
            tensor, metadata = file.get_tensor(name), header.metadata
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: damaged: {error}") from error
    stride = metadata.get("stride", "")
    if _checksum(tensor, stride) != metadata.get("crc32"):
        raise InputError(f"{path}: damaged: its content is not what was written")
    return torch.empty_strided(shape, [int(step) for step in stride.split(",")]).copy_(tensor) if stride else tensor


def _checksum(tensor: Tensor, stride: str) -> str:
    """CRC-32 of the values and strides, in hex."""
    return f"{zlib.crc32(np.ascontiguousarray(tensor.numpy()).data, zlib.crc32(stride.encode())):08x}"
