"""The structure of an OpenEXR file: headers, chunk tables and chunks, without decoding pixels.

tsn repaints one part of a file. The rest (other parts, deep samples, attributes of unknown types) is copied as bytes,
so it can't change. The `OpenEXR` wheel decodes and encodes pixels (`exr.py`), in single-part files that `assemble`
builds. Given whole files it loses things, measured with 3.5.3: it refuses files with `deepImageState` or Latin-1
attributes, can't write back an empty string vector, reduces rationals, and drops a damaged part without an error.

Reference: https://openexr.com/en/latest/OpenEXRFileLayout.html
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tsn.io.exr_part import LONG_NAMES as LONG_NAMES
from tsn.io.exr_part import LOSSY_COMPRESSIONS as LOSSY_COMPRESSIONS
from tsn.io.exr_part import MULTIPART, NON_IMAGE
from tsn.io.exr_part import TILED as TILED
from tsn.io.exr_part import ZIP as ZIP
from tsn.io.exr_part import Damaged as Damaged
from tsn.io.exr_part import ExrAttribute as ExrAttribute
from tsn.io.exr_part import ExrPart as ExrPart

MAGIC = b"\x76\x2f\x31\x01"
LENGTH = struct.Struct("<i")


# Attributes that must be equal in all parts of a file.
EQUAL_IN_ALL_PARTS: dict[str, Callable[[ExrPart], object]] = {
    "displayWindow": lambda part: part.window("displayWindow"),
    "pixelAspectRatio": lambda part: part.aspect,
}


class Incomplete(Exception):
    """The bytes that were read end before the header and chunk tables do."""


@dataclass(frozen=True)
class ExrChunk:
    """A chunk without the part number that precedes it in multi-part files; `offset` serves for the order only."""

    offset: int
    data: bytes


@dataclass(frozen=True, kw_only=True)
class ExrContainer:
    """All headers and chunk tables of a file.

    Attributes:
        version: the version field with its flags.
        end: offset behind the chunk tables.
    """

    version: int
    parts: tuple[ExrPart, ...]
    end: int

    def extent(self, index: int, leader: bytes) -> tuple[int, int]:
        """Size of a chunk with its part number, and of the part number, from its first 44 bytes or more."""
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

    def chunks(self, index: int, data: bytes) -> tuple[ExrChunk, ...]:
        """Every chunk of a part, in table order. `data` is the whole file."""
        result = []
        for offset in self.parts[index].offsets:
            size, skip = self.extent(index, data[offset : offset + 48])
            if offset + size > len(data):
                raise Damaged("it ends inside a chunk")
            result.append(ExrChunk(offset, data[offset + skip : offset + size]))
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
    """Reads a header from bytes that may end too early, where it raises Incomplete."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count < 0:
            raise Damaged("an attribute of its header has a negative size")
        if self.at + count > len(self.data):
            raise Incomplete
        start = self.at
        self.at += count
        return self.data[start : self.at]

    def name(self) -> str:
        """The next string that ends in a zero byte."""
        end = self.data.find(b"\0", self.at, self.at + 256)
        if end < 0:
            if len(self.data) - self.at < 256:
                raise Incomplete
            raise Damaged("its header makes no sense")
        start, self.at = self.at, end + 1
        return _text(self.data[start:end])

    def header(self) -> tuple[ExrAttribute, ...]:
        """The attributes of the next header; empty at the end of them all."""
        attributes = []
        while name := self.name():
            kind = self.name()
            (size,) = LENGTH.unpack(self.take(4))
            attributes.append(ExrAttribute(name, kind, self.take(size)))
        return tuple(attributes)


def parse(data: bytes, size: int) -> ExrContainer:
    """Parse headers and chunk tables of a file of `size` bytes that begins with `data`.

    Raises:
        Incomplete: more of the file is needed.
        Damaged: the file is broken.
    """
    reader = _Reader(data)
    if reader.take(4) != MAGIC:
        raise Damaged("it does not begin like one")
    (version,) = struct.unpack("<I", reader.take(4))
    if version & 0xFF != 2:
        raise Damaged(f"its format version is {version & 0xFF}, not 2")
    if version & 0xFFFFE100 or (version & TILED and version & (MULTIPART | NON_IMAGE)):
        raise Damaged(f"its version field, {version:#x}, has flags that are unknown or exclude each other")
    headers = [reader.header()]
    while version & MULTIPART and (header := reader.header()):
        headers.append(header)
    parts = []
    for attributes in headers:
        part = ExrPart(attributes=attributes, flags=version)
        try:
            part.check(size)
            count = part.count_chunks()
        except (struct.error, IndexError, ValueError) as error:
            raise Damaged("an attribute of its header is broken") from error
        if not 0 < count * 8 < size:
            raise Damaged(f"its header promises {count} chunks, more than the file can hold")
        parts.append((part, count))
    for name, value_of in EQUAL_IN_ALL_PARTS.items():
        if len(parts) > 1 and len({value_of(part) for part, _ in parts}) > 1:
            raise Damaged(f"its parts have not the same {name}")
    tables = [struct.unpack(f"<{count}Q", reader.take(8 * count)) for _, count in parts]
    if any(not reader.at <= offset < size for table in tables for offset in table):
        raise Damaged("its chunk table points at nothing: it was not written to the end, or cut short")
    if any(len(set(table)) < len(table) for table in tables):
        raise Damaged("its chunk table has the same chunk twice")
    return ExrContainer(
        version=version,
        parts=tuple(dataclasses.replace(part, offsets=table) for (part, _), table in zip(parts, tables, strict=True)),
        end=reader.at,
    )


def assemble(version: int, parts: Sequence[tuple[Sequence[ExrAttribute], Sequence[ExrChunk]]]) -> list[bytes]:
    """Build a file, as a list of byte strings, from headers and chunks in table order."""
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
        for row in sorted(
            range(len(chunks)), key=lambda row: chunks[row].offset
        ):  # chunks keep their order in the file, as a decreasing line order
            places[row] = at
            body += [prefix, chunks[row].data]
            at += len(prefix) + len(chunks[row].data)
        tables += struct.pack(f"<{len(places)}Q", *places)
    return [bytes(head), tables, *body]
