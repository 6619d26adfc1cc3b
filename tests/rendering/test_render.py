"""A whole shot: the same bits however it is cut."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tsn import api, io
from tsn.errors import InputError, OutputError
from tsn.flow.cache import CachedSource
from tsn.rendering import plan as plans
from tsn.rendering.paint_sharing import PaintSharing
from tsn.rendering.render import Renderer, render
from tsn.style.feedforward import FrozenPainter

Shot = Callable[..., Path]


# --- chunk-exact -------------------------------------------------------------------------------------


SCENES = {n: 1 if n < 1005 else 2 for n in range(1001, 1009)}
CASES = {
    "vectors": {},
    "a listed cut": {"temporal": "{window: 2, cuts: [1004]}"},
    "cuts found": {"temporal": "{window: 2}", "flow": "{method: dis}", "scenes": SCENES},
    "gap held": {"frames": [1001, 1002, 1003, 1006, 1007, 1008], "missing": "hold"},
    "gap black": {"frames": [1001, 1002, 1003, 1006, 1007, 1008], "missing": "black"},
    "gap skipped": {"frames": [1001, 1002, 1003, 1006, 1007, 1008], "missing": "skip"},
    "strength through 0": {"style": "{model: tiny.safetensors, strength: {1002: 1, 1004: 0, 1006: 0, 1008: 1}}"},
    "a matte": {"matte": "{channel: mask.V}"},
    "windows that move": {"windows": {1003: ((-4, -2), (50, 40)), 1005: ((9, 5), (68, 47))}},
}


@pytest.mark.parametrize("case", CASES)
def test_any_split_in_any_order_gives_the_same_files(shot: Shot, case: str, in_chunks, rendered) -> None:
    keys = dict(CASES[case])
    file = shot(*([f"missing: {keys.pop('missing')}"] if "missing" in keys else []), **keys)
    paths, _ = rendered(file)
    whole = {path: path.read_bytes() for path in paths.values()}
    assert len(whole) == (6 if case == "gap skipped" else 8)
    for size in (1, 3) if case == "vectors" else (1,):
        assert in_chunks(file, size, case) == whole


@pytest.mark.parametrize("case", CASES)
def test_neighbours_paint_each_frame_once_between_them(
    shot: Shot, tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch, planned, rendered
) -> None:
    keys = dict(CASES[case])
    file = shot(*([f"missing: {keys.pop('missing')}"] if "missing" in keys else []), **keys)
    paths, _ = rendered(file)
    whole = {path: path.read_bytes() for path in paths.values()}
    shutil.rmtree(tmp_path / "styled")
    (tmp_path / "styled").mkdir()
    asked: list[int] = []
    paint = FrozenPainter.paint

    def counted(self: FrozenPainter, image: Tensor, number: int) -> Tensor:
        asked.append(number)
        return paint(self, image, number)

    monkeypatch.setattr(FrozenPainter, "paint", counted)
    made = planned(file, size=2)
    shared = set(made.chunks[1].reads) & set(made.chunks[2].reads)
    left, right = (
        Renderer(
            made,
            device="cpu",
            sharing=PaintSharing(
                folder=tmp_path / "handover",
                shared=shared,
                ahead=sorted(shared & {number for index in run for number in made.chunks[index].frames}),
            ),
        )
        for run in ((0, 1), (2, 3))
    )
    for renderer, index in ((left, 0), (right, 2), (left, 1), (right, 3)):
        renderer.render([index])
    assert {path: path.read_bytes() for path in (tmp_path / "styled").iterdir()} == whole
    assert len(asked) == len(set(asked)) > 0, "no handle was painted twice"
    if case == "vectors":  # elsewhere a cut or a gap may keep one of them from reaching over
        assert not list((tmp_path / "handover").iterdir()), "what was taken is gone"


def test_a_worker_does_not_make_the_folder_anew(shot: Shot, tmp_path: Path, planned) -> None:
    """Where it was removed with what others had written, one that starts late would hide it."""
    with pytest.raises(OutputError, match="the folder does not exist"):
        Renderer(planned(shot()), device="cpu").render()
    assert not (tmp_path / "styled").exists()


def test_cuts_are_found(shot: Shot, tmp_path: Path, rendered, rgb) -> None:
    """A found cut is a listed one: the same pixels, and others than without."""
    file = shot(flow="{method: dis}", scenes=SCENES)
    pictures = {}
    for cuts in ("auto", "[1005]", "[]"):
        paths, _ = rendered(file, f"temporal.cuts={cuts}", to=f"{len(pictures)}")
        pictures[cuts] = {n: rgb(path) for n, path in paths.items()}
    for number in range(1001, 1009):
        assert np.array_equal(pictures["auto"][number], pictures["[1005]"][number])
        assert np.array_equal(pictures["auto"][number], pictures["[]"][number]) == (number not in range(1003, 1007))


def test_the_support_is_the_window(shot: Shot, tmp_path: Path, plate, rendered, channels) -> None:
    """A plate frame that changes changes its window, and nothing beyond."""
    file = shot(frames=range(1001, 1013))
    paths, _ = rendered(file)
    before = {number: channels(path) for number, path in paths.items()}
    assert 1012 not in plans.calibration_frames(range(1001, 1013))
    plate.write(tmp_path / "plate/sh.1012.exr", 1012, scene=3)
    shutil.rmtree(tmp_path / "styled")
    paths, _ = rendered(file)
    for number, path in paths.items():
        same = all(np.array_equal(before[number][name], bits) for name, bits in channels(path).items())
        assert same == (number < 1010), number


def test_a_missing_frame_is_held_black_or_skipped(shot: Shot, tmp_path: Path, rendered, channels, status) -> None:
    file = shot(frames=[1001, 1002, 1004])
    held, _ = rendered(file, "missing=hold", to="hold")
    assert np.array_equal(channels(held[1003])["R"], channels(held[1002])["R"])
    assert np.array_equal(channels(held[1003])["Vector.X"], channels(held[1002])["Vector.X"])
    black, _ = rendered(file, "missing=black", to="black")
    found = channels(black[1003])
    assert not any(found[name].any() for name in "RGBA")
    assert np.array_equal(channels(black[1002])["R"], channels(held[1002])["R"])
    skipped, events = rendered(file, "missing=skip", to="skip")
    assert sorted(skipped) == [1001, 1002, 1004] and status(events, "skipped") == [1003]
    assert not (tmp_path / "styled/skip.1003.exr").exists()


def test_where_the_plate_lost_a_frame_no_older_result_stays(
    shot: Shot, tmp_path: Path, rendered, planned, status, notes
) -> None:
    """Unless tsn did not make it: what an artist put there is the artist's."""
    file = shot("frames: 1001-1004", frames=range(1001, 1005))
    paths, _ = rendered(file)
    for number in (1002, 1003):
        (tmp_path / f"plate/sh.{number}.exr").unlink()
    shutil.copy(tmp_path / "plate/sh.1001.exr", paths[1002])
    made = planned(file, "missing=skip")
    assert made.output_frames == (1001, 1004) and made.requested == (1001, 1002, 1003, 1004)
    _, events = rendered(file, "missing=skip")
    assert sorted(path.name for path in (tmp_path / "styled").iterdir()) == [
        f"sh_styled.{number}.exr" for number in (1001, 1002, 1004)
    ]
    assert status(events, "rendered") == [1001, 1004] and status(events, "skipped") == [1002, 1003]
    assert "Frame 1002: the plate has none; sh_styled.1002.exr stays, since tsn did not make it." in notes(events)
    assert "Frame 1003: the plate has none any more, so sh_styled.1003.exr was removed." in notes(events)


def test_a_warm_flow_cache_gives_the_same_files(
    shot: Shot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rendered
) -> None:
    file = shot(frames=range(1001, 1005), flow="{method: dis}")
    cold = {path: path.read_bytes() for path in rendered(file)[0].values()}
    flow = CachedSource.pair
    keys: list[str] = []
    monkeypatch.setattr(CachedSource, "pair", lambda self, a, b: keys.append(a.key) or flow(self, a, b))  # type: ignore[func-returns-value]
    assert len(list((tmp_path / "cache/flow").iterdir())) == 3
    warm = {path: path.read_bytes() for path in rendered(file, force=True)[0].values()}
    assert warm == cold and len(keys) == 3
    rendered(file, "style.strength=0.5")
    assert len(list((tmp_path / "cache/flow").iterdir())) == 3, "a style knob never measures flow again"


def test_number_of_threads_changes_no_bit(shot: Shot, rendered) -> None:
    file = shot(frames=range(1001, 1004))
    one = {path: path.read_bytes() for path in rendered(file)[0].values()}
    try:
        torch.set_num_threads(2)
        two = {path: path.read_bytes() for path in rendered(file, force=True)[0].values()}
    finally:
        torch.set_num_threads(1)
    assert one == two


def test_some_frames_through_the_api(shot: Shot, tmp_path: Path) -> None:
    file = shot()
    assert api.render(str(file), frames="1003-1004", device="cpu") == tuple(
        tmp_path / f"styled/sh_styled.{number}.exr" for number in (1003, 1004)
    )
    few = {path.name: path.read_bytes() for path in (tmp_path / "styled").iterdir()}
    assert len(few) == 2
    assert len(api.render(file, device="cpu", force=True)) == 8
    assert all((tmp_path / "styled" / name).read_bytes() == data for name, data in few.items())


# --- what is finished stays --------------------------------------------------------------------------


def test_finished_frames_are_skipped_and_stale_ones_rendered_again(
    shot: Shot, style, plate, tmp_path: Path, rendered, source, status
) -> None:
    everything = list(range(1001, 1013))
    file = shot(frames=everything)
    paths, events = rendered(file)
    assert status(events, "rendered") == everything
    assert events[0].kind == "start" and events[0].total == 12
    assert events[-1].kind == "done" and events[-1].done == 12
    assert [event.done for event in events if event.kind == "frame"] == list(range(1, 13))
    stamps = {path: path.stat().st_mtime_ns for path in paths.values()}

    _, events = rendered(file)
    assert status(events, "skipped") == everything and not status(events, "rendered")
    assert {path: path.stat().st_mtime_ns for path in paths.values()} == stamps

    whole = paths[1005].read_bytes()
    paths[1005].write_bytes(whole[:-50])
    paths[1006].write_bytes(b"")
    shutil.copy(source(paths[1007]), paths[1007])  # somebody's file in our place
    paths[1008].unlink()
    assert status(rendered(file)[1], "rendered") == [1005, 1006, 1007, 1008]
    assert paths[1005].read_bytes() == whole

    plate.write(tmp_path / "plate/sh.1001.exr", 1001, scene=2)
    assert status(rendered(file)[1], "rendered") == [1001, 1002, 1003]
    assert status(rendered(file, force=True)[1], "rendered") == everything
    style(tmp_path / "tiny.safetensors", seed=9)
    assert status(rendered(file)[1], "rendered") == everything


def test_a_frame_that_goes_bad_after_the_plan_stops_the_render_by_name(shot: Shot, tmp_path: Path, planned) -> None:
    file = shot()
    made = planned(file)
    path = tmp_path / "plate/sh.1008.exr"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"sh\.1008\.exr"):
        render(made, device="cpu")
    for left in (tmp_path / "styled").iterdir():
        assert io.is_complete(left) and left.name.startswith("sh_styled.")
