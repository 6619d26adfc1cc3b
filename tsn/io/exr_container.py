"""The anatomy of an OpenEXR file: headers, chunk tables and chunks, without decoding a pixel.

tsn repaints one part of a file. All that it doesn't repaint (other parts, deep samples, attributes of
types nobody knows) is carried over as bytes, so it can't change. The `OpenEXR` wheel decodes and encodes
the pixels (`exr.py`), wrapped in plain single-part files that `assemble` builds. Handing it whole files
instead loses things, measured with 3.5.3: it refuses files with `deepImageState` or Latin-1 attributes,
can't write back an empty string vector, reduces rationals, drops a damaged part without raising.

Reference: https://openexr.com/en/latest/OpenEXRFileLayout.html
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil, log2
from typing import NamedTuple

from tsn.io.frame import Box

MAGIC = b"\x76\x2f\x31\x01"
LENGTH = struct.Struct("<i")
TILED, LONG_NAMES, NON_IMAGE, MULTIPART = 0x200, 0x400, 0x800, 0x1000
# name and scanlines a chunk, by code
COMPRESSIONS = (
    *(("none", 1), ("rle", 1), ("zips", 1), ("zip", 16), ("piz", 32), ("pxr24", 16), ("b44", 32), ("b44a", 32)),
    *(("dwaa", 32), ("dwab", 256), ("htj2k256", 256), ("htj2k32", 32), ("lj2k", 256), ("zstd", 1)),
)
LOSSY = frozenset({"pxr24", "b44", "b44a", "dwaa", "dwab", "lj2k"})
ZIP = 3


class Incomplete(Exception):
    """The bytes at hand end before the header and chunk tables do."""


class Damaged(Exception):
    """These bytes are no sound OpenEXR file; the message says why."""


class Attribute(NamedTuple):  # a dataclass takes four times as long to make, and a long plate has 100,000
    name: str
    type: str
    value: bytes


@dataclass(frozen=True)
class Channel:
    """Pixel type 0 = uint32, 1 = half, 2 = float."""

    name: str
    type: int
    linear: bool
    sampling: tuple[int, int]


@dataclass(frozen=True)
class Chunk:
    """One chunk without the part number that multi-part files put in front; offset only tells the order."""

    offset: int
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part's header, with the place of each of its chunks."""

    attributes: tuple[Attribute, ...]
    flags: int
    offsets: tuple[int, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Attribute]:
        return {attribute.name: attribute for attribute in self.attributes}

    def value(self, name: str) -> bytes:
        if name not in self.by_name:
            raise Damaged(f"its header has no {name!r}")
        return self.by_name[name].value

    def text(self, name: str) -> str:
        return self.value(name).decode("utf-8", "surrogateescape") if name in self.by_name else ""

    @property
    def name(self) -> str:
        return self.text("name")

    @cached_property
    def type(self) -> str:
        return self.text("type") or ("tiledimage" if self.flags & TILED else "scanlineimage")

    @property
    def deep(self) -> bool:
        return self.type.startswith("deep")

    @property
    def tiled(self) -> bool:
        return self.type in ("tiledimage", "deeptile")

    @property
    def compression(self) -> str:
        code = self.value("compression")[0]
        if code >= len(COMPRESSIONS):
            raise Damaged(f"its compression, code {code}, is not one this version of tsn knows")
        return COMPRESSIONS[code][0]

    def window(self, name: str) -> Box:
        x, y, right, bottom = struct.unpack("<4i", self.value(name))
        if right < x or bottom < y:
            raise Damaged(f"its {name} ({x}, {y}) - ({right}, {bottom}) is empty")
        return Box(x, y, right - x + 1, bottom - y + 1)

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
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
    def oddity(self) -> str | None:
        """Why the pixels can't be had as plain (H, W) arrays, or None."""
        if self.deep:
            return "holds deep samples"
        if self.levels:
            return "is a mipmapped or ripmapped texture"
        if any(channel.sampling != (1, 1) for channel in self.channels):
            return "holds subsampled channels"
        return None

    def count_chunks(self) -> int:
        if "chunkCount" in self.by_name:
            return int(struct.unpack("<i", self.value("chunkCount"))[0])
        window = self.window("dataWindow")
        if not self.tiled:
            return ceil(window.height / dict(COMPRESSIONS)[self.compression])
        width, height, mode = self.tiles
        if not width or not height:
            raise Damaged("its tiles have no size")
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


@lru_cache(maxsize=256)  # ten thousand frames of a plate have the same list
def _channels(data: bytes) -> tuple[Channel, ...]:
    at, result = 0, []
    while data[at]:
        end = data.index(b"\0", at)
        kind, linear, x, y = struct.unpack_from("<iB3x2i", data, end + 1)
        name = data[at:end].decode("utf-8", "surrogateescape")
        result.append(Channel(name, kind, bool(linear), (x, y)))
        at = end + 17
    return tuple(result)


def _level_sizes(size: int, longest: int, rounding: Callable[[float], int]) -> list[int]:
    """Sizes of the levels along one side, down to the level where the longest side is 1."""
    return [max(1, rounding(size / 2**level)) for level in range(rounding(log2(longest)) + 1)]


@dataclass(frozen=True, kw_only=True)
class Container:
    """All headers of a file. `chunk` and `chunks` need the whole file's bytes, `parse` only its start."""

    version: int
    parts: tuple[Part, ...]
    end: int

    def extent(self, index: int, leader: bytes) -> tuple[int, int]:
        """Size of a chunk and of the part number in front of it, from its first 44 bytes or more."""
        part, skip = self.parts[index], 4 if self.version & MULTIPART else 0
        at = skip + (16 if part.tiled else 4)
        try:
            if skip and struct.unpack_from("<i", leader)[0] != index:
                raise Damaged("a chunk belongs to another part than its table says")
            if part.deep:
                table, samples, _ = struct.unpack_from("<3Q", leader, at)
                size, head = table + samples, at + 24
            else:
                size, head = struct.unpack_from("<i", leader, at)[0], at + 4
        except struct.error as error:
            raise Damaged("it ends inside a chunk") from error
        if size <= 0:
            raise Damaged("a chunk is empty")
        return head + size, skip

    def chunks(self, index: int, data: bytes) -> tuple[Chunk, ...]:
        """Every chunk of a part, in table order."""
        result = []
        for offset in self.parts[index].offsets:
            size, skip = self.extent(index, data[offset : offset + 48])
            if offset + size > len(data):
                raise Damaged("it ends inside a chunk")
            result.append(Chunk(offset, data[offset + skip : offset + size]))
        return tuple(result)

    def last(self) -> tuple[int, int]:
        """Part and offset of the chunk that lies last in the file."""
        return max(
            ((index, offset) for index, part in enumerate(self.parts) for offset in part.offsets),
            key=lambda pair: pair[1],
        )


@lru_cache(maxsize=1024)
def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if count < 0:
            raise Damaged("an attribute of its header has a negative size")
        if self.at + count > len(self.data):
            raise Incomplete
        start = self.at
        self.at += count
        return self.data[start : self.at]

    def name(self) -> str:
        end = self.data.find(b"\0", self.at, self.at + 256)
        if end < 0:
            if len(self.data) - self.at < 256:
                raise Incomplete
            raise Damaged("its header makes no sense")
        start, self.at = self.at, end + 1
        return _text(self.data[start:end])

    def header(self) -> tuple[Attribute, ...]:
        attributes = []
        while name := self.name():
            kind = self.name()
            (size,) = LENGTH.unpack(self.take(4))
            attributes.append(Attribute(name, kind, self.take(size)))
        return tuple(attributes)


def parse(data: bytes, size: int) -> Container:
    """Headers and chunk tables of a file of `size` bytes that begins with `data`.

    Raises:
        Incomplete: more of the file is needed.
        Damaged: more of it would not help.
    """
    reader = _Reader(data)
    if reader.take(4) != MAGIC:
        raise Damaged("it does not begin like one")
    (version,) = struct.unpack("<I", reader.take(4))
    if version & 0xFF != 2:
        raise Damaged(f"its format version is {version & 0xFF}, not 2")
    headers = [reader.header()]
    while version & MULTIPART and (header := reader.header()):
        headers.append(header)
    parts = []
    for attributes in headers:
        part = Part(attributes=attributes, flags=version)
        try:
            count = part.count_chunks()
            _ = part.channels, part.window("displayWindow"), part.compression, part.levels  # broken ones show here
        except (struct.error, IndexError, ValueError) as error:
            raise Damaged("an attribute of its header is broken") from error
        if not 0 < count * 8 < size:
            raise Damaged(f"its header promises {count} chunks, more than the file can hold")
        parts.append((part, count))
    tables = [struct.unpack(f"<{count}Q", reader.take(8 * count)) for _, count in parts]
    if any(not reader.at <= offset < size for table in tables for offset in table):
        raise Damaged("its chunk table points at nothing: it was not written to the end, or cut short")
    return Container(
        version=version,
        parts=tuple(dataclasses.replace(part, offsets=table) for (part, _), table in zip(parts, tables, strict=True)),
        end=reader.at,
    )


def assemble(version: int, parts: Sequence[tuple[Sequence[Attribute], Sequence[Chunk]]]) -> list[bytes]:
    """The bytes of a file, in pieces, from headers and chunks in table order."""
    multipart = bool(version & MULTIPART)
    head = bytearray(MAGIC + struct.pack("<I", version))
    for attributes, _ in parts:
        for item in attributes:
            names = b"".join(text.encode("utf-8", "surrogateescape") + b"\0" for text in (item.name, item.type))
            head += names + struct.pack("<i", len(item.value)) + item.value
        head += b"\0"
    if multipart:
        head += b"\0"
    at = len(head) + sum(8 * len(chunks) for _, chunks in parts)
    tables, body = b"", []
    for index, (_, chunks) in enumerate(parts):
        prefix = struct.pack("<i", index) if multipart else b""
        places = [0] * len(chunks)
        for row in sorted(range(len(chunks)), key=lambda row: chunks[row].offset):  # line order down stays down
            places[row] = at
            body += [prefix, chunks[row].data]
            at += len(prefix) + len(chunks[row].data)
        tables += struct.pack(f"<{len(places)}Q", *places)
    return [bytes(head), tables, *body]
