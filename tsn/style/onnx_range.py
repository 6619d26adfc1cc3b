"""In which range a net from elsewhere takes and gives its picture: what its file declares, and whether that can be.

The ONNX format has no word for it, so the file's metadata say it: `range` for both sides, `input_range` and
`output_range` for one of them, each from black to white as in `0-255` or `-1..1`. What a net returns of one known
picture then tells whether it can be meant so. One picture of the net's own, and not of the shot's: every host
refuses the same nets, whichever frame it paints.
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
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)"
MAX_OVERSHOOT = 0.2
"""Of the range: where one value of twenty lies farther below black or above white, it is not the net's. Nets whose last
layer is not bounded miss their range by a tenth."""
MIN_CONTRAST = 2 / 255
"""Of the range: between the darkest and the brightest fiftieth of a picture that shows something."""


@dataclass(frozen=True)
class Range:
    """Values of black and white."""

    low: float
    high: float

    def __str__(self) -> str:
        dash = "-" if self.low >= 0 else ".."
        return f"{self.low:g}{dash}{self.high:g}"

    @property
    def width(self) -> float:
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
"""Ranges of input and output that nets have, the commonest first."""
MIN_GAIN = 1.2
"""How much more of the range a pair of ranges must show than a commoner one that is possible as well."""


def declared_ranges(said: Mapping[str, str], path: Path) -> tuple[Range | None, Range | None]:
    """What the metadata say of input and output; None where they say nothing.

    Raises:
        InputError: a range is none, or a key is nearly one of `KEYS`.
    """
    for key in said:
        meant = next((k for k in METADATA_KEYS if k.replace("_", "") == re.sub("[^a-z]", "", key.lower())), key)
        if meant != key:
            raise InputError(
                f"{path}: the metadata say {key!r}, expected {meant!r}.", hint=declaration_hint(**{meant: "..."})
            )
    both = _range(said, "range", path)
    one, other = _range(said, "input_range", path), _range(said, "output_range", path)
    return one or both, other or both


def _range(said: Mapping[str, str], key: str, path: Path) -> Range | None:
    text = said.get(key)
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


def declaration_hint(**said: str) -> str:
    """How to put this into a file."""
    pairs = "; ".join(f'p = m.metadata_props.add(); p.key, p.value = "{key}", "{text}"' for key, text in said.items())
    return f"Declare it in Python: m = onnx.load(FILE); {pairs}; onnx.save(m, FILE)"


def range_declaration_hint(taken: Range, given: Range, *, narrow: bool) -> str:
    """The same of ranges, in one key for both sides unless `narrow`."""
    if taken == given and not narrow:
        return declaration_hint(range=str(taken))
    return declaration_hint(input_range=str(taken), output_range=str(given))


def contrast(values: np.ndarray, given: Range) -> float:
    """How much of the range there is between the darkest and the brightest fiftieth."""
    dark, bright = np.quantile(values.astype(np.float64), [0.02, 0.98])
    return float(bright - dark) / given.width


def range_mismatch(values: np.ndarray, given: Range) -> str | None:
    """Why what a net made of a picture with all shades in it can't be in this range; None where it can."""
    found = (values.astype(np.float64) - given.low) / given.width
    least, low, high, most = np.quantile(found, [0, 0.05, 0.95, 1])
    seen = f"found {values.min():.4g} to {values.max():.4g}"
    if low < -MAX_OVERSHOOT or high > 1 + MAX_OVERSHOOT:
        return f"expected values in {given.low:g}..{given.high:g}, {seen}"
    if contrast(values, given) < MIN_CONTRAST:
        return f"expected values in {given.low:g}..{given.high:g}, {seen}: nothing would be seen of a picture"
    if given == SIGNED_RANGE and least >= 0.495 and most <= 1.005:
        return f"expected values in -1..1, {seen}: those of 0..1"
    return None
