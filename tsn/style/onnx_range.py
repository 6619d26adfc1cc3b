"""The ranges of the pixel values that an ONNX net takes and returns: read them from its file, and test them.

The ONNX format has no field for it, so we read it from the file's metadata: `range` for both sides, or `input_range`
and `output_range`, each from black to white, as in `0-255` or `-1..1`. What a net returns for one test picture then
shows whether the range is possible. The test picture does not come from the shot, so that every host refuses the same
nets, whichever frame it paints.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tsn.errors import InputError

METADATA_KEYS = ("range", "input_range", "output_range", "stride")
"""Keys of an ONNX file's metadata that we read."""
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)"
MAX_OVERSHOOT = 0.2
"""Share of the range: if 5 % of the values are further below black or above white, the net has another range. Nets
whose last layer is not bounded leave their range by about 0.1."""
MIN_CONTRAST = 2 / 255
"""Least `contrast` of a picture that is not blank."""


@dataclass(frozen=True)
class Range:
    """The values of black (`low`) and white (`high`)."""

    low: float
    high: float

    def __str__(self) -> str:
        dash = "-" if self.low >= 0 else ".."
        return f"{self.low:g}{dash}{self.high:g}"

    @property
    def width(self) -> float:
        """White minus black."""
        return self.high - self.low


UNIT_RANGE, BYTE_RANGE, SIGNED_RANGE = Range(0, 1), Range(0, 255), Range(-1, 1)
COMMON_RANGES = (
    *((one, one) for one in (BYTE_RANGE, SIGNED_RANGE, UNIT_RANGE)),
    *(
        (UNIT_RANGE, BYTE_RANGE),
        (BYTE_RANGE, UNIT_RANGE),
        (UNIT_RANGE, SIGNED_RANGE),
        (SIGNED_RANGE, UNIT_RANGE),
        (BYTE_RANGE, SIGNED_RANGE),
        (SIGNED_RANGE, BYTE_RANGE),
    ),
)
"""(input, output) ranges of published nets, the most common first."""
MIN_GAIN = 1.2
"""Factor by which a pair of ranges must give more contrast than a more common pair that is possible too."""


def declared_ranges(metadata: Mapping[str, str], path: Path) -> tuple[Range | None, Range | None]:
    """Read the ranges of input and output from the metadata of a file; None where they are not declared.

    Raises:
        InputError: a range can't be read, or a key is a misspelt one of `METADATA_KEYS`.
    """
    for key in metadata:
        meant = next((k for k in METADATA_KEYS if k.replace("_", "") == re.sub("[^a-z]", "", key.lower())), key)
        if meant != key:
            raise InputError(
                f"{path}: the metadata have the key {key!r}, expected {meant!r}.",
                hint=declaration_hint(**{meant: "..."}),
            )
    both = _read_range(metadata, "range", path)
    taken, returned = (_read_range(metadata, key, path) for key in ("input_range", "output_range"))
    return taken or both, returned or both


def _read_range(metadata: Mapping[str, str], key: str, path: Path) -> Range | None:
    """The range under one key; None where the key is missing."""
    text = metadata.get(key)
    if text is None:
        return None
    match = re.fullmatch(rf"\s*({NUMBER})\s*(?:\.\.|-)\s*({NUMBER})\s*", text)
    found = Range(float(match[1]), float(match[2])) if match else UNIT_RANGE
    if not match or not 1e-3 <= found.width <= 1e6 or not math.isfinite(found.width):
        raise InputError(
            f"{path}: the metadata `{key}` must be black and white as in 0-1, 0-255 or -1..1, found {text[:40]!r}.",
            hint=declaration_hint(**{key: "-1..1"}),
        )
    return found


def declaration_hint(**metadata: str) -> str:
    """The lines of Python that add these metadata to an ONNX file."""
    pairs = "; ".join(
        f'p = m.metadata_props.add(); p.key, p.value = "{key}", "{text}"' for key, text in metadata.items()
    )
    return f"Declare it in Python: m = onnx.load(FILE); {pairs}; onnx.save(m, FILE)"


def range_declaration_hint(taken: Range, returned: Range, *, both_keys: bool) -> str:
    """`declaration_hint` for the ranges of input and output; one key is enough for equal ranges unless `both_keys`."""
    if taken == returned and not both_keys:
        return declaration_hint(range=str(taken))
    return declaration_hint(input_range=str(taken), output_range=str(returned))


def contrast(values: np.ndarray, expected: Range) -> float:
    """The 98th minus the 2nd percentile of the values, as a share of the range."""
    dark, bright = np.quantile(values.astype(np.float64), [0.02, 0.98])
    return float(bright - dark) / expected.width


def range_mismatch(values: np.ndarray, expected: Range) -> str | None:
    """Why a net's result for `natural_noise`, which has all shades, can't be in a range; None if it can."""
    unit = (values.astype(np.float64) - expected.low) / expected.width
    least, low, high, most = np.quantile(unit, [0, 0.05, 0.95, 1])
    found = f"found {values.min():.4g} to {values.max():.4g}"
    if low < -MAX_OVERSHOOT or high > 1 + MAX_OVERSHOOT:
        return f"expected values in {expected.low:g}..{expected.high:g}, {found}"
    if contrast(values, expected) < MIN_CONTRAST:
        return f"expected values in {expected.low:g}..{expected.high:g}, {found}: the picture would be blank"
    if expected == SIGNED_RANGE and least >= 0.495 and most <= 1.005:
        return f"expected values in -1..1, {found}: these are values in 0..1"
    return None
