"""Read Qt resource files (.rcc), in which Debian's gcompris-qt-data keeps its pictures.

The format is that of Qt's `rcc` compiler (qtbase, src/tools/rcc/rcc.cpp): a header with three offsets, a tree of nodes
of a fixed size, names in UTF-16, and data with their length before them. In Python only PySide6 reads it, half a
gigabyte to install for forty lines.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_COMPRESSED, _DIRECTORY = 1, 2
"""Flags of a node."""


def read_files(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield every file in a resource, as (path inside, content).

    Raises:
        ValueError: it is no Qt resource file.
    """
    blob = path.read_bytes()
    if blob[:4] != b"qres":
        raise ValueError(f"{path}: expected a Qt resource file (magic 'qres'), found {blob[:4]!r}.")
    version, tree, data, names = struct.unpack(">4I", blob[4:20])
    node_size = 14 if version == 1 else 22  # version 2 adds a time stamp

    def name(offset: int) -> str:
        (length,) = struct.unpack_from(">H", blob, names + offset)
        start = names + offset + 6  # past the length and a hash
        return blob[start : start + 2 * length].decode("utf-16-be")

    def walk(index: int, parent: PurePosixPath) -> Iterator[tuple[PurePosixPath, bytes]]:
        node = tree + index * node_size
        name_offset, flags = struct.unpack_from(">IH", blob, node)
        inside = parent / name(name_offset) if index else parent
        if flags & _DIRECTORY:
            count, first = struct.unpack_from(">II", blob, node + 6)
            for child in range(first, first + count):
                yield from walk(child, inside)
            return
        (offset,) = struct.unpack_from(">I", blob, node + 10)
        (length,) = struct.unpack_from(">I", blob, data + offset)
        content = blob[data + offset + 4 : data + offset + 4 + length]
        yield inside, zlib.decompress(content[4:]) if flags & _COMPRESSED else content

    yield from walk(0, PurePosixPath())
