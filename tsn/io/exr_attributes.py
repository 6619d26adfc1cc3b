"""Values of the attributes in an OpenEXR header, as Python has them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from tsn.io.exr_part import COMPRESSIONS, ExrPart


def _string_vector(value: bytes) -> list[str]:
    """The value of a `stringvector`."""
    result, at = [], 0
    while at < len(value):
        (size,) = struct.unpack_from("<i", value, at)
        result.append(value[at + 4 : at + 4 + size].decode("utf-8", "surrogateescape"))
        at += 4 + size
    return result


def _number_decoder(form: str) -> Callable[[bytes], Any]:
    """A decoder of one number, or a tuple of several, by a `struct` format."""

    def unpack(value: bytes) -> Any:
        numbers = struct.unpack(form, value)
        return numbers[0] if len(numbers) == 1 else numbers

    return unpack


ATTRIBUTE_DECODERS: dict[str, Callable[[bytes], Any]] = {
    "string": lambda value: value.decode("utf-8", "surrogateescape"),
    "stringvector": _string_vector,
    "rational": lambda value: Fraction(*struct.unpack("<iI", value)),
    "compression": lambda value: COMPRESSIONS[value[0]][0],
    **{
        name: _number_decoder(f"<{form}")
        for name, form in {
            **{"int": "i", "float": "f", "double": "d", "chromaticities": "8f", "box2i": "4i", "box2f": "4f"},
            **{"v2i": "2i", "v2f": "2f", "v2d": "2d", "v3i": "3i", "v3f": "3f", "v3d": "3d"},
            **{"m33f": "9f", "m44f": "16f", "m33d": "9d", "m44d": "16d", "timecode": "2I", "keycode": "7i"},
        }.items()
    },
}


def header_values(parts: Sequence[ExrPart], index: int) -> dict[str, object]:
    """Attributes of one part as Python values (raw bytes where the type is unknown), and all Cryptomatte manifests."""
    manifests = [item for part in parts for item in part.attributes if item.name.startswith("cryptomatte/")]
    result: dict[str, object] = {}
    for item in (*manifests, *parts[index].attributes):
        try:
            result[item.name] = ATTRIBUTE_DECODERS[item.type](item.value)
        except (KeyError, IndexError, ValueError, ArithmeticError, struct.error):
            result[item.name] = item.value
    return result
