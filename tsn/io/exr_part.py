"""The header of one part of an OpenEXR file, and its checks.

Where a header contradicts itself or the file, this follows the OpenEXR library, and so every reader in the field (tried
with 3.5.3 and OpenImageIO 3.2):

- `chunkCount` is ignored: windows, tiles and compression determine the number of chunks;
- `type` is used in files with several parts or deep data, else the flag of the version field;
- of an attribute that a header has twice, the last is used (of `name` and `type` the first) where the library knows the
  attribute; a file with any other attribute twice is refused;
- a missing compression is zip, a missing display window 64 x 64; a missing or unknown line order is increasing.

Headers that the library refuses are refused here when they are read, so that no fault is found later.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil, log2
from typing import NamedTuple

from tsn.io.frame import Box

TILED, LONG_NAMES, NON_IMAGE, MULTIPART = 0x200, 0x400, 0x800, 0x1000
PART_TYPES = frozenset({"scanlineimage", "tiledimage", "deepscanline", "deeptile"})
# By code: name, scanlines per chunk, and the most bytes of pixels that a byte of the file can hold; None = any number.
COMPRESSIONS: tuple[tuple[str, int, int | None], ...] = (
    *(("none", 1, 1), ("rle", 1, 64), ("zips", 1, 1032), ("zip", 16, 1032), ("piz", 32, 512), ("pxr24", 16, 1376)),
    *(("b44", 32, 3), ("b44a", 32, 11), ("dwaa", 32, 1 << 17), ("dwab", 256, 1 << 17)),
    *(("htj2k256", 256, None), ("htj2k32", 32, None), ("lj2k", 256, None), ("zstd", 1, 1 << 16)),
)
LOSSY_COMPRESSIONS = frozenset({"pxr24", "b44", "b44a", "dwaa", "dwab", "lj2k"})
ZIP = 3
"""Code of the compression `zip`."""
# Of these the last is used where a header has two ...
LAST_WINS = frozenset(
    {"channels", "compression", "dataWindow", "displayWindow", "lineOrder", "pixelAspectRatio", "tiles"}
    | {"screenWindowCenter", "screenWindowWidth"}
)
# ... and of these the first.
FIRST_WINS = frozenset({"name", "type", "version", "chunkCount"})
MAX_COORDINATE = (1 << 30) - 2
"""Larger coordinates are refused, as OpenEXR does."""
MAX_PIXELS = 1 << 30
"""32K x 32K: no plate has more."""
MAX_TILE_BYTES = (1 << 31) - 1
"""OpenEXR reads larger tiles, but writes none."""


class Damaged(Exception):
    """The bytes are not a sound OpenEXR file; the message says why."""


class ExrAttribute(NamedTuple):  # a dataclass takes four times as long to make, and a long plate has 100,000
    """An attribute of a header: its value as bytes."""

    name: str
    type: str
    value: bytes


@dataclass(frozen=True)
class ExrChannel:
    """A channel of a part: `type` 0 = uint32, 1 = half, 2 = float; `sampling` of 1 in x and y is full size."""

    name: str
    type: int
    linear: bool
    sampling: tuple[int, int]

    @property
    def size(self) -> int:
        """Bytes per sample."""
        return 2 if self.type == 1 else 4


@dataclass(frozen=True, kw_only=True)
class ExrPart:
    """A part: its header, the file's version flags, and the offsets of its chunks."""

    attributes: tuple[ExrAttribute, ...]
    flags: int
    offsets: tuple[int, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, ExrAttribute]:
        """Attributes by name; see the module on those that a header has twice."""
        result = {attribute.name: attribute for attribute in self.attributes}
        if len(result) < len(self.attributes):
            result.update((item.name, item) for item in reversed(self.attributes) if item.name in FIRST_WINS)
        return result

    def value(self, name: str) -> bytes:
        """An attribute's bytes. Raises Damaged where the header has none of that name."""
        if name not in self.by_name:
            raise Damaged(f"its header has no {name!r}")
        return self.by_name[name].value

    def text(self, name: str) -> str:
        """A string attribute; "" where there is none."""
        return self.value(name).decode("utf-8", "surrogateescape") if name in self.by_name else ""

    @property
    def name(self) -> str:
        """The part's name; "" in a single-part file without one."""
        return self.text("name")

    @cached_property
    def type(self) -> str:
        """One of `PART_TYPES`, unless the header is damaged."""
        if self.flags & (MULTIPART | NON_IMAGE):
            return self.text("type")
        return "tiledimage" if self.flags & TILED else "scanlineimage"

    @property
    def deep(self) -> bool:
        """Whether it holds deep samples."""
        return self.type.startswith("deep")

    @property
    def tiled(self) -> bool:
        """Whether its chunks are tiles; else they are scanlines."""
        return self.type in ("tiledimage", "deeptile")

    @property
    def code(self) -> int:
        """Code of the compression, an index into `COMPRESSIONS`."""
        code = self.value("compression")[0] if "compression" in self.by_name and self.value("compression") else ZIP
        if code >= len(COMPRESSIONS):
            raise Damaged(f"its compression, code {code}, is not one this version of tsn knows")
        return code

    @property
    def compression(self) -> str:
        """Name of the compression."""
        return COMPRESSIONS[self.code][0]

    @property
    def line_order(self) -> int:
        """0 = increasing y, 1 = decreasing y, 2 = random y, which tiles may have."""
        value = self.value("lineOrder") if "lineOrder" in self.by_name else b""
        order = value[0] if value else 0
        return order if order < (3 if self.tiled else 2) else 0

    def window(self, name: str) -> Box:
        """The window `dataWindow` or `displayWindow`. Raises Damaged for an empty or huge one."""
        if name == "displayWindow" and name not in self.by_name:
            return Box(0, 0, 64, 64)
        x, y, right, bottom = struct.unpack("<4i", self.value(name))
        if right < x or bottom < y:
            raise Damaged(f"its {name} ({x}, {y}) - ({right}, {bottom}) is empty")
        if min(x, y) < -MAX_COORDINATE or max(right, bottom) > MAX_COORDINATE:
            raise Damaged(f"its {name} ({x}, {y}) - ({right}, {bottom}) is beyond what the format holds")
        return Box(x, y, right - x + 1, bottom - y + 1)

    @property
    def aspect(self) -> float:
        """Pixel aspect ratio: width by height."""
        if "pixelAspectRatio" not in self.by_name:
            return 1.0
        return float(struct.unpack("<f", self.value("pixelAspectRatio"))[0])

    @cached_property
    def channels(self) -> tuple[ExrChannel, ...]:
        """Its channels, in the order of the file."""
        return _channels(self.value("channels"))

    @property
    def tiles(self) -> tuple[int, int, int]:
        """Tile width and height, and the mode byte: level mode + 16 * rounding mode."""
        return struct.unpack("<2IB", self.value("tiles"))

    @property
    def levels(self) -> int:
        """0 = one level, 1 = mipmap, 2 = ripmap."""
        return self.tiles[2] & 15 if self.tiled else 0

    @cached_property
    def unsupported_reason(self) -> str | None:
        """Why the pixels can't be read as plain (H, W) arrays; None where they can."""
        if self.deep:
            return "holds deep samples"
        if self.levels:
            return "is a mipmapped or ripmapped texture"
        if any(channel.sampling != (1, 1) for channel in self.channels):
            return "holds subsampled channels"
        return None

    def count_chunks(self) -> int:
        """How many chunks its windows, tiles and compression make."""
        window = self.window("dataWindow")
        if not self.tiled:
            return ceil(window.height / COMPRESSIONS[self.code][1])
        width, height, mode = self.tiles
        rounding: Callable[[float], int] = ceil if mode >> 4 else int
        longest = max(window.width, window.height)  # a ripmap shrinks each side on its own
        across = _level_sizes(window.width, window.width if self.levels == 2 else longest, rounding)
        down = _level_sizes(window.height, window.height if self.levels == 2 else longest, rounding)
        if self.levels == 0:
            across, down = across[:1], down[:1]
        columns, rows = [ceil(size / width) for size in across], [ceil(size / height) for size in down]
        if self.levels == 2:
            return sum(columns) * sum(rows)
        return sum(x * y for x, y in zip(columns, rows, strict=True))

    def check(self, size: int) -> None:
        """Raise Damaged (or what `struct` raises) for a header that is impossible in a file of `size` bytes."""
        if self.flags & (MULTIPART | NON_IMAGE) and self.type not in PART_TYPES:
            raise Damaged(
                f"one of its parts is of type {self.type!r}, which is none of {', '.join(sorted(PART_TYPES))}"
            )
        if self.flags & MULTIPART and "name" not in self.by_name:
            raise Damaged("one of its parts has no name")
        if len(self.by_name) < len(self.attributes):
            names = [item.name for item in self.attributes if item.name not in LAST_WINS | FIRST_WINS]
            for name in names:
                if names.count(name) > 1:
                    raise Damaged(f"its header has the attribute {name!r} twice")
        if self.tiled:
            width, height, mode = self.tiles
            depth = sum(channel.size for channel in self.channels)
            if not 0 < width * height * depth <= MAX_TILE_BYTES or mode & 15 > 2 or mode >> 4 > 1:
                raise Damaged(f"its tiles of {width}x{height}, mode {mode}, can't be")
        if not 1e-6 <= self.aspect <= 1e6:
            raise Damaged(f"its pixelAspectRatio is {self.aspect:g}")
        if "screenWindowWidth" in self.by_name and struct.unpack("<f", self.value("screenWindowWidth"))[0] < 0:
            raise Damaged("its screenWindowWidth is negative")
        self.window("displayWindow")
        window, pixels = self.window("dataWindow"), 0
        for channel in self.channels:
            x, y = channel.sampling
            if (x, y) != (1, 1) and (
                self.tiled or self.deep or window.x % x or window.width % x or window.y % y or window.height % y
            ):
                raise Damaged(f"its data window does not fit its channel {channel.name!r}, subsampled by {x}x{y}")
            pixels += channel.size * (window.width // x) * (window.height // y)
        most = COMPRESSIONS[self.code][2]
        if window.width * window.height > MAX_PIXELS or (most is not None and not self.deep and pixels > most * size):
            raise Damaged(
                f"its header promises {window.width}x{window.height} pixels in {len(self.channels)} channels,"
                f" and {size} bytes of {self.compression} can't hold them"
            )


@lru_cache(maxsize=256)  # ten thousand frames of a plate have the same list
def _channels(data: bytes) -> tuple[ExrChannel, ...]:
    """Parse the value of the attribute `channels`."""
    at, result = 0, dict[str, ExrChannel]()
    while at < len(data) and data[at]:  # the zero at the end may be missing
        end = data.index(b"\0", at)
        kind, linear, x, y = struct.unpack_from("<iB3x2i", data, end + 1)
        name = data[at:end].decode("utf-8", "surrogateescape")
        if kind not in (0, 1, 2) or linear > 1 or x < 1 or y < 1:
            raise Damaged(f"its channel {name!r} can't be: type {kind}, linear {linear}, subsampled by {x}x{y}")
        if name in result:
            raise Damaged(f"it has two channels called {name!r}")
        result[name] = ExrChannel(name, kind, bool(linear), (x, y))
        at = end + 17
    if not result:
        raise Damaged("it has no channels")
    return tuple(result.values())


def rename_channels(channels: bytes, names: Mapping[str, str]) -> bytes:
    """The value of the attribute `channels` with some names replaced; the order stays."""
    at, result = 0, b""
    while at < len(channels) and channels[at]:
        end = channels.index(b"\0", at)
        name = channels[at:end].decode("utf-8", "surrogateescape")
        result += names.get(name, name).encode("utf-8", "surrogateescape") + channels[end : end + 17]
        at = end + 17
    return result + b"\0"


def _level_sizes(size: int, longest: int, rounding: Callable[[float], int]) -> list[int]:
    """Sizes of the levels along one side, down to the level where the longest side is 1."""
    return [max(1, rounding(size / 2**level)) for level in range(rounding(log2(longest)) + 1)]
