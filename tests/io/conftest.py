"""Plates that the io tests make for themselves."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import OpenEXR
import pytest

H, W = 37, 45  # no multiple of a tile, a zip block or a word
DATA = ((-5, 7), (-5 + W - 1, 7 + H - 1))
DISPLAY = ((0, 0), (63, 31))


def half(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.5, 2, (H, W)).astype(np.float16)


def ids(seed: int) -> np.ndarray:
    """Any 32 bits, as Cryptomatte stores them: as floats, NaN and denormals among them."""
    return np.random.default_rng(seed).integers(0, 2**32, (H, W), np.uint32)


def deep(seed: int) -> np.ndarray:
    pixels = np.empty((H, W), object)
    rng = np.random.default_rng(seed)
    for place in np.ndindex(H, W):
        count = sum(place) % 3
        pixels[place] = rng.normal(size=count).astype(np.float32) if count else None
    return pixels


def tiles(size: int = 16, mode: Any = None) -> Any:
    result = OpenEXR.TileDescription()
    result.xSize = result.ySize = size
    result.mode = mode or OpenEXR.ONE_LEVEL
    return result


def header(compression: str = "ZIP", **more: Any) -> dict[str, Any]:
    kind = OpenEXR.tiledimage if "tiles" in more else OpenEXR.scanlineimage
    method = getattr(OpenEXR, f"{compression}_COMPRESSION")
    return {"dataWindow": DATA, "displayWindow": DISPLAY, "type": kind, "compression": method, **more}


def attributes(path: Path, at: int = 8) -> dict[str, tuple[str, bytes]]:
    """Raw attributes of a first header: name -> type and bytes."""
    data, result = path.read_bytes(), {}
    while data[at]:
        name_end = data.index(b"\0", at)
        type_end = data.index(b"\0", name_end + 1)
        (size,) = struct.unpack_from("<i", data, type_end + 1)
        result[data[at:name_end].decode()] = (data[name_end + 1 : type_end].decode(), data[type_end + 5 :][:size])
        at = type_end + 5 + size
    return result


def add_attributes(path: Path, chunk_count: int, extra: list[tuple[str, str, bytes]]) -> None:
    """Put raw attributes into a single-part file, of types that no writer here knows."""
    data = path.read_bytes()
    blob = b"".join(
        name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value
        for name, kind, value in extra
    )
    offsets = struct.unpack_from(f"<{chunk_count}Q", data, _table(data))
    first = _table(data) + 8 * chunk_count
    assert first == min(offsets)
    table = struct.pack(f"<{chunk_count}Q", *[offset + len(blob) for offset in offsets])
    path.write_bytes(data[:8] + blob + data[8 : _table(data)] + table + data[first:])


def _table(data: bytes) -> int:
    at = 8
    while data[at]:
        type_end = data.index(b"\0", data.index(b"\0", at) + 1)
        at = type_end + 5 + struct.unpack_from("<i", data, type_end + 1)[0]
    return at + 1


def multipart(path: Path) -> Path:
    """Beauty, tiled ids, a dwaa pass and deep samples in one file."""
    beauty = {name: half(seed) for seed, name in enumerate("RGBA")}
    beauty["R"][0, :3] = np.nan, np.inf, -0.0
    parts = [
        OpenEXR.Part(header(comments="hello", lineOrder=OpenEXR.DECREASING_Y), beauty, "beauty"),
        OpenEXR.Part(
            header("ZIPS", tiles=tiles()), {"id": ids(5), "CryptoObject00.R": ids(6).view(np.float32)}, "crypto"
        ),
        OpenEXR.Part(header("DWAA"), {"Z": half(7)}, "depth"),
        OpenEXR.Part(header("ZIPS", type=OpenEXR.deepscanline), {"D": deep(8), "E": deep(8)}, "deep"),
    ]
    OpenEXR.File(parts).write(str(path))
    return path


def single(path: Path, channels: dict[str, Any] | None = None, compression: str = "ZIP", **more: Any) -> Path:
    channels = channels or {name: half(seed) for seed, name in enumerate("RGBA")}
    OpenEXR.File(header(compression, **more), dict(channels)).write(str(path))  # the wheel changes the dict
    return path


def decoded(path: Path) -> list[Any]:
    return OpenEXR.File(str(path), separate_channels=True).parts


def bits(array: np.ndarray) -> np.ndarray:
    return array.view(f"u{array.dtype.itemsize}")


@pytest.fixture
def plate() -> SimpleNamespace:
    names: list[Callable[..., Any]] = [half, ids, deep, tiles, header, attributes, add_attributes]
    names += [multipart, single, decoded, bits]
    return SimpleNamespace(H=H, W=W, **{function.__name__: function for function in names})
