"""Coverage by keys: shares, suggestions and the choice of frames, on a strip of picture that passes by."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from tsn.flow.base import Motion
from tsn.flow.warp import visibility
from tsn.keys.coverage import (
    SmallFrame,
    choose_keys,
    in_words,
    missing_in,
    missing_shares,
    shown_from,
    suggest_keys,
)

HEIGHT, WIDTH = 36, 64


@pytest.fixture(autouse=True)
def one_thread(threads: Callable[[int], None]) -> None:
    threads(1)


def pan(count: int, step: int, *, cuts: Sequence[int] = (), cover: Tensor | None = None) -> list[SmallFrame]:
    """Frames 1001, ... of one tone, each of which is moved to the left by `step` pixels against the one before."""
    flow = torch.tensor([-float(step), 0.0]).view(2, 1, 1).repeat(1, HEIGHT, WIDTH)
    seen = visibility(flow, -flow), visibility(-flow, flow)
    motion = Motion(forward=flow, backward=-flow, visibility_forward=seen[0], visibility_backward=seen[1])
    return [
        SmallFrame(
            number=1001 + place,
            picture=torch.full((3, HEIGHT, WIDTH), 0.5),
            cover=torch.ones(1, HEIGHT, WIDTH) if cover is None else cover,
            motion=None if place == 0 or place in cuts else motion,
        )
        for place in range(count)
    ]


def candidates(frames: Sequence[SmallFrame]) -> dict[int, dict[int, Tensor]]:
    return {place: shown_from(frames, place) for place in range(len(frames))}


def test_what_enters_is_not_shown() -> None:
    frames = pan(5, 8)
    shares = missing_shares(missing_in([shown_from(frames, 0)], frames), frames)
    assert shares == pytest.approx([0, 1 / 8, 2 / 8, 3 / 8, 4 / 8], abs=0.02)
    both = [shown_from(frames, 0), shown_from(frames, 4)]
    assert max(missing_shares(missing_in(both, frames), frames)) < 0.02


def test_nothing_is_shown_across_a_cut() -> None:
    frames = pan(6, 0, cuts=[3])
    assert set(shown_from(frames, 1)) == {0, 1, 2}
    assert missing_shares(missing_in([shown_from(frames, 1)], frames), frames) == [0, 0, 0, 1, 1, 1]


def test_a_picture_that_changed_is_not_shown() -> None:
    frames = pan(3, 0)
    frames[2].picture[:] = 0.05  # the light went
    assert missing_shares(missing_in([shown_from(frames, 0)], frames), frames) == [0, 0, 1]


def test_a_key_shows_where_it_is_painted() -> None:
    frames, right = pan(5, 8), torch.zeros(1, HEIGHT, WIDTH)
    right[:, :, WIDTH // 2 :] = 1
    shares = missing_shares(missing_in([shown_from(frames, 0, right)], frames), frames)
    assert shares == pytest.approx([1 / 2] * 5, abs=0.03)  # as much enters as comes from the left half


def test_void_does_not_count() -> None:
    cover = torch.ones(1, HEIGHT, WIDTH)
    cover[:, :, WIDTH // 2 :] = 0
    frames = pan(5, 8, cover=cover)
    shares = missing_shares(missing_in([shown_from(frames, 0)], frames), frames)
    assert shares == pytest.approx([0] * 5, abs=0.02)  # what enters stays in the void
    empty = pan(2, 0, cover=torch.zeros(1, HEIGHT, WIDTH))
    assert missing_shares(missing_in([], empty), empty) == [0, 0]


@pytest.mark.parametrize(
    ("count", "step", "cuts", "expected"),
    [
        (9, 0, [], [4]),  # any frame shows all: the middle one
        (9, 4, [], [4]),
        (17, 8, [], [0, 7, 15]),  # twice the picture passes by
        (8, 0, [4], [1, 5]),  # one for each take
        (8, 0, [7], [3, 7]),
        (12, 0, [11], [5]),  # a twelfth of the shot is not worth a key
    ],
)
def test_the_fewest_frames_are_chosen(count: int, step: int, cuts: list[int], expected: list[int]) -> None:
    frames = pan(count, step, cuts=cuts)
    chosen = choose_keys(frames, candidates(frames))
    assert list(chosen) == expected


def test_a_key_is_suggested_where_it_helps() -> None:
    frames = pan(11, 6)
    (first, *_) = suggest_keys(frames, [shown_from(frames, 0)], candidates(frames))
    assert first.number in range(1008, 1012)
    assert first.last == 1011
    assert first.first in range(1002, 1005)
    assert 0.3 < first.missing < 0.8
    assert first.where in ("right", "all over")
    assert not suggest_keys(frames, [shown_from(frames, 0), shown_from(frames, 10)], candidates(frames))


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        ((0, 8), (0, 10), "top left"),
        ((0, 30), (24, 32), "right"),
        ((24, 30), (0, 32), "bottom"),
        ((12, 18), (13, 19), "middle"),
        ((0, 30), (0, 32), "all over"),
    ],
)
def test_where_in_words(rows: tuple[int, int], columns: tuple[int, int], words: str) -> None:
    mask = torch.zeros(1, 30, 32)
    mask[:, slice(*rows), slice(*columns)] = 1
    assert in_words(mask) == words
    assert in_words(torch.zeros(1, 30, 32)) == "all over"
