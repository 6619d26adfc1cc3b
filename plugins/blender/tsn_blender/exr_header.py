"""Read what an EXR's header says, and compare two files, without decoding pixels. Blender's Python has no OpenEXR.

Format: https://openexr.com/en/latest/OpenEXRFileLayout.html
"""

from __future__ import annotations

import struct
from pathlib import Path

MAGIC = 20000630
MULTIPART_FLAG = 0x1000
LONG_NAMES_FLAG = 0x400
ZIP_COMPRESSION = b"\x03"
LINES_PER_ZIP_BLOCK = 16


def channel_names(path: Path) -> list[str]:
    """The full names of all channels, of all parts. A channel without a layer gets its part's name before it.

    Raises:
        OSError: the file can't be read.
        ValueError: it is no EXR.
    """
    data = path.read_bytes()
    magic, version = struct.unpack_from("<II", data)
    if magic != MAGIC:
        raise ValueError(f"{path} is no EXR")
    at = 8
    names: list[str] = []
    while True:
        channels: list[str] = []
        part = ""
        if data[at] == 0:  # an empty header ends the list of a file with several parts
            return names
        while data[at] != 0:
            name, at = _string_at(data, at)
            kind, at = _string_at(data, at)
            (size,) = struct.unpack_from("<I", data, at)
            at += 4
            value = data[at : at + size]
            at += size
            if kind == "chlist":
                channels = _channel_list(value)
            elif name == "name" and kind == "string":
                part = value.decode()
        at += 1
        names += [channel if "." in channel or not part else f"{part}.{channel}" for channel in channels]
        if not version & MULTIPART_FLAG:
            return names


def same_pixels(a: Path, b: Path) -> bool:
    """Whether two ZIP-compressed scanline files hold the same channels and bits, whatever else their headers say.

    Blender writes render times into the header, so a frame that is rendered again is never the same file. False where
    a file can't be read or is stored in another way.
    """
    try:
        first, second = (_split(path.read_bytes()) for path in (a, b))
    except (OSError, ValueError, IndexError, KeyError, struct.error):
        return False
    return first == second


def _split(data: bytes) -> tuple[dict[str, bytes], bytes]:
    """The attributes that say how pixels are stored, and everything after the table of offsets."""
    magic, version = struct.unpack_from("<II", data)
    if magic != MAGIC or version & ~0xFF & ~LONG_NAMES_FLAG:
        raise ValueError("another kind of EXR")
    at = 8
    attributes: dict[str, bytes] = {}
    while data[at] != 0:
        name, at = _string_at(data, at)
        _, at = _string_at(data, at)
        (size,) = struct.unpack_from("<I", data, at)
        attributes[name] = data[at + 4 : at + 4 + size]
        at += 4 + size
    if attributes["compression"] != ZIP_COMPRESSION:
        raise ValueError("another compression")
    _, top, _, bottom = struct.unpack("<4i", attributes["dataWindow"])
    blocks = -(-(bottom - top + 1) // LINES_PER_ZIP_BLOCK)
    kept = ("channels", "dataWindow", "displayWindow", "lineOrder")
    return {name: attributes[name] for name in kept}, data[at + 1 + 8 * blocks :]


def _string_at(data: bytes, at: int) -> tuple[str, int]:
    """A string that ends in a zero byte, and where the next value begins."""
    end = data.index(0, at)
    return data[at:end].decode(), end + 1


def _channel_list(value: bytes) -> list[str]:
    at, names = 0, []
    while value[at] != 0:
        name, at = _string_at(value, at)
        names.append(name)
        at += 16  # pixel type, pLinear and reserved, x and y sampling
    return names
