"""Float32 packed without loss: what reads it gets the same bits.

Motion is noise in its last sixteen bits, whatever packs it, and smooth in its first: each value is told by what
differs from its left neighbour, and the four bytes of all values are kept apart, deflated where that helps. Motion
then takes two thirds of its size, and motion that is exact in half precision less than the halves would. (Halves alone
would change the bits of all other motion.) docs/flow.md has the figures.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

PLANES = "0123"
SAMPLE_BYTES = 1 << 16
"""Bytes of a plane that say whether deflating the rest is worth the time."""
MIN_SAVING = 0.95


def compress(values: np.ndarray) -> bytes:
    """A safetensors file of float32 values, (..., W)."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    differing = bits.copy()
    differing[..., 1:] ^= bits[..., :-1]
    planes = differing.reshape(-1, 1).view(np.uint8)
    packed = {name: _deflated(np.ascontiguousarray(planes[:, place])) for place, name in enumerate(PLANES)}
    shape = json.dumps(values.shape)
    return save(packed, metadata={"shape": shape, "crc32": _checksum(shape, packed)})


def decompress(data: bytes, shape: Sequence[int]) -> np.ndarray:
    """What `pack` was given.

    Raises:
        ValueError: the data is something else, damaged, or of another shape.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        stated = json.loads(data[8 : 8 + length]).get("__metadata__", {})
        found = {name: np.frombuffer(part["data"], np.uint8) for name, part in deserialize(data)}
    except (SafetensorError, ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"damaged: {error}") from error
    text = json.dumps(tuple(shape))
    if set(found) != set(PLANES) or stated.get("shape") != text or stated.get("crc32") != _checksum(text, found):
        raise ValueError("damaged: its content is not what was written")
    count = int(np.prod(shape))
    planes = np.stack([_inflated(found[name], count) for name in PLANES], axis=-1)
    bits = np.bitwise_xor.accumulate(planes.view(np.uint32).reshape(tuple(shape)), axis=-1)
    return bits.view(np.float32)


def _deflated(plane: np.ndarray) -> np.ndarray:
    """A plane deflated, or as it is where that saves next to nothing."""
    sample = plane[:SAMPLE_BYTES]
    if len(zlib.compress(sample.data, 1)) < MIN_SAVING * len(sample):
        packed = zlib.compress(plane.data, 1)
        if len(packed) < len(plane):
            return np.frombuffer(packed, np.uint8)
    return plane


def _inflated(packed: np.ndarray, count: int) -> np.ndarray:
    return packed if len(packed) == count else np.frombuffer(zlib.decompress(packed.data, bufsize=count), np.uint8)


def _checksum(shape: str, planes: dict[str, np.ndarray]) -> str:
    checksum = zlib.crc32(shape.encode())
    for name in PLANES:
        checksum = zlib.crc32(planes[name].data, checksum)
    return f"{checksum:08x}"
