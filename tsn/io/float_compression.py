"""Lossless compression of float32 fields such as optical flow.

The last sixteen bits of motion are noise, which nothing compresses; its first bits are smooth. So each value is stored
as its XOR with its left neighbour, in four planes of bytes, each deflated where that helps. Motion then takes two
thirds of its size, and motion that is exact in half precision takes less than halves would. (Storing halves would
change the bits of all other motion.) docs/research/flow.md has the figures.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

PLANES = "0123"
"""Tensor names of the planes: byte 0 (the lowest) of every value, byte 1, ..."""
SAMPLE_BYTES = 1 << 16
"""How much of a plane is deflated to find out whether deflating all of it is worth the time."""
MAX_RATIO = 0.95
"""A plane whose sample does not get smaller than this share is stored as it is."""


def compress(values: np.ndarray) -> bytes:
    """Compress float32 values, (..., W), into the bytes of a safetensors file."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    differing = bits.copy()
    differing[..., 1:] ^= bits[..., :-1]
    planes = differing.reshape(-1, 1).view(np.uint8)
    packed = {name: _deflated(np.ascontiguousarray(planes[:, place])) for place, name in enumerate(PLANES)}
    shape = json.dumps(values.shape)
    return save(packed, metadata={"shape": shape, "crc32": _checksum(shape, packed)})


def decompress(data: bytes, shape: Sequence[int]) -> np.ndarray:
    """The values that `compress` was given.

    Raises:
        ValueError: the data is of another kind or shape, or damaged.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + length]).get("__metadata__", {})
        found = {name: np.frombuffer(part["data"], np.uint8) for name, part in deserialize(data)}
    except (SafetensorError, ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"damaged: {error}") from error
    text = json.dumps(tuple(shape))
    if set(found) != set(PLANES) or metadata.get("shape") != text or metadata.get("crc32") != _checksum(text, found):
        raise ValueError("damaged: its content is not what was written")
    count = int(np.prod(shape))
    planes = np.stack([_inflated(found[name], count) for name in PLANES], axis=-1)
    bits = np.bitwise_xor.accumulate(planes.view(np.uint32).reshape(tuple(shape)), axis=-1)
    return bits.view(np.float32)


def _deflated(plane: np.ndarray) -> np.ndarray:
    """A plane deflated, or as it is where that saves too little."""
    sample = plane[:SAMPLE_BYTES]
    if len(zlib.compress(sample.data, 1)) < MAX_RATIO * len(sample):
        packed = zlib.compress(plane.data, 1)
        if len(packed) < len(plane):
            return np.frombuffer(packed, np.uint8)
    return plane


def _inflated(packed: np.ndarray, count: int) -> np.ndarray:
    """The `count` bytes of a plane."""
    return packed if len(packed) == count else np.frombuffer(zlib.decompress(packed.data, bufsize=count), np.uint8)


def _checksum(shape: str, planes: dict[str, np.ndarray]) -> str:
    """CRC-32 of the shape and all planes, in hex."""
    checksum = zlib.crc32(shape.encode())
    for name in PLANES:
        checksum = zlib.crc32(planes[name].data, checksum)
    return f"{checksum:08x}"
