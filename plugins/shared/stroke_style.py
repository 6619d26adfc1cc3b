"""Brush strokes as the style of a shot file: the knobs of a node with their ranges, and the keys that they become."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Keyframes = Mapping[int, float]
"""Frame -> value, at least one."""


class Range(NamedTuple):
    """What tsn takes for a number, and what it has without one."""

    default: float
    low: float
    high: float


NUMBERS = {
    "size": Range(1.0, 0.25, 4.0),
    "detail": Range(1.0, 0.0, 4.0),
    "length": Range(1.0, 0.25, 4.0),
    "density": Range(1.0, 0.25, 4.0),
    "opacity": Range(1.0, 0.0, 1.0),
    "jitter": Range(1.0, 0.0, 4.0),
    "relief": Range(0.5, 0.0, 2.0),
    "light": Range(127.0, -360.0, 360.0),
    "hold": Range(1, 1, 24),
}
"""The numbers that may have keyframes. The default of `relief` is a node's: in a shot file, none means the preset's."""
WHOLE_NUMBERS = ("hold",)
DESCRIPTIONS = {
    "size": "Factor on the size of the strokes",
    "detail": "How far fine strokes go: 0 = only the coarse ones, 2 = twice as soon",
    "length": "Factor on the length of the strokes",
    "density": "Factor on the number of strokes",
    "opacity": "Factor on the opacity of the strokes",
    "jitter": "Factor on the spread of the strokes' colours",
    "relief": "Light on the thickness of the paint: 0 = flat",
    "light": "Where that light comes from: degrees anticlockwise from the right, 90 = above",
    "hold": "Frames that each painting is held for: 2 = on twos",
}
LAYERS = ("height", "normals", "coverage", "stroke_id")
"""The layers of the paint that can be written beside it."""
TOLERANCE = 5e-4
"""How far keyframes may pass the values of a host's curve, as a share of the largest of them: nobody sees as little."""


@dataclass(frozen=True)
class StrokeStyle:
    """What a node shows for brush strokes, beside the preset.

    Attributes:
        numbers: knob of `NUMBERS` -> its value at each frame; one that is missing is tsn's default.
        palette: `plate`, or a painting's file.
        ground: paint, plate, none or a colour such as #f4efe4; None for the preset's.
        ids: the Cryptomatte layer whose objects no stroke crosses.
        surface: the layer of UVs or positions that strokes stay on.
        aovs: layers of the paint to write, of `LAYERS`.
    """

    numbers: Mapping[str, Keyframes] = field(default_factory=dict)
    palette: str = "plate"
    ground: str | None = None
    ids: str | None = None
    surface: str | None = None
    aovs: Sequence[str] = ()

    def keys(self) -> dict[str, object]:
        """The keys of the shot file's `style` beside `strokes`; only those that differ from tsn's defaults."""
        keys: dict[str, object] = {} if self.palette == "plate" else {"palette": self.palette}
        for name, values in self.numbers.items():
            written = _written(values, held=name in WHOLE_NUMBERS)
            if name == "relief" or written != NUMBERS[name].default:
                keys[name] = written
        keys |= {name: value for name in ("ground", "ids", "surface") if (value := getattr(self, name)) is not None}
        return keys | ({"aovs": list(self.aovs)} if self.aovs else {})


def preset_file_error(path: str) -> str | None:
    """Why a file can't be used as a preset, as a sentence for the artist; None where it can."""
    if not os.path.isfile(path):
        return f"There is no preset of brush strokes at {path}."
    if not path.lower().endswith((".yaml", ".yml")):
        return f"{path} is no preset of brush strokes: choose a .yaml file."
    return None


def colour_error(colour: str) -> str | None:
    """Why a text is no colour, as a sentence for the artist; None where it is one."""
    if re.fullmatch(r"#[0-9A-Fa-f]{6}", colour):
        return None
    return f"{colour or 'An empty text'} is no colour for the ground: write one such as #f4efe4."


def range_error(numbers: Mapping[str, Keyframes]) -> str | None:
    """Which value tsn would not take, as a sentence for the artist; None where it takes all."""
    for name, values in numbers.items():
        _, low, high = NUMBERS[name]
        for frame, value in sorted(values.items()):
            if not low <= value <= high:
                return f"The strokes' {name} is {value:g} at frame {frame}; it goes from {low:g} to {high:g}."
    return None


def _written(values: Keyframes, *, held: bool) -> object:
    """Values at frames as the shot file has them: a number, or the fewest keyframes that give them all."""
    rounded = {frame: float(f"{values[frame]:.6g}") for frame in sorted(values)}  # hosts store single precision
    if held:
        changes = _changes({frame: round(value) for frame, value in rounded.items()})
        return next(iter(changes.values())) if len(changes) == 1 else {"interp": "hold", **changes}
    keys = _straight_pieces(rounded)
    return keys if len(set(keys.values())) > 1 else next(iter(keys.values()))


def _changes(values: Mapping[int, int]) -> dict[object, int]:
    """The frames whose value is another one than that of the frame before, and the first."""
    changes: dict[object, int] = {}
    last = None
    for frame, value in values.items():
        if value != last:
            changes[frame] = last = value
    return changes


def _straight_pieces(values: Keyframes) -> dict[int, float]:
    """The ends of the longest straight pieces, one after another, that pass all values within the tolerance.

    From the start of a piece, each value leaves a range of slopes that pass it; a piece ends before the first value
    that can't be an end of one within the ranges of all values before it.
    """
    frames = list(values)
    margin = TOLERANCE * max(abs(value) for value in values.values())
    kept = {frames[0]: values[frames[0]]}
    start = previous = frames[0]
    low, high = -math.inf, math.inf
    for frame in frames[1:]:
        if not low <= (values[frame] - values[start]) / (frame - start) <= high:
            kept[previous] = values[previous]
            start, low, high = previous, -math.inf, math.inf
        rise, run = values[frame] - values[start], frame - start
        low, high = max(low, (rise - margin) / run), min(high, (rise + margin) / run)
        previous = frame
    return {**kept, previous: values[previous]}
