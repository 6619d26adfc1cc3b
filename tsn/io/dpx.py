"""DPX plates: read code-exact, replace the picture, keep the header.

Reads and writes the usual files without OpenImageIO: one picture element, RGB or RGBA, not run-length coded; 8 and 16
bit, 10 and 12 bit filled by method A or B, 12 bit packed. Others are refused with the reason. OpenImageIO would drop
header fields that it does not know, and write its temporary file name into the header. `dpx_layout` finds the picture.

Reference: SMPTE ST 268:2003. Offsets below are the standard's.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tsn.errors import InputError
from tsn.io.dpx_layout import GENERIC, HEADER, UNDEFINED, DpxLayout, find_layout
from tsn.io.frame import Box, Frame, Probe

MARK = b"tsn".ljust(32, b"\0")
"""Start of tsn's user data. The standard wants the writer's name in 32 bytes; JSON holds no zero byte."""
# As OpenImageIO names them in "dpx:Transfer".
TRANSFERS = (
    *("User defined", "Printing density", "Linear", "Logarithmic", "Unspecified video", "SMPTE 274M", "ITU-R 709-4"),
    *("ITU-R 601-5 system B or G", "ITU-R 601-5 system M", "NTSC composite video", "PAL composite video"),
    *("Z depth linear", "Z depth homogeneous", "ADX"),
)
SPACES = {"Linear": "lin_rec709_scene", "Logarithmic": "KodakLog", "ITU-R 709-4": "srgb_rec709_scene"}
# Offset and size of the header's text fields.
TEXTS = {"Creator": (160, 100), "Project": (260, 200), "Copyright": (460, 200), "Timestamp": (136, 24)}


@dataclass(frozen=True)
class DpxFile:
    """The `Frame.handle` of a DPX frame: the whole file, and where its picture lies."""

    data: bytes
    layout: DpxLayout


def read(path: Path, number: int) -> Frame:
    """Read a frame; rgb is float32, exactly code / (2^bits - 1) rounded to float32.

    Raises:
        InputError: missing, cut short, or a kind of DPX that isn't supported.
    """
    data, layout = _load(path, whole=True)
    values = (read_codes(data, layout) / np.float64(layout.white)).astype(np.float32)
    box = Box(0, 0, layout.width, layout.height)
    return Frame(
        path=path,
        number=number,
        rgb=values[..., :3],
        alpha=values[..., 3] if layout.samples == 4 else None,
        data_window=box,
        display_window=box,
        channels={name: values[..., index] for index, name in enumerate("RGBA"[: layout.samples])},
        header=_header(data, layout),
        handle=DpxFile(data, layout),
    )


def write(frame: Frame, rgb: np.ndarray, path: Path, attributes: Mapping[str, str], *, name: str) -> None:
    """Write a frame's file with a new picture. Not atomic; `tsn.io.write_frame` is.

    Args:
        rgb: (H, W, 3), clipped to [0, 1].
        attributes: stored as JSON in the user data of the user "tsn". User data of another program stays where the
            header points; ours follows it, before the picture.
        name: for the header's field of the file name.
    """
    handle = frame.handle
    assert isinstance(handle, DpxFile)
    layout, data = handle.layout, handle.data
    values = rgb if frame.alpha is None else np.concatenate([rgb, frame.alpha[..., None]], axis=-1)
    body = bytearray(data[layout.start :])
    picture = np.frombuffer(body, np.uint8, layout.line * layout.height).reshape(layout.height, layout.line)
    packed = _pack(np.rint(np.clip(np.nan_to_num(np.float64(values)), 0, 1) * layout.white).astype(np.uint16), layout)
    # Padding bits of words and lines keep their values, so that the plate survives bit for bit.
    picture[:, : packed.shape[1]] &= ~_pack(np.full(values[:1].shape, layout.white, np.uint16), layout)
    picture[:, : packed.shape[1]] |= packed

    head, user = bytearray(data[: min(HEADER, layout.start)]), data[HEADER : layout.start]
    if attributes:
        if len(head) < HEADER:  # user data follows the film and television headers, which are left empty here
            head += b"\xff" * (HEADER - len(head))
            struct.pack_into(f"{layout.order}2I", head, 24, GENERIC, HEADER - GENERIC)
        theirs = _foreign_user_data(data, layout)
        block = MARK + json.dumps(dict(attributes), sort_keys=True).encode()
        user = theirs + block.ljust(max(len(user) - len(theirs), -(-len(block) // 1024) * 1024), b"\0")
        if not theirs:
            struct.pack_into(f"{layout.order}I", head, 32, len(block))
    start = len(head) + len(user)
    end = len(body)
    if struct.unpack_from(f"{layout.order}I", data, 16) == (layout.start + picture.size,):
        end = picture.size  # where bytes lie behind the picture, this is how to tell
    head[36:136] = name.encode("utf-8", "surrogateescape")[:99].ljust(100, b"\0")
    for offset, value in ((4, start), (808, start), (16, min(start + end, UNDEFINED))):
        struct.pack_into(f"{layout.order}I", head, offset, value)
    with open(path, "wb") as out:
        out.writelines((head, user, body))


def probe(path: Path) -> Probe:
    """Read the header and check that the picture lies inside the file.

    Raises:
        InputError: missing, cut short, or a kind of DPX that isn't supported.
    """
    _, layout = _load(path, whole=False)
    box = Box(0, 0, layout.width, layout.height)
    return Probe(
        data_window=box,
        display_window=box,
        channels=tuple("RGBA"[: layout.samples]),
        compression="none",
        format="dpx",
    )


def read_attributes(path: Path) -> dict[str, str]:
    """Read the attributes that `write` stored; {} where there are none."""
    data, layout = _load(path, whole=False)
    _, mark, block = data[HEADER : layout.start].rpartition(MARK)
    try:
        return {str(key): str(value) for key, value in json.loads(block.split(b"\0")[0]).items()} if mark else {}
    except (ValueError, AttributeError):
        return {}


def read_codes(data: bytes, layout: DpxLayout) -> np.ndarray:
    """Unpack the stored code values, uint16 (H, W, 3 or 4)."""
    count, shape = layout.width * layout.samples, (layout.height, layout.width, layout.samples)
    lines = np.frombuffer(data, np.uint8, layout.line * layout.height, layout.start).reshape(layout.height, layout.line)
    if layout.bits == 8:
        return lines[:, :count].astype(np.uint16).reshape(shape)
    if layout.bits == 10:  # three samples a 32-bit word, the first on top
        words = lines[:, : -(-count // 3) * 4].view(f"{layout.order}u4")
        triples = np.stack([(words >> shift) & 1023 for shift in _shifts(layout)], axis=-1)
        return triples.reshape(layout.height, -1)[:, :count].astype(np.uint16).reshape(shape)
    if layout.bits == 12 and layout.packing == 0:  # two samples in three bytes, the first in the lowest bits
        words = lines[:, : -(-count * 12 // 32) * 4].view(f"{layout.order}u4").astype("<u4").view(np.uint8)
        threes = np.pad(words, ((0, 0), (0, -words.shape[1] % 3))).reshape(layout.height, -1, 3).astype(np.uint16)
        first, second = threes[..., 0] | (threes[..., 1] & 15) << 8, threes[..., 1] >> 4 | threes[..., 2] << 4
        return np.stack([first, second], axis=-1).reshape(layout.height, -1)[:, :count].reshape(shape)
    samples = lines[:, : 2 * count].view(f"{layout.order}u2")
    return ((samples >> _below(layout)) & layout.white).astype(np.uint16).reshape(shape)


def _shifts(layout: DpxLayout) -> tuple[int, int, int]:
    """10 bit: bits by which the three samples of a word are shifted up."""
    return (22, 12, 2) if layout.packing == 1 else (20, 10, 0)


def _below(layout: DpxLayout) -> int:
    """12 and 16 bit: padding bits below a sample in its 16 bits."""
    return 4 if layout.bits == 12 and layout.packing == 1 else 0


def _pack(values: np.ndarray, layout: DpxLayout) -> np.ndarray:
    """Pack the code values of some lines: uint8 (lines, bytes per line without padding)."""
    lines = values.reshape(len(values), -1)
    if layout.bits == 8:
        return lines.astype(np.uint8)
    if layout.bits == 10:
        padded = np.pad(lines, ((0, 0), (0, -lines.shape[1] % 3))).astype(np.uint32)
        words = np.zeros_like(padded[:, ::3])
        for place, shift in enumerate(_shifts(layout)):
            words |= padded[:, place::3] << shift
        return words.astype(f"{layout.order}u4").view(np.uint8)
    if layout.bits == 12 and layout.packing == 0:
        padded = np.pad(lines, ((0, 0), (0, lines.shape[1] % 2)))
        first, second = padded[:, 0::2], padded[:, 1::2]
        threes = np.stack([first & 255, first >> 8 | (second & 15) << 4, second >> 4], axis=-1).astype(np.uint8)
        size = -(-lines.shape[1] * 12 // 32) * 4
        octets = threes.reshape(len(lines), -1)[:, :size]
        octets = np.pad(octets, ((0, 0), (0, size - octets.shape[1])))
        return octets.view("<u4").astype(f"{layout.order}u4").view(np.uint8)
    return (lines << _below(layout)).astype(f"{layout.order}u2").view(np.uint8)


def _load(path: Path, *, whole: bool) -> tuple[bytes, DpxLayout]:
    """Read the whole file, or what precedes the picture, and find its layout."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)

            def read(offset: int, count: int) -> bytes:
                file.seek(offset)
                return file.read(count)

            layout = find_layout(path, read(0, HEADER), size, read)
            return read(0, size if whole else layout.start), layout
    except OSError as error:
        raise InputError(f"Can't read {path}: {error.strerror}") from error


def _foreign_user_data(data: bytes, layout: DpxLayout) -> bytes:
    """Another program's user data between header and picture, even where the header names none; else empty."""
    (size,) = struct.unpack_from(f"{layout.order}I", data, 32)
    between = data[HEADER : layout.start]
    before, mark, _ = between.rpartition(MARK)
    if mark:
        return before
    return between if size not in (0, UNDEFINED) or between.strip(b"\0\xff") else b""


def _header(data: bytes, layout: DpxLayout) -> dict[str, object]:
    result: dict[str, object] = {
        "oiio:BitsPerSample": layout.bits,
        "oiio:Endian": "big" if layout.order == ">" else "little",
    }
    if data[801] < len(TRANSFERS):
        transfer = result["dpx:Transfer"] = TRANSFERS[data[801]]
        if transfer in SPACES:
            result["oiio:ColorSpace"] = SPACES[str(transfer)]
    for name, (offset, size) in TEXTS.items():
        text = data[offset : offset + size].split(b"\0")[0].strip(b"\xff").decode("utf-8", "replace")
        if text:
            result[f"dpx:{name}"] = text
    return result
