"""16-bit PNG with straight alpha and named texts: keys, which artists paint over in any program."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from tsn.io.atomic import atomic_write

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_TEXT_BYTES = 1 << 16


def write_png16(path: Path, rgb: np.ndarray, alpha: np.ndarray | None, texts: Mapping[str, str]) -> None:
    """Write a display-referred picture, atomically.

    Args:
        rgb: (H, W, 3) in [0, 1], straight: not multiplied by alpha.
        alpha: (H, W) in [0, 1], or None.
        texts: by keyword (Latin letters, at most 79), such as "Software".

    Raises:
        OutputError: it can't be written.
    """
    import cv2

    planes = [rgb[..., ::-1]] if alpha is None else [rgb[..., ::-1], alpha[..., None]]
    codes = np.rint(np.clip(np.concatenate(planes, -1), 0.0, 1.0) * 65535).astype(np.uint16)
    encoded = cv2.imencode(".png", np.ascontiguousarray(codes))[1].tobytes()
    head = len(SIGNATURE) + 25  # IHDR, which must come first, is 13 bytes with 12 around them
    chunks = b"".join(_chunk(b"iTXt", _text(name, text)) for name, text in texts.items())
    with atomic_write(path, "-o") as temporary:
        temporary.write_bytes(encoded[:head] + chunks + encoded[head:])


def read_texts(path: Path) -> dict[str, str]:
    """The texts that `write_png16` put into a PNG; empty for any other file. Raises OSError."""
    found = {}
    for kind, content in _chunks(path):
        if kind == b"iTXt":
            name, _, rest = content.partition(b"\0")
            if rest[:2] == b"\0\0":  # not compressed
                found[name.decode("latin-1")] = rest[2:].split(b"\0", 2)[-1].decode("utf-8", "replace")
    return found


def _text(name: str, text: str) -> bytes:
    """The content of an iTXt chunk: keyword, not compressed, no language, no translated keyword, the text."""
    return name.encode("latin-1") + b"\0\0\0\0\0" + text.encode()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Kinds and contents of the chunks before the pixels."""
    with path.open("rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            return
        while len(head := file.read(8)) == 8:
            size, kind = struct.unpack(">I4s", head)
            if kind == b"IDAT" or size > MAX_TEXT_BYTES:
                return
            yield kind, file.read(size)
            file.read(4)
