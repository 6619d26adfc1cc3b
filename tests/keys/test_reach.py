"""Which frames of a take its frames need for their keys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tsn.keys.reach import REACH, span_with_keys


def test_a_frame_needs_the_way_to_each_key_within_reach() -> None:
    assert span_with_keys(9, 9, [0, 12, 39]) == (0, 12)
    assert span_with_keys(39, 39, [0, 59]) == (39, 59)
    assert span_with_keys(29, 29, [29 - REACH, 29 + REACH]) == (29, 29)
    assert span_with_keys(29, 29, []) == (29, 29)


@given(st.integers(0, 100), st.integers(0, 20), st.lists(st.integers(0, 130), unique=True))
def test_a_window_needs_what_each_of_its_frames_needs(first: int, length: int, keys: list[int]) -> None:
    keys.sort()
    needed: set[int] = set()
    for place in range(first, first + length + 1):
        for key in (key for key in keys if abs(key - place) < REACH):
            needed.update(range(min(place, key), max(place, key) + 1))
        needed.add(place)
    low, high = span_with_keys(first, first + length, keys)
    assert set(range(low, high + 1)) == needed
