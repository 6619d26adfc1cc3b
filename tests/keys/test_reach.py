"""Which frames a frame needs for its keys."""

from __future__ import annotations

from tsn.keys.reach import REACH, frames_between


def test_frames_between_a_frame_and_its_keys() -> None:
    run = tuple(range(1001, 1061))
    assert frames_between(run, 1010, [1001, 1013, 1040, 2000]) == set(range(1001, 1014))
    assert frames_between(run, 1040, [1001, 1060]) == set(range(1040, 1061))
    assert frames_between(run, 1030, [1030 - REACH, 1030 + REACH]) == {1030}
