"""Numbers that move: keyframes over the frames of a shot.

    strength: 0.5                                        # the same on every frame
    strength: {1001: 0.0, 1012: 1.0}                     # linear between keys
    strength: {1001: 0.0, 1012: 1.0, interp: smooth}     # or hold

Before the first key and after the last one the value is held. Between two keys:

- `linear`: a straight line;
- `hold`: the value of the key before, until the next key is reached;
- `smooth`: smoothstep, t²(3 - 2t): it leaves and reaches every key at rest, so it never overshoots.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

Interp = Literal["linear", "hold", "smooth"]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A number over frames.

    Attributes:
        keys: (frame, value) pairs, frames rising, at least one; a constant has one.
        interp: what happens between two keys, see the module.

    Raises:
        ValueError: no keys, frames that don't rise, or a value that is not finite.
    """

    keys: tuple[tuple[int, float], ...]
    interp: Interp = "linear"

    def __post_init__(self) -> None:
        if not self.keys:
            raise ValueError("a curve needs at least one key")
        frames = [frame for frame, _ in self.keys]
        if any(b <= a for a, b in pairwise(frames)):
            raise ValueError(f"the frames of a curve must rise, found {frames}")
        if not all(math.isfinite(value) for _, value in self.keys):
            raise ValueError(f"the values of a curve must be finite, found {[value for _, value in self.keys]}")

    @classmethod
    def constant(cls, value: float) -> Curve:
        """The same value on every frame."""
        return cls(keys=((0, float(value)),))

    def at(self, frame: int) -> float:
        """The value on a frame: exact at keys, never outside the two keys around the frame."""
        after = bisect_right(self.keys, frame, key=lambda key: key[0])
        if after == 0:
            return self.keys[0][1]
        if after == len(self.keys) or self.interp == "hold":
            return self.keys[after - 1][1]
        (start, low), (end, high) = self.keys[after - 1], self.keys[after]
        t = (frame - start) / (end - start)
        if self.interp == "smooth":
            t = t * t * (3 - 2 * t)
        value = low + (high - low) * t
        # Rounding may carry the sum an ulp past the far key.
        return min(max(value, min(low, high)), max(low, high))

    __call__ = at
    """A curve may be used as a function of the frame."""

    def to_yaml(self) -> float | dict[str, float | str]:
        """As the shot file writes it: a number, or a mapping of keyframes."""
        if len(self.keys) == 1:
            return self.keys[0][1]
        mapping: dict[str, float | str] = {str(frame): value for frame, value in self.keys}
        return mapping if self.interp == "linear" else mapping | {"interp": self.interp}

    def to_json(self) -> dict[str, Any]:
        """JSON-ready and exact; `from_json` gives the same curve back."""
        return {"interp": self.interp, "keys": [[frame, value] for frame, value in self.keys]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Curve:
        """The curve that `to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(keys=tuple((int(frame), float(value)) for frame, value in data["keys"]), interp=data["interp"])
