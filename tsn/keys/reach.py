"""How far a key's paint reaches, and so which plate frames a frame needs for its keys; without torch, for plans."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

REACH = 24
"""Frames to each side of a key over which its paint is carried. There its weight has faded to exactly 0, smoothly."""


def span_with_keys(first: int, last: int, keys: Sequence[int]) -> tuple[int, int]:
    """The places of a take, from first to last, that neighbouring frames need: themselves, and those up to their keys.

    Args:
        first, last: places of the frames in their take.
        keys: places of the take's keys, ascending. One counts within less than `REACH` frames.
    """
    below, above = bisect_right(keys, first - REACH), bisect_left(keys, last + REACH) - 1
    if below > above:  # no key is near
        return first, last
    return min(first, keys[below]), max(last, keys[above])
