"""Finds the picture in a DPX file whose header may contradict the file.

A header has two fields for the start of the picture, none that is reliable for the padding of its lines, and one for
the file's size. Programs leave them empty or fill in wrong values, and other readers open such files all the same.
Their rules, read in FFmpeg's `libavcodec/dpx.c` and OpenImageIO's `libdpx` and tried on files:

- start: FFmpeg uses the general header (byte 4), OpenImageIO the picture element (byte 808);
- lines: the standard lets them end on 32-bit words. FFmpeg assumes that where the file is long enough for it,
  OpenImageIO uses the element's end-of-line padding (byte 812), and many writers, OpenImageIO too, pad nothing;
- the file's size (byte 16): no reader uses it.

So the file decides: a layout that does not fit into it is wrong, one that ends where the file ends is right, and where
bytes follow the picture, filler (all 0 or all 255) is told from picture. What stays ambiguous is refused with the
reason.

Reference: SMPTE ST 268:2003. Offsets are the standard's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tsn.errors import InputError

GENERIC = 1664
"""Bytes of the headers that every DPX has: file, image and orientation."""
HEADER = 2048
"""Bytes with the film and television headers, which FFmpeg leaves out."""
UNDEFINED = 0xFFFFFFFF
"""Value of a header field that is left empty."""
RGB, RGBA = 50, 51
"""Descriptors of a picture element."""
PACKINGS = {8: (), 10: (1, 2), 12: (0, 1, 2), 16: ()}
"""Supported packing methods by bits per sample; () = the packing field does not matter."""

Read = Callable[[int, int], bytes]
"""Reads `count` bytes of the file from an offset: read(offset, count)."""


@dataclass(frozen=True, kw_only=True)
class DpxLayout:
    """Where the samples are and how they are packed.

    Attributes:
        order: byte order, ">" (big-endian) or "<".
        samples: 3 for RGB, 4 for RGBA.
        bits: per sample.
        packing: 10 and 12 bit: 1 = filled by method A (padding below the sample), 2 = method B (above), 0 = packed.
        line: bytes per scanline, with padding.
        start: offset of the first scanline.
    """

    order: str
    width: int
    height: int
    samples: int
    bits: int
    packing: int
    line: int
    start: int

    @property
    def white(self) -> int:
        """The largest code value."""
        return (1 << self.bits) - 1


def find_layout(path: Path, header: bytes, size: int, read: Read) -> DpxLayout:
    """Find the layout of a file of `size` bytes that begins with `header`.

    Args:
        header: 1664 bytes or more.
        read: used only where the header's fields leave the layout open.

    Raises:
        InputError: not a DPX, cut short, a kind of DPX that isn't supported, or one whose picture can't be found.
    """
    order = {b"SDPX": ">", b"XPDS": "<"}.get(header[:4])
    if order is None:
        raise InputError(f"{path} is not a DPX file")
    if len(header) < GENERIC:
        raise _cut_short(path, f"{size} bytes, less than a header")
    width, height = struct.unpack_from(f"{order}2I", header, 772)
    _require_supported(path, header, order)
    descriptor, _, _, bits, packing = struct.unpack_from(f"{order}4BH", header, 800)
    samples = 3 if descriptor == RGB else 4
    if not 0 < width < UNDEFINED or not 0 < height < UNDEFINED:
        raise InputError(f"{path} is damaged: its header gives no size to the picture, {width}x{height}")
    tight = _line(width * samples, bits, packing)
    start = _start(path, header, order, size, tight, height, read)
    line = _line_on_disk(path, header, order, size, start, tight, height, read)
    return DpxLayout(
        order=order,
        width=width,
        height=height,
        samples=samples,
        bits=bits,
        packing=packing if bits in (10, 12) else 0,
        line=line,
        start=start,
    )


def _require_supported(path: Path, header: bytes, order: str) -> None:
    """Raise InputError with all reasons why this kind of DPX can't be read."""
    orientation, elements, width = struct.unpack_from(f"{order}2HI", header, 768)
    sign, descriptor, _, _, bits, packing, encoding = struct.unpack_from(f"{order}I16x4B2H", header, 780)
    if elements in (0, 0xFFFF):  # left empty: OpenImageIO counts the described elements, FFmpeg takes one
        elements = 1 + sum(header[800 + 72 * index] not in (0, 0xFF) for index in range(1, 8))
    runs_on = header[160:178] == b"Lasergraphics Inc." or header[1556:1563] == b"Scanity"  # FFmpeg's test
    packings = PACKINGS.get(bits, ())
    oddities = {
        f"{elements} picture elements": elements != 1,
        f"descriptor {descriptor}, not RGB (50) or RGBA (51)": descriptor not in (RGB, RGBA),
        f"orientation {orientation}, not left to right and top to bottom (0)": orientation not in (0, 0xFFFF),
        "run-length coding": encoding not in (0, 0xFFFF),
        "signed samples": sign == 1,
        f"{bits} bits a sample": bits not in PACKINGS,
        f"{bits} bits packed by method {packing}, not {' or '.join(map(str, packings))}": bool(packings)
        and packing not in packings,
        "10-bit lines that end inside a word, as Scanity and Lasergraphics scanners write RGBA": bits == 10
        and runs_on
        and descriptor == RGBA
        and width % 3 != 0,
    }
    if found := [text for text, odd in oddities.items() if odd]:
        raise InputError(
            f"{path}: this kind of DPX can't be read: {'; '.join(found)}",
            hint="Convert the plate to 10- or 16-bit RGB DPX, or to EXR.",
        )


def _line(count: int, bits: int, packing: int) -> int:
    """Bytes that the samples of a line take; whole words where several samples share one."""
    if bits == 10:
        return -(-count // 3) * 4
    if bits == 12 and packing == 0:
        return -(-count * 12 // 32) * 4
    return count if bits == 8 else 2 * count


def _aligned(line: int) -> int:
    """Bytes of a line that ends on a 32-bit word."""
    return -(-line // 4) * 4


def _start(path: Path, header: bytes, order: str, size: int, tight: int, height: int, read: Read) -> int:
    """Offset of the first scanline."""
    picture, padded = tight * height, _aligned(tight) * height
    general, promised, element = (struct.unpack_from(f"{order}I", header, at)[0] for at in (4, 16, 808))
    stated = sorted({offset for offset in (general, element) if GENERIC <= offset < UNDEFINED})
    if not stated:
        raise InputError(f"{path} is damaged: its picture is said to begin at byte {general}, inside the header")
    low, high = stated[0], stated[-1]
    if low + picture > size:
        raise _cut_short(path, f"{size} bytes, its picture needs {low + picture}")
    if low == high:
        return low
    before = _is_filler(read(low, high - low))
    if high + picture > size:
        exact = any(low + end == size for end in (picture, padded))
        if not exact and (before or promised == high + picture):
            raise _cut_short(path, f"{size} bytes, its picture needs {high + picture}")
        return low
    # The file is long enough for both. The bytes between the two starts and those after the earlier picture can't both
    # be picture, so filler in one of them is a sign. Letterboxes are black like filler, so other signs count too.
    behind = _is_filler(read(low + picture, high - low))
    headers = sum(value for value in struct.unpack_from(f"{order}3I", header, 24) if value != UNDEFINED)
    later = 4 * (before - behind) + 3 * (high + picture == size)
    later += (4 if headers > HEADER else 2) * (
        (headers == high) - (headers == low)
    )  # a header with user data was filled in on purpose
    if later:
        return high if later > 0 else low
    raise InputError(
        f"{path}: its picture begins at byte {general} by the general header and at {element} by the picture element,"
        " and the file does not tell which is right",
        hint="Write the plate anew with the program it came from.",
    )


def _line_on_disk(
    path: Path, header: bytes, order: str, size: int, start: int, tight: int, height: int, read: Read
) -> int:
    """Bytes per scanline, with padding."""
    (pad,), (promised,) = (struct.unpack_from(f"{order}I", header, at) for at in (812, 16))
    pad = 0 if pad == UNDEFINED else pad
    aligned, padded = _aligned(tight), tight + pad
    ends = {line: start + line * height for line in (padded, aligned, tight)}
    fitting = [line for line, end in ends.items() if end <= size]
    exact = [line for total in (size, promised) for line in fitting if ends[line] == total]
    if exact:
        return exact[0]
    if padded not in fitting or any(
        end == promised for end in ends.values()
    ):  # the end that the header names is missing
        raise _cut_short(path, f"{size} bytes, its picture needs {max(ends[padded], promised)}")
    if pad or aligned not in fitting or aligned == tight or height == 1:
        return padded
    # Bytes follow the picture, and lines may or may not end on words.
    if _is_filler(b"".join(read(start + aligned * row + tight, aligned - tight) for row in range(height))):
        return aligned
    if _is_filler(read(ends[tight], ends[aligned] - ends[tight])):
        return tight
    raise InputError(
        f"{path}: with {size - ends[aligned]} bytes behind the picture it can't be told whether its lines of {tight}"
        " bytes end on 32-bit words",
        hint="Write the plate anew with the program it came from.",
    )


def _is_filler(data: bytes) -> bool:
    """Whether all bytes are 0, or all 255."""
    return not data.strip(b"\0") or not data.strip(b"\xff")


def _cut_short(path: Path, how: str) -> InputError:
    return InputError(f"{path} was cut short: {how}", hint="Render or copy this frame again.")
