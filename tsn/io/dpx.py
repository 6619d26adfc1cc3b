"""DPX plates: read code-exact, replace the picture, keep the header.

The usual files are read and written here, without OpenImageIO: one picture element, RGB or RGBA, not
run-length coded; 8 and 16 bit, 10 bit filled by method A, 12 bit filled by method A. Others are refused by
name. OpenImageIO would drop what it has no name for, and put the temporary name it writes to into the header.

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
from tsn.io.frame import Box, Frame, Probe

HEADER = 2048
UNDEFINED = 0xFFFFFFFF
MARK = b"tsn".ljust(32, b"\0")
"""Begins what tsn keeps of user data, as the standard asks: who wrote it, in 32 bytes. No JSON holds a zero byte."""
# names as OpenImageIO gives them in "dpx:Transfer"
TRANSFERS = (
    *("User defined", "Printing density", "Linear", "Logarithmic", "Unspecified video", "SMPTE 274M", "ITU-R 709-4"),
    *("ITU-R 601-5 system B or G", "ITU-R 601-5 system M", "NTSC composite video", "PAL composite video"),
    *("Z depth linear", "Z depth homogeneous", "ADX"),
)
SPACES = {"Linear": "lin_rec709_scene", "Logarithmic": "KodakLog", "ITU-R 709-4": "srgb_rec709_scene"}
TEXTS = {"Creator": (160, 100), "Project": (260, 200), "Copyright": (460, 200), "Timestamp": (136, 24)}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the samples are and how they are packed.

    Attributes:
        order: ">" or "<".
        samples: 3 for RGB, 4 for RGBA.
        line: bytes a scanline, padding included.
        start: offset of the first scanline.
    """

    order: str
    width: int
    height: int
    samples: int
    bits: int
    line: int
    start: int

    @property
    def white(self) -> int:
        return (1 << self.bits) - 1


@dataclass(frozen=True)
class File:
    """A frame's handle."""

    data: bytes
    layout: Layout


def read(path: Path, number: int) -> Frame:
    """Read a frame; rgb is float32, exactly code / (2^bits - 1) rounded to float32.

    Raises:
        InputError: missing, cut short, or a kind of DPX that isn't supported.
    """
    data, layout = _load(path, whole=True)
    values = (codes(data, layout) / np.float64(layout.white)).astype(np.float32)
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
        handle=File(data, layout),
    )


def write(frame: Frame, rgb: np.ndarray, path: Path, attributes: Mapping[str, str], *, name: str) -> None:
    """Write a frame's file with another picture; not atomic, `tsn.io.write_frame` is.

    Args:
        rgb: (H, W, 3), clipped to [0, 1].
        attributes: go into the user data, as JSON under the user "tsn". Where another program's data is there, it
            stays what the header points to, and ours lies between it and the picture.
        name: what the header's file name field says.
    """
    handle = frame.handle
    assert isinstance(handle, File)
    layout, data = handle.layout, handle.data
    values = rgb if frame.alpha is None else np.concatenate([rgb, frame.alpha[..., None]], axis=-1)
    body = bytearray(data[layout.start :])
    picture = np.frombuffer(body, np.uint8, layout.line * layout.height).reshape(layout.height, layout.line)
    packed = _pack(np.rint(np.clip(np.nan_to_num(np.float64(values)), 0, 1) * layout.white).astype(np.uint16), layout)
    # What pads the words and the lines stays: it means nothing, but the plate shall survive bit for bit.
    picture[:, : packed.shape[1]] &= ~_pack(np.full(values[:1].shape, layout.white, np.uint16), layout)
    picture[:, : packed.shape[1]] |= packed

    head, user = bytearray(data[:HEADER]), data[HEADER : layout.start]
    if attributes:
        theirs = _of_others(data, layout)
        block = MARK + json.dumps(dict(attributes), sort_keys=True).encode()
        user = theirs + block.ljust(max(len(user) - len(theirs), -(-len(block) // 1024) * 1024), b"\0")
        if not theirs:
            struct.pack_into(f"{layout.order}I", head, 32, len(block))
    start = HEADER + len(user)
    head[36:136] = name.encode("utf-8", "surrogateescape")[:99].ljust(100, b"\0")
    for offset, value in ((4, start), (808, start), (16, start + len(body))):
        struct.pack_into(f"{layout.order}I", head, offset, value)
    with open(path, "wb") as out:
        out.writelines((head, user, body))


def probe(path: Path) -> Probe:
    """Header and completeness: the picture ends inside the file, and the file is as long as its header says.

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
    """What `write` was given as attributes; {} where there are none."""
    data, layout = _load(path, whole=False)
    _, mark, block = data[HEADER : layout.start].rpartition(MARK)
    try:
        return {str(key): str(value) for key, value in json.loads(block.split(b"\0")[0]).items()} if mark else {}
    except (ValueError, AttributeError):
        return {}


def codes(data: bytes, layout: Layout) -> np.ndarray:
    """The stored code values, uint16 (H, W, 3 or 4)."""
    count, shape = layout.width * layout.samples, (layout.height, layout.width, layout.samples)
    lines = np.frombuffer(data, np.uint8, layout.line * layout.height, layout.start).reshape(layout.height, layout.line)
    if layout.bits == 8:
        return lines[:, :count].astype(np.uint16).reshape(shape)
    if layout.bits == 10:  # three samples a 32-bit word, the first on top, two bits of padding at the bottom
        words = lines[:, : -(-count // 3) * 4].view(f"{layout.order}u4")
        triples = np.stack([(words >> shift) & 1023 for shift in (22, 12, 2)], axis=-1)
        return triples.reshape(layout.height, -1)[:, :count].astype(np.uint16).reshape(shape)
    samples = lines[:, : 2 * count].view(f"{layout.order}u2") >> (16 - layout.bits)
    return samples.astype(np.uint16).reshape(shape)


def _pack(values: np.ndarray, layout: Layout) -> np.ndarray:
    """Code values of some lines -> uint8 (lines, bytes a line without padding)."""
    lines = values.reshape(len(values), -1)
    if layout.bits == 8:
        return lines.astype(np.uint8)
    if layout.bits == 10:
        padded = np.pad(lines, ((0, 0), (0, -lines.shape[1] % 3))).astype(np.uint32)
        words = padded[:, 0::3] << 22 | padded[:, 1::3] << 12 | padded[:, 2::3] << 2
        return words.astype(f"{layout.order}u4").view(np.uint8)
    return (lines << (16 - layout.bits)).astype(f"{layout.order}u2").view(np.uint8)


def _load(path: Path, *, whole: bool) -> tuple[bytes, Layout]:
    """The file's bytes (or all before the picture) and its layout."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            data = file.read(size if whole else HEADER)
            layout = _layout(path, data, size)
            if not whole:
                data += file.read(layout.start - HEADER)
    except OSError as error:
        raise InputError(f"Can't read {path}: {error.strerror}") from error
    return data, layout


def _layout(path: Path, data: bytes, size: int) -> Layout:
    order = {b"SDPX": ">", b"XPDS": "<"}.get(data[:4])
    if order is None:
        raise InputError(f"{path} is not a DPX file")
    if len(data) < HEADER:
        raise _cut_short(path, f"{size} bytes, less than a header")
    promised, orientation, elements, width, height = struct.unpack_from(f"{order}I748x2H2I", data, 16)
    descriptor, _, _, bits, packing, encoding, start, line_pad = struct.unpack_from(f"{order}4B2H2I", data, 800)
    oddities = {
        f"{elements} picture elements": elements != 1,
        f"descriptor {descriptor}, not RGB (50) or RGBA (51)": descriptor not in (50, 51),
        f"orientation {orientation}, not left to right and top to bottom (0)": orientation not in (0, 0xFFFF),
        "run-length coding": encoding not in (0, 0xFFFF),
        f"{bits} bits a sample": bits not in (8, 10, 12, 16),
        f"{bits} bits packed by method {packing}, not filled by method A (1)": bits in (10, 12) and packing != 1,
    }
    if found := [text for text, odd in oddities.items() if odd]:
        raise InputError(
            f"{path}: this kind of DPX can't be read: {'; '.join(found)}",
            hint="Convert the plate to 10- or 16-bit RGB DPX, or to EXR.",
        )
    samples = 3 if descriptor == 50 else 4
    per_line = -(-width * samples // 3) * 4 if bits == 10 else width * samples * (1 if bits == 8 else 2)
    line = per_line + (0 if line_pad == UNDEFINED else line_pad)
    if start in (0, UNDEFINED):
        (start,) = struct.unpack_from(f"{order}I", data, 4)
    if not width or not height or start < HEADER:
        raise InputError(f"{path} is damaged: {width}x{height} pixels at byte {start}")
    if start + line * height > size:
        raise _cut_short(path, f"{size} bytes, its picture needs {start + line * height}")
    if promised != UNDEFINED and promised > size:
        raise _cut_short(path, f"{size} bytes, its header says {promised}")
    return Layout(order=order, width=width, height=height, samples=samples, bits=bits, line=line, start=start)


def _cut_short(path: Path, how: str) -> InputError:
    return InputError(f"{path} was cut short: {how}", hint="Render or copy this frame again.")


def _of_others(data: bytes, layout: Layout) -> bytes:
    """What another program keeps between header and picture, whether its header says so or not; empty where that is
    free, or ours alone."""
    (size,) = struct.unpack_from(f"{layout.order}I", data, 32)
    between = data[HEADER : layout.start]
    before, mark, _ = between.rpartition(MARK)
    if mark:
        return before
    return between if size not in (0, UNDEFINED) or between.strip(b"\0\xff") else b""


def _header(data: bytes, layout: Layout) -> dict[str, object]:
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
