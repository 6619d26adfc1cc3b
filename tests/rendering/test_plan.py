"""The plan: pure data, the same wherever it is read, and the hash of each output frame."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsn.errors import InputError, UsageError
from tsn.io.frame import Box
from tsn.rendering import plan_file
from tsn.rendering.inspect import Plate, inspect
from tsn.rendering.plan import Plan, calibration_frames, longest_hold, make_plan
from tsn.shot.curves import Curve
from tsn.shot.load import load
from tsn.shot.model import Flow, Matte, Missing, Shot, Style, Temporal, Vectors

CANVAS = Box(-2, 0, 64, 48)
few = settings(max_examples=40, deadline=None)


def a_shot(window: int = 2, cuts: tuple[int, ...] | str = (), missing: Missing = "hold", **more: object) -> Shot:
    return Shot(
        file=Path("/shots/sh.yaml"),
        plate="/shots/plate/sh.####.exr",
        output="/shots/styled/sh.####.exr",
        missing=missing,
        temporal=Temporal(window=window, cuts=cuts),  # type: ignore[arg-type]
        **({"style": Style(model="/shots/tiny.safetensors")} | more),  # type: ignore[arg-type]
    )


def a_plate(frames: range | tuple[int, ...], missing: tuple[int, ...] = ()) -> Plate:
    stamps = {number: f"1000:{number}" for number in frames if number not in missing}
    painted = {number: f"{number:064x}" for number in frames if number % 2}
    return Plate(frames=tuple(frames), missing=missing, canvas=CANVAS, stamps=stamps, painted=painted)


@st.composite
def a_plan(draw: st.DrawFn) -> Plan:
    """Any plan: on ones or twos, with cuts on and off its frames, gaps, and paintings that are held."""
    first, count, step = draw(st.integers(-20, 1001)), draw(st.integers(1, 40)), draw(st.integers(1, 3))
    frames = tuple(range(first, first + count * step, step))
    present = draw(st.lists(st.sampled_from(frames), min_size=1, unique=True))
    missing = tuple(number for number in frames if number not in present and draw(st.integers(0, 3)) == 0)
    cuts = tuple(sorted(draw(st.sets(st.integers(first - 2, first + count * step), max_size=4))))
    chosen = draw(st.sampled_from(["hold", "black", "skip"]))
    hold = Curve(keys=((first, float(draw(st.integers(1, 4)))), (first + count, float(draw(st.integers(1, 4))))))
    return make_plan(
        a_shot(window=draw(st.integers(0, 9)), cuts=cuts, missing=chosen, style=Style(strokes="oil", hold=hold)),
        a_plate(frames, missing),
        frames=draw(st.none() | st.lists(st.sampled_from(frames), min_size=1)),
        chunk_size=draw(st.none() | st.integers(1, 12)),
    )


# --- chunks and takes --------------------------------------------------------------------------------


@few
@given(a_plan())
def test_chunks_cover_every_wanted_frame_once(made: Plan) -> None:
    written = [number for chunk in made.chunks for number in chunk.frames]
    assert sorted(written) == sorted(set(written)) == list(made.requested)
    assert [chunk.index for chunk in made.chunks] == list(range(len(made.chunks)))
    for chunk in made.chunks:
        assert set(chunk.frames) <= set(chunk.reads) <= set(made.plate.frames)
        for number in set(chunk.frames) & set(made.plate.stamps):
            assert set(made.window_of(number)) <= set(chunk.reads), "handles hold the window"


@few
@given(a_plan())
def test_takes_respect_gaps_and_cuts(made: Plan) -> None:
    assert [number for take in made.takes for number in take] == list(made.plate.present)
    cuts, place = made.shot.temporal.cuts, {number: i for i, number in enumerate(made.plate.frames)}
    for take in made.takes:
        for a, b in pairwise(take):
            assert place[b] == place[a] + 1 and not any(a < cut <= b for cut in cuts)
    for take, following in pairwise(made.takes):
        a, b = take[-1], following[0]
        assert place[b] > place[a] + 1 or any(a < cut <= b for cut in cuts), "no take ends without a reason"


@few
@given(a_plan())
def test_window_of_is_the_window_inside_the_take(made: Plan) -> None:
    radius = made.shot.temporal.window
    for number in made.plate.present:
        take = next(take for take in made.takes if number in take)
        shown = take.index(made.held(number))
        last = shown + longest_hold(made.shot) - 1 + radius
        assert made.window_of(number) == tuple(n for i, n in enumerate(take) if shown - radius <= i <= last)


@few
@given(a_plan())
def test_a_painting_is_held_inside_its_take(made: Plan) -> None:
    for take in made.takes:
        shown = [take.index(made.held(number)) for number in take]
        assert shown == sorted(shown) and shown[0] == 0
        for place, first in enumerate(shown):
            assert 0 <= place - first < made.shot.style.hold.at(take[first]) and shown[first] == first
        for first, following in pairwise(sorted(set(shown))):
            assert following - first == int(made.shot.style.hold.at(take[first]))


def test_a_cut_on_a_frame_that_a_shot_on_twos_leaves_out() -> None:
    made = make_plan(a_shot(cuts=(1004,)), a_plate(range(1001, 1010, 2)))
    assert made.takes == ((1001, 1003), (1005, 1007, 1009))


@pytest.mark.parametrize(
    ("missing", "sources"),
    [("hold", [2, 2, 3, 3, 3, 6]), ("black", [2, 2, 3, 3, 3, 6]), ("skip", [None, 2, 3, None, None, 6])],
)
def test_what_a_gap_is_made_of(missing: Missing, sources: list[int | None]) -> None:
    made = make_plan(a_shot(missing=missing), a_plate(range(1, 7), missing=(1, 4, 5)))
    assert [made.source_of(number) for number in range(1, 7)] == sources


def test_the_default_chunk_keeps_handles_under_a_third() -> None:
    for window in (0, 2, 8, 32):
        made = make_plan(a_shot(window=window), a_plate(range(1000)))
        size = len(made.chunks[1].frames)
        assert 2 * window <= size / 2 + 1e-9


def test_wanted_frames_in_any_order_and_twice() -> None:
    assert make_plan(a_shot(), a_plate(range(1, 9)), frames=[5, 3, 5]).requested == (3, 5)


def test_strangers_are_refused() -> None:
    with pytest.raises(UsageError, match=r"Frames 9-10 are not in the shot, which has 1-8"):
        make_plan(a_shot(), a_plate(range(1, 9)), frames=[10, 9, 1])


@given(st.integers(1, 300))
def test_survey_frames_are_spread(count: int) -> None:
    chosen = calibration_frames(range(count))
    assert len(chosen) == len(set(chosen)) == min(5, count) and list(chosen) == sorted(chosen)
    assert set(chosen) <= set(range(count))
    if count > 10:
        assert chosen[0] > 0 and chosen[-1] < count - 1
        assert max(b - a for a, b in pairwise(chosen)) <= count / 5 + 1


def test_ten_thousand_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inspected and planned within two seconds, apart from what the disk takes."""
    from tsn import io
    from tsn.io.frame import Probe
    from tsn.rendering import inspect as inspection

    probe = Probe(data_window=CANVAS, display_window=CANVAS, channels=("R", "G", "B"), compression="zip", format="exr")
    monkeypatch.setattr(io, "probe", lambda path, layer: probe)
    monkeypatch.setattr(io.FrameSequence, "on_disk", lambda self: tuple(n for n in range(10_000) if n % 100))
    monkeypatch.setattr(inspection, "stamp", lambda path: "1:1")
    started = time.process_time()
    shot = a_shot(window=8, cuts=tuple(range(50, 10_000, 250)), frames="0-9999")
    made = make_plan(shot, inspect(shot))
    text = json.dumps(plan_file.to_dict(made))
    assert plan_file.from_dict(json.loads(text)) == made
    assert time.process_time() - started < 2
    assert len(made.requested) == 10_000 and len(made.plate.missing) == 100


# --- JSON --------------------------------------------------------------------------------------------


@few
@given(a_plan())
def test_json_there_and_back(made: Plan) -> None:
    assert plan_file.from_dict(json.loads(json.dumps(plan_file.to_dict(made)))) == made


def test_a_shot_with_everything_on_disk_and_back(tmp_path: Path) -> None:
    curve = Curve(keys=((1, 0.1), (9, 1 / 3)), interp="smooth")
    shot = replace(
        a_shot(cuts="auto"),
        style=Style(blend={"a": curve, "b": Curve.constant(0.7)}, strength=curve),
        flow=Flow(vectors=Vectors(layer="Vector", background="still"), weights=Path("/w.pth")),
        matte=Matte(cryptomatte="CryptoObject", names=("a", "b"), invert=True),
    )
    made = make_plan(shot, a_plate(range(1, 30), missing=(4,)))
    plan_file.save(made, tmp_path / "plan.json")
    again = plan_file.load(tmp_path / "plan.json")
    assert again == made and again.shot.digest == shot.digest
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "shot": {}}'])
def test_what_is_no_plan(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(InputError, match=r"plan\.json is not a plan of this tsn"):
        plan_file.load(tmp_path / "plan.json")


@pytest.mark.parametrize("key", ["contents", "stamps", "libraries", "weights", "painted"])
@pytest.mark.parametrize("value", [None, 7, ["a"]])
def test_a_plan_with_a_damaged_part(tmp_path: Path, key: str, value: object) -> None:
    data = plan_file.to_dict(make_plan(a_shot(), a_plate(range(1, 5))))
    (tmp_path / "plan.json").write_text(json.dumps(data | {key: value}))
    with pytest.raises(InputError, match=r"plan\.json is not a plan of this tsn"):
        plan_file.load(tmp_path / "plan.json")


# --- what a finished frame depends on ----------------------------------------------------------------


def digests(made: Plan, *engine: str) -> dict[int, str]:
    return {number: made.frame_hash(number, *engine) for number in made.plate.frames}


def changed(before: Plan, after: Plan) -> set[int]:
    one, other = digests(before), digests(after)
    return {number for number in one if one[number] != other[number]}


@few
@given(st.integers(0, 29), st.integers(0, 6))
def test_a_frame_rendered_again_touches_its_window_only(index: int, window: int) -> None:
    plate = a_plate(range(1001, 1031))
    number = plate.frames[index]
    again = replace(plate, stamps=plate.stamps | {number: "1000:now"})
    touched = changed(make_plan(a_shot(window=window), plate), make_plan(a_shot(window=window), again))
    if number in calibration_frames(plate.present):
        assert touched == set(plate.frames)
    else:
        assert touched == {n for n in plate.frames if abs(n - number) <= window}


@few
@given(st.integers(0, 29), st.integers(0, 6))
def test_a_frame_painted_again_elsewhere_touches_its_window_only(index: int, window: int) -> None:
    plate = a_plate(range(1001, 1031))
    number = plate.frames[index]
    again = replace(plate, painted=plate.painted | {number: "another"})
    touched = changed(make_plan(a_shot(window=window), plate), make_plan(a_shot(window=window), again))
    assert touched == {n for n in plate.frames if abs(n - number) <= window}


def test_a_cut_ends_what_a_frame_touches() -> None:
    plate = a_plate(range(1001, 1031))
    again = replace(plate, stamps=plate.stamps | {1011: "1000:now"})
    assert 1011 not in calibration_frames(plate.present)
    shot = a_shot(window=4, cuts=(1010, 1013))
    assert changed(make_plan(shot, plate), make_plan(shot, again)) == {1010, 1011, 1012}


@pytest.mark.parametrize(
    "change",
    [
        {"style": Style(model="/shots/other.safetensors")},
        {"style": Style(model="/shots/tiny.safetensors", strength=Curve.constant(0.5))},
        {"temporal": Temporal(window=3, cuts=())},
        {"matte": Matte(channel="mask.V")},
        {"layer": "beauty"},
    ],
)
def test_the_shot_file_touches_every_frame(change: dict[str, object]) -> None:
    plate = a_plate(range(1001, 1011))
    assert changed(make_plan(a_shot(), plate), make_plan(replace(a_shot(), **change), plate)) == set(plate.frames)


def test_the_canvas_touches_every_frame() -> None:
    plate = a_plate(range(1001, 1011))
    wider = replace(plate, canvas=CANVAS.union(Box(0, 0, 99, 9)))
    assert changed(make_plan(a_shot(), plate), make_plan(a_shot(), wider)) == set(plate.frames)


def test_chunks_wanted_frames_and_a_move_touch_nothing() -> None:
    plate = a_plate(range(1001, 1011))
    before = make_plan(a_shot(), plate)
    assert not changed(before, make_plan(a_shot(), plate, chunk_size=3, frames=[1004]))
    moved = replace(
        a_shot(style=Style(model="/mnt/show/tiny.safetensors")),
        file=Path("/mnt/show/sh.yaml"),
        plate="/mnt/show/plate/sh.####.exr",
        output="/elsewhere/sh.####.exr",
    )
    assert not changed(before, make_plan(moved, plate))


def test_the_engine_touches_every_frame() -> None:
    made = make_plan(a_shot(), a_plate(range(1001, 1011)))
    one, other = digests(made, "painter", "dis", "lin_rec709", "cpu"), digests(made, "painter", "raft", "x", "cpu")
    assert all(one[number] != other[number] for number in one)
    assert len(set(one.values())) == len(one)


def test_frames_of_other_passes_are_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_plan(a_shot(), a_plate(range(1001, 1011)))
    before = digests(made)
    monkeypatch.setattr("tsn.rendering.plan.METHOD", "passes-0")
    assert all(now != before[number] for number, now in digests(made).items())


def test_a_real_shot(shot: Callable[..., Path]) -> None:
    resolved = load(shot(), environ={})
    first, second = (make_plan(resolved, inspect(resolved)) for _ in "ab")
    assert digests(first) == digests(second) and first == second
