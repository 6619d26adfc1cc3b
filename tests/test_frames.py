import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsn.errors import UsageError
from tsn.frames import Chunk, chunks, compact, parse


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("1001-1005", (1001, 1002, 1003, 1004, 1005)),
        ("1001-1008x3", (1001, 1004, 1007)),
        ("1,5,9-12", (1, 5, 9, 10, 11, 12)),
        ("-5--2", (-5, -4, -3, -2)),
        ("-1-1", (-1, 0, 1)),
        ("1-6:2", (1, 3, 5, 2, 4, 6)),
        (" 7 , 8 ", (7, 8)),
        ("1-3,2-4", (1, 2, 3, 4)),
        ("1 10", (1, 10)),  # as Nuke, Rush and Deadline read it, never frame 110
        ("1-3 7-9x2\t20", (1, 2, 3, 7, 9, 20)),
        ("1001 - 1003", (1001, 1002, 1003)),
        ("5 - -1, 8", (5, 4, 3, 2, 1, 0, -1, 8)),
        ("3-1", (3, 2, 1)),
        ("1,2,", (1, 2)),
    ],
)
def test_parse(text: str, frames: tuple[int, ...]) -> None:
    assert parse(text) == frames


@pytest.mark.parametrize("text", ["", "  ", "abc", "1-", "1-10x0", "1..5", "1.5", "1-3x0.5", "1-2000000000", "9" * 30])
def test_parse_refuses_nonsense_in_plain_words(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert "1001-1050x2" in (caught.value.hint or "")
    assert "\\d" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1-10@2", "'1-10x2'"),
        ("1-10/2", "'1-10x2'"),
        ("1-10X2", "'1-10x2'"),
        ("1-10 x2", "'1-10x2'"),
        ("1-10 step 2", "'1-10x2'"),
        ("1..10", "'1-10'"),
        ("1:10", "'1-10'"),
        ("1 to 10", "'1-10'"),
        ("1- 10", "'1-10'"),
        ("1\u201310", "'1-10'"),
        ("\uff11\uff0d\uff11\uff10", "'1-10'"),
        ("1;5", "'1,5'"),
        ("1,,5", "'1,5'"),
        ("1-2#5", None),
        ("#1", None),
        ("1@", None),
        ("1-10x-2", None),
    ],
)
def test_another_programs_way_is_refused_with_ours(text: str, meant: str | None) -> None:
    with pytest.raises(UsageError, match="is not a frame range") as caught:
        parse(text)
    assert (caught.value.hint or "").startswith(f"Perhaps you meant {meant}? Write" if meant else "Write frames like")


def test_a_space_before_a_hyphen_only_may_be_a_range_or_a_sign() -> None:
    with pytest.raises(UsageError, match="'1 -10' is not clear") as caught:
        parse("1 -10")
    assert caught.value.hint == "A range is 1-10, two frames are 1,-10."


@settings(deadline=None)
@given(st.text("0123456789-,x:@# .", max_size=9))
def test_no_digits_are_ever_joined_to_another_frame(text: str) -> None:
    try:
        frames = parse(text)
    except UsageError:
        return
    written = {abs(int(number)) for number in re.findall(r"[0-9]+", text)}
    assert max(map(abs, frames)) <= max(written)


@given(st.sets(st.integers(-3000, 3000), min_size=1, max_size=60))
def test_compact_is_read_back(frames: set[int]) -> None:
    assert parse(compact(frames)) == tuple(sorted(frames))


def test_compact_is_short() -> None:
    assert compact(range(1001, 1051, 2)) == "1001-1049x2"
    assert compact([]) == ""


def test_handles_count_places_in_the_list_not_numbers() -> None:
    twos = range(1001, 1021, 2)
    first, second = chunks(twos, [1007, 1009, 1011], size=2, handles=2)
    assert first == Chunk(index=0, frames=(1007, 1009), reads=(1003, 1005, 1007, 1009, 1011, 1013))
    assert second.frames == (1011,) and second.reads == (1007, 1009, 1011, 1013, 1015)


def test_handles_stop_at_the_ends_of_the_shot_and_span_holes_in_what_is_wanted() -> None:
    (chunk,) = chunks(range(1, 21), [1, 20], size=5, handles=1)
    assert chunk.reads == (1, 2, 19, 20)


def test_staggered_frames_keep_their_order_between_chunks() -> None:
    assert [chunk.frames for chunk in chunks(range(1, 7), parse("1-6:2"), size=3, handles=0)] == [(1, 3, 5), (2, 4, 6)]


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 5))
def test_chunks_write_every_frame_once_and_read_what_a_whole_shot_would(length: int, size: int, handles: int) -> None:
    shot = list(range(100, 100 + length))
    plan = chunks(shot, shot, size=size, handles=handles)
    assert [number for chunk in plan for number in chunk.frames] == shot
    for chunk in plan:
        for number in chunk.frames:
            around = {near for near in shot if abs(near - number) <= handles}
            assert around <= set(chunk.reads)


@pytest.mark.parametrize(("wanted", "size", "handles"), [([1, 99], 1, 0), ([1], 0, 0), ([1], 1, -1)])
def test_chunks_refuse_nonsense(wanted: list[int], size: int, handles: int) -> None:
    with pytest.raises(UsageError):
        chunks([1, 2, 3], wanted, size=size, handles=handles)
