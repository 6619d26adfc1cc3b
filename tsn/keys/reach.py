"""How far a key's paint reaches, and so which plate frames a frame needs for its keys; without torch, for plans."""

from __future__ import annotations

from collections.abc import Sequence

REACH = 24
"""Frames to each side of a key over which its paint is carried. There its weight has faded to exactly 0, smoothly."""


def frames_between(run: Sequence[int], number: int, keys: Sequence[int]) -> set[int]:
    """The frames of a take that a frame of it needs for keys: those from it to each key within `REACH`, both included.

    Args:
        run: the take's frames, ascending.
        number: one of them.
        keys: numbers of the keys; those outside of the take show nothing in it.
    """
    place = {other: index for index, other in enumerate(run)}
    here, needed = place[number], {number}
    for key in keys:
        there = place.get(key)
        if there is not None and abs(there - here) < REACH:
            needed.update(run[min(here, there) : max(here, there) + 1])
    return needed
