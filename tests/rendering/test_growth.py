"""What a longer shot costs: counted in files opened and functions called, since seconds depend on the machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from tsn.io.frame import Box
from tsn.qc.contact_sheet import contact_sheet
from tsn.rendering import plan as plans
from tsn.rendering import plan_file
from tsn.rendering.inspect import Plate, inspect
from tsn.rendering.render import Renderer
from tsn.shot.load import load


def calls(work: Callable[[], object]) -> int:
    """Functions called and generators resumed."""
    count = 0

    def hear(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(hear)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_a_plan_costs_the_same_for_every_frame(write: Callable[..., Path]) -> None:
    """With a cut or a gap at most of them, many keys, and every digest taken."""

    def work(count: int) -> Callable[[], None]:
        keys = ", ".join(f"{number}: {number % 2}" for number in range(1, count, 2))
        cuts = f"temporal: {{cuts: {list(range(1, count, 2))}}}"
        file = write(cuts, "missing: hold", style=f"style: {{model: a, strength: {{{keys}}}}}")
        shot = load(file, environ={})
        frames = tuple(range(1, count + 1))
        stamps = {number: f"1:{number}" for number in frames if number % 3}
        missing = tuple(number for number in frames if number not in stamps)
        plate = Plate(frames=frames, missing=missing, canvas=Box(0, 0, 16, 16), stamps=stamps)

        def plan() -> None:
            made = plans.make_plan(shot, plate)
            assert len({made.frame_hash(number, "painter", "flow") for number in made.output_frames}) == count
            plan_file.from_dict(plan_file.to_dict(made))

        return plan

    few, many = calls(work(200)), calls(work(2000))
    assert many < 12 * few


def test_a_digest_is_what_it_was(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one would have every frame of every show rendered anew."""
    import hashlib
    import json

    shot = load(write("temporal: {window: 1, cuts: [4]}"), environ={})
    stamps = {number: f"1:{number}" for number in range(1, 9)}
    plate = Plate(frames=tuple(stamps), missing=(), canvas=Box(0, 0, 16, 9), stamps=stamps)
    made = plans.make_plan(shot, plate)
    survey = [(n, f"1:{n}") for n in plans.calibration_frames(tuple(stamps))]
    near = [(4, "1:4"), (5, "1:5"), *survey]
    canvas = {"x": 0, "y": 0, "width": 16, "height": 9}
    libraries = sorted(made.libraries.items())
    parts = [made.tsn, plans.METHOD, libraries, shot.digest, 4, 4, canvas, near, []]
    parts += ["painter", "flow", "colour", "cpu"]
    expected = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    assert [made.frame_hash(4, "painter", "flow", "colour", "cpu") for _ in range(2)] == [expected] * 2


def test_looking_at_a_plate_opens_each_frame_once(shot: Callable[..., Path], counting) -> None:
    file = shot(frames=range(1001, 1021))
    resolved = load(file, environ={})
    with counting("open") as opened:
        inspect(resolved)
    looked = sorted(path for path in opened if path.endswith(".exr"))
    assert looked == [str(file.parent / f"plate/sh.{number}.exr") for number in range(1001, 1021)]


@pytest.fixture
def chunked(shot: Callable[..., Path], planned: Callable[..., plans.Plan]) -> Iterator[Renderer]:
    """A renderer of four chunks of two frames, all finished."""
    made = planned(shot(), size=2)
    Path(made.shot.output).parent.mkdir()
    renderer = Renderer(made, device="cpu")
    renderer.render()
    yield renderer
    renderer.close()


def test_what_is_finished_is_opened_once_and_its_folder_listed_once(chunked: Renderer, counting) -> None:
    folder = Path(chunked.plan.shot.output).parent
    fresh = Renderer(chunked.plan, device="cpu")
    fresh.load()
    with counting("open") as opened, counting("os.scandir") as listed:
        for index in range(4):
            fresh.render([index])
    assert sorted(path for path in opened if path.startswith(str(folder))) == sorted(map(str, folder.iterdir()))
    assert listed.count(str(folder)) == 1, "whatever the number of chunks"


def test_the_contact_sheet_looks_through_its_frames_once(chunked: Renderer) -> None:
    class Frames(tuple):
        looks = 0

        def __iter__(self) -> Iterator[int]:
            Frames.looks += 1
            return super().__iter__()

    contact_sheet(chunked.plan.shot, frames=Frames(chunked.plan.requested))
    assert Frames.looks == 1
