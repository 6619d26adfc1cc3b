"""What can be told of an EXR without decoding it. Plain Python: Blender has no OpenEXR to import.

Format: https://openexr.com/en/latest/OpenEXRFileLayout.html
"""

from __future__ import annotations

import struct
from pathlib import Path

MAGIC = 20000630
MULTIPART = 0x1000
LONG_NAMES = 0x400
ZIP = b"\x03"


def channels(path: Path) -> list[str]:
    """All channels' full names; of a file with several parts too, each under its part's name where it lacks one.

    Raises:
        OSError: it can't be read.
        ValueError: it is no EXR.
    """
    data = path.read_bytes()
    magic, version = struct.unpack_from("<II", data)
    if magic != MAGIC:
        raise ValueError(f"{path} is no EXR")
    at = 8
    found: list[str] = []
    while True:
        here: list[str] = []
        part = ""
        if data[at] == 0:  # an empty header ends a multi-part file's list
            return found
        while data[at] != 0:
            name, at = _text(data, at)
            kind, at = _text(data, at)
            (size,) = struct.unpack_from("<I", data, at)
            at += 4
            value = data[at : at + size]
            at += size
            if kind == "chlist":
                here = _channel_list(value)
            elif name == "name" and kind == "string":
                part = value.decode()
        at += 1
        found += [one if "." in one or not part else f"{part}.{one}" for one in here]
        if not version & MULTIPART:
            return found


def same_pixels(a: Path, b: Path) -> bool:
    """Whether two scanline files in ZIP hold the same channels and bits, whatever else their headers say.

    Blender writes render times into the header, so a frame that was rendered again never is the same file. False where
    either can't be read or is of another kind.
    """
    try:
        first, second = (_split(path.read_bytes()) for path in (a, b))
    except (OSError, ValueError, IndexError, KeyError, struct.error):
        return False
    return first == second


def _split(data: bytes) -> tuple[dict[str, bytes], bytes]:
    """The attributes that say how pixels are stored, and all that follows the table of offsets."""
    magic, version = struct.unpack_from("<II", data)
    if magic != MAGIC or version & ~0xFF & ~LONG_NAMES:
        raise ValueError("another kind of EXR")
    at = 8
    attributes: dict[str, bytes] = {}
    while data[at] != 0:
        name, at = _text(data, at)
        _, at = _text(data, at)
        (size,) = struct.unpack_from("<I", data, at)
        attributes[name] = data[at + 4 : at + 4 + size]
        at += 4 + size
    if attributes["compression"] != ZIP:
        raise ValueError("another compression")
    _, top, _, bottom = struct.unpack("<4i", attributes["dataWindow"])
    blocks = -(-(bottom - top + 1) // 16)
    kept = ("channels", "dataWindow", "displayWindow", "lineOrder")
    return {name: attributes[name] for name in kept}, data[at + 1 + 8 * blocks :]


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(0, at)
    return data[at:end].decode(), end + 1


def _channel_list(value: bytes) -> list[str]:
    at, names = 0, []
    while value[at] != 0:
        name, at = _text(value, at)
        names.append(name)
        at += 16  # pixel type, pLinear and reserved, x and y sampling
    return names
