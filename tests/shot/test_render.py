"""A whole shot: the same bits however it is cut, and the plate survives."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import OpenEXR
import OpenImageIO as oiio
import pytest
import torch
from torch import Tensor

from tsn import api, io
from tsn.errors import InputError, OutputError
from tsn.flow.cache import CachedSource
from tsn.io.frame import Box
from tsn.shot import plan as plans
from tsn.shot.engine import make_engine
from tsn.shot.event import Event
from tsn.shot.inspect import inspect
from tsn.shot.load import load
from tsn.shot.plan import Plan
from tsn.shot.render import Renderer, render
from tsn.shot.stream import Stream
from tsn.style.handover import Exchange
from tsn.style.locked import LockedPainter

DEMO = Path(__file__).parents[2] / "shots" / "demo" / "plate"

Shot = Callable[..., Path]


def planned(file: Path, *sets: str, size: int | None = None) -> Plan:
    resolved = load(file, sets=sets, environ={})
    return plans.plan(resolved, inspect(resolved), chunk_size=size)


def rendered(file: Path, *sets: str, to: str = "sh_styled", **options: object) -> tuple[dict[int, Path], list[Event]]:
    """Render all of a shot: frame -> path, and what was reported."""
    events: list[Event] = []
    made = planned(file, *sets, f"output={file.parent}/styled/{to}.####{Path(load(file, environ={}).output).suffix}")
    paths = render(made, device="cpu", report=events.append, **options)  # type: ignore[arg-type]
    return {int(path.suffixes[-2][1:]): path for path in paths}, events


def channels(path: Path) -> dict[str, np.ndarray]:
    """Every channel as bits, so that NaN equals itself and -0.0 differs from 0.0."""
    (part,) = OpenEXR.File(str(path), separate_channels=True).parts
    return {name: c.pixels.view(f"u{c.pixels.dtype.itemsize}") for name, c in part.channels.items()}


def rgb(path: Path) -> np.ndarray:
    return io.read_frame(path, 0).rgb.astype(np.float32)


def source(path: Path) -> Path:
    """The plate frame of an output frame."""
    return path.parents[1] / "plate" / "".join(["sh", *path.suffixes[-2:]])


def status(events: Sequence[Event], kind: str) -> list[int | None]:
    return [event.frame for event in events if event.kind == "frame" and event.status == kind]


def notes(events: Sequence[Event]) -> str:
    return "\n".join(event.text for event in events if event.kind == "note")


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
def test_any_split_in_any_order_gives_the_same_files(shot: Shot, tmp_path: Path, case: str) -> None:
    keys = dict(CASES[case])
    file = shot(*([f"missing: {keys.pop('missing')}"] if "missing" in keys else []), **keys)
    paths, _ = rendered(file)
    whole = {path: path.read_bytes() for path in paths.values()}
    assert len(whole) == (6 if case == "gap skipped" else 8)
    for size in (1, 3) if case == "vectors" else (1,):
        shutil.rmtree(tmp_path / "styled")
        made = planned(file, size=size)
        order = [chunk.index for chunk in made.chunks]
        random.Random(case).shuffle(order)
        for index in order:
            shutil.rmtree(tmp_path / "cache", ignore_errors=True)  # each chunk on a host of its own
            render(made, chunks=[index], device="cpu")
        assert {path: path.read_bytes() for path in (tmp_path / "styled").iterdir()} == whole


@pytest.mark.parametrize("case", CASES)
def test_neighbours_paint_each_frame_once_between_them(
    shot: Shot, tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = dict(CASES[case])
    file = shot(*([f"missing: {keys.pop('missing')}"] if "missing" in keys else []), **keys)
    paths, _ = rendered(file)
    whole = {path: path.read_bytes() for path in paths.values()}
    shutil.rmtree(tmp_path / "styled")
    (tmp_path / "styled").mkdir()
    asked: list[int] = []
    paint = LockedPainter.paint

    def counted(self: LockedPainter, image: Tensor, number: int) -> Tensor:
        asked.append(number)
        return paint(self, image, number)

    monkeypatch.setattr(LockedPainter, "paint", counted)
    made = planned(file, size=2)
    shared = set(made.chunks[1].reads) & set(made.chunks[2].reads)
    left, right = (
        Renderer(
            made,
            device="cpu",
            exchange=Exchange(
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


def test_a_worker_does_not_make_the_folder_anew(shot: Shot, tmp_path: Path) -> None:
    """Where it was removed with what others had written, one that starts late would hide it."""
    with pytest.raises(OutputError, match="the folder does not exist"):
        Renderer(planned(shot()), device="cpu").render()
    assert not (tmp_path / "styled").exists()


def test_cuts_are_found(shot: Shot, tmp_path: Path) -> None:
    """A found cut is a listed one: the same pixels, and others than without."""
    file = shot(flow="{method: dis}", scenes=SCENES)
    pictures = {}
    for cuts in ("auto", "[1005]", "[]"):
        paths, _ = rendered(file, f"temporal.cuts={cuts}", to=f"{len(pictures)}")
        pictures[cuts] = {n: rgb(path) for n, path in paths.items()}
    for number in range(1001, 1009):
        assert np.array_equal(pictures["auto"][number], pictures["[1005]"][number])
        assert np.array_equal(pictures["auto"][number], pictures["[]"][number]) == (number not in range(1003, 1007))


def test_the_support_is_the_window(shot: Shot, tmp_path: Path, plate) -> None:
    """A plate frame that changes changes its window, and nothing beyond."""
    file = shot(frames=range(1001, 1013))
    paths, _ = rendered(file)
    before = {number: channels(path) for number, path in paths.items()}
    assert 1012 not in plans.survey_frames(range(1001, 1013))
    plate.write(tmp_path / "plate/sh.1012.exr", 1012, scene=3)
    shutil.rmtree(tmp_path / "styled")
    paths, _ = rendered(file)
    for number, path in paths.items():
        same = all(np.array_equal(before[number][name], bits) for name, bits in channels(path).items())
        assert same == (number < 1010), number


def test_a_missing_frame_is_held_black_or_skipped(shot: Shot, tmp_path: Path) -> None:
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


# --- the plate survives ------------------------------------------------------------------------------


def attributes(path: Path) -> dict[str, object]:
    header = dict(io.read_frame(path, 0).header)
    return {name: value for name, value in header.items() if not name.startswith("tsn:")}


@pytest.mark.parametrize(
    "sets", [("style.strength=0",), ("matte={channel: nothing.V}",), ("style.strength={1001: 0, 1003: 0}",)]
)
def test_unpainted_is_the_input_bit_for_bit(shot: Shot, plate, sets: tuple[str, ...]) -> None:
    black = np.zeros((plate.HEIGHT, plate.WIDTH), np.float32)
    wild = plate.pixels(1002)
    for name, value in (("R", np.nan), ("G", -np.inf), ("B", -0.0), ("A", 6e-8)):
        wild[name][3, 5:9] = value
    changed = {"nothing__V": black}
    file = shot(
        frames=range(1001, 1004),
        channels={1001: changed, 1003: changed, 1002: changed | {name: wild[name] for name in "RGBA"}},
        windows={},
    )
    paths, _ = rendered(file, *sets)
    for path in paths.values():
        before, after = channels(source(path)), channels(path)
        assert before.keys() == after.keys()
        assert all(np.array_equal(before[name], after[name]) for name in before)
        assert attributes(path) == attributes(source(path))


def test_painted_frames_keep_all_but_their_rgb(shot: Shot) -> None:
    paths, _ = rendered(shot(frames=range(1001, 1005)))
    for number, path in paths.items():
        before, after = channels(source(path)), channels(path)
        assert before.keys() == after.keys()
        touched = {name for name in before if not np.array_equal(before[name], after[name])}
        assert touched == {"R", "G", "B"}
        assert attributes(path) == attributes(source(path))
        told = io.read_attributes(path)
        assert told["studio:shot"] == f"sh010 take {number}"
        assert told["tsn:style"] == "tiny" and told["tsn:device"] == "cpu"
        assert {"tsn:version", "tsn:shot", "tsn:shotSha256", "tsn:styleSha256", "tsn:frameSha256"} <= told.keys()


def test_no_paint_where_alpha_is_0(shot: Shot) -> None:
    """The plate is premultiplied: paint over nothing would add light."""
    paths, _ = rendered(shot(frames=range(1001, 1003)))
    assert not rgb(paths[1001])[:, :4].any()


def test_an_alpha_too_small_to_divide_by_is_as_none(shot: Shot, plate) -> None:
    """A glow over the tail of a blurred alpha is painted as one without alpha is; the tail itself is nothing."""
    tiny = {name: plate.pixels(1001)[name].astype(np.float32) for name in "RGBA"}
    glow, tail = np.s_[10:20, 30:40], np.s_[30:40, 30:40]
    for name in "RGB":
        tiny[name][glow], tiny[name][tail] = 0.6, 2e-41
    tiny["A"][glow] = tiny["A"][tail] = 1e-40
    none = tiny | {"A": np.where(tiny["A"] == tiny["A"][10, 30], np.float32(0), tiny["A"])}
    file = shot(frames=[1001, 1002], channels={1001: tiny, 1002: none}, temporal="{window: 0, cuts: []}")

    unpainted = channels(rendered(file, "style.strength=0", to="plain")[0][1001])
    assert all(np.array_equal(unpainted[name], tiny[name].view("u4")) for name in "RGBA")

    paths, _ = rendered(file)
    ours, theirs = channels(paths[1001]), channels(paths[1002])
    assert all(np.array_equal(ours[name], theirs[name]) for name in "RGB")
    assert all(np.array_equal(ours[name][tail], tiny[name][tail].view("u4")) for name in "RGB")
    assert rgb(paths[1001])[glow].min() > 0.05 and np.abs(rgb(paths[1001])[glow] - 0.6).mean() > 0.05


def test_highlights_survive_painting(shot: Shot, plate) -> None:
    paths, _ = rendered(shot())
    for number, path in paths.items():
        x, y = plate.LIGHT_X + plate.DX * (number - 1001), plate.LIGHT_Y + plate.DY * (number - 1001)
        light, before = rgb(path)[y : y + 6, x : x + 6].max(-1), rgb(source(path))[y : y + 6, x : x + 6].max(-1)
        assert before.min() > 2 < light.max() and not np.array_equal(light, before)


def test_the_matte_says_where(shot: Shot, plate) -> None:
    matte = plate.pixels(1001)["mask.V"]
    file = shot(matte="{channel: mask.V}", frames=range(1001, 1004))
    for sets, cover in (((), matte), (("matte.invert=true",), 1 - matte)):
        paths, _ = rendered(file, *sets)
        before, after = channels(source(paths[1001])), channels(paths[1001])
        touched = sum((before[name] != after[name]).astype(int) for name in "RGB") > 0
        assert not touched[cover == 0].any()
        assert touched[(cover == 1) & (plate.pixels(1001)["A"] == 1)].mean() > 0.9


def test_strength_is_a_mix(shot: Shot) -> None:
    file = shot(frames=range(1001, 1004))
    mixed = {}
    for strength in (0.25, 1):
        paths, _ = rendered(file, f"style.strength={strength}", to=f"{strength}")
        mixed[strength] = rgb(paths[1002])
    before = rgb(file.parent / "plate/sh.1002.exr")
    assert np.allclose(mixed[0.25], before + 0.25 * (mixed[1] - before), rtol=2e-3, atol=2e-3)
    assert np.abs(mixed[1] - before).mean() > 0.02


def test_nan_and_inf_are_painted_around(shot: Shot, plate) -> None:
    broken = plate.pixels(1002)
    broken["R"][20, 30], broken["G"][21, 40], broken["B"][22, 50] = np.nan, np.inf, -np.inf
    bad = np.zeros((plate.HEIGHT, plate.WIDTH), bool)
    bad[[20, 21, 22], [30, 40, 50]] = True
    paths, events = rendered(shot(frames=range(1001, 1005), channels={1002: {name: broken[name] for name in "RGB"}}))
    before, after = channels(source(paths[1002])), channels(paths[1002])
    for name in "RGB":
        assert np.array_equal(before[name][bad], after[name][bad])
    assert np.isfinite(rgb(paths[1002])[~bad]).all()
    assert all(np.isfinite(rgb(paths[number])).all() for number in (1001, 1003, 1004))
    around = np.zeros_like(bad)
    around[19:24, 28:53] = True
    touched = sum((before[name] != after[name]).astype(int) for name in "RGB") > 0
    assert touched[around & ~bad].mean() > 0.95
    assert "Frame 1002: 3 pixels with NaN or Inf were painted around" in notes(events)
    assert notes(events).count("NaN") == 1


def test_data_windows_that_move_and_overscan(shot: Shot) -> None:
    windows = {
        1001: ((-8, -6), (71, 53)),
        1002: ((4, 3), (40, 44)),
        1003: ((-8, 10), (63, 47)),
        1004: ((0, 0), (63, 47)),
    }
    paths, _ = rendered(shot(frames=range(1001, 1005), windows=windows))
    for number, ((x, y), (right, bottom)) in windows.items():
        frame = io.read_frame(paths[number], number)
        assert frame.data_window == Box(x, y, right - x + 1, bottom - y + 1)
        before, after = channels(source(paths[number])), channels(paths[number])
        assert all(np.array_equal(before[name], after[name]) for name in before if name not in "RGB")
        solid = io.read_frame(source(paths[number]), number).alpha == 1
        assert (before["G"] != after["G"])[solid].mean() > 0.8, "painted to the edge of its window"
        assert np.isfinite(rgb(paths[number])).all()


def test_the_motion_is_found_on_windows_that_move(shot: Shot) -> None:
    """What both windows show is painted the same as in a shot whose windows stand still."""
    file = shot(frames=range(1001, 1004))
    still = {n: rgb(path) for n, path in rendered(file, to="still")[0].items()}
    again, _ = rendered(file, "flow={method: dis, vectors: null}", to="again")
    assert all(np.abs(rgb(again[n]) - still[n])[10:-10, 12:-10].mean() < 0.02 for n in still)


# --- other plates, other styles ----------------------------------------------------------------------


def write_dpx(path: Path, number: int) -> Path:
    """10-bit Cineon log of a pan, by OpenImageIO."""
    codes = np.random.default_rng(5).integers(0, 1024, (48, 80, 3)).astype(np.uint32)
    codes = np.ascontiguousarray(codes[:, 2 * (number - 1001) : 2 * (number - 1001) + 64])
    codes[:8] = np.arange(512 * 3).reshape(8, 64, 3) % 1024
    spec = oiio.ImageSpec(64, 48, 3, "uint16")
    spec["oiio:BitsPerSample"], spec["dpx:Transfer"] = 10, "Printing density"
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), spec) and out.write_image((codes << 6 | codes >> 4).astype("u2")) and out.close()
    return path


def dpx_codes(path: Path) -> np.ndarray:
    picture = oiio.ImageInput.open(str(path))
    codes = picture.read_image("uint16") >> 6
    picture.close()
    return codes


def test_dpx(shot: Shot, tmp_path: Path) -> None:
    file = shot(frames=[], plate="plate/sh.####.dpx", output="styled/sh_styled.####.dpx", flow="{method: dis}")
    for number in range(1001, 1004):
        write_dpx(tmp_path / f"plate/sh.{number}.dpx", number)
    paths, _ = rendered(file, "style.strength=0")
    for path in paths.values():
        assert np.array_equal(dpx_codes(path), dpx_codes(source(path)))
    paths, events = rendered(file)
    assert status(events, "rendered") == [1001, 1002, 1003]
    for path in paths.values():
        assert (dpx_codes(path) != dpx_codes(source(path))).any(-1).mean() > 0.9
    assert status(rendered(file)[1], "skipped") == [1001, 1002, 1003], "finished frames are known by their user data"


def test_a_second_pass_over_another_part_is_known_when_finished(shot: Shot, plate, tmp_path: Path) -> None:
    file = shot(frames=[], layer="key", temporal="{window: 0, cuts: []}")
    for number in (1001, 1002):
        rgb = {name: plate.pixels(number)[name] for name in "RGB"}
        kind = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}
        made = [OpenEXR.Part(dict(kind), dict(rgb), name) for name in ("key", "fill")]
        OpenEXR.File(made).write(str(tmp_path / f"plate/sh.{number}.exr"))
    rendered(file, to="once")
    second = (f"plate={tmp_path}/styled/once.####.exr", "layer=fill")
    for kind in ("rendered", "skipped"):
        assert status(rendered(file, *second, to="twice")[1], kind) == [1001, 1002]


@pytest.fixture
def painted(tmp_path: Path) -> Callable[..., dict[int, np.ndarray]]:
    """painted(numbers): PNGs as another tool paints them, grain that does not move with the picture."""

    def make(numbers: Sequence[int]) -> dict[int, np.ndarray]:
        (tmp_path / "painted").mkdir()
        pictures = {n: np.random.default_rng(n).uniform(0.2, 0.7, (48, 64, 3)).astype(np.float32) for n in numbers}
        for number, picture in pictures.items():
            io.write_png(tmp_path / f"painted/p.{number}.png", picture)
        return {n: np.rint(picture * 255) / 255 for n, picture in pictures.items()}

    return make


def test_painted_frames_per_frame_and_made_stable(shot: Shot, painted, plate) -> None:
    pictures = painted(range(1001, 1006))
    file = shot(frames=range(1001, 1006), style="{frames: painted/p.####.png}")
    paths, _ = rendered(file, "temporal.window=0", to="w0")
    for number, path in paths.items():
        linear = np.asarray(rgb(path))
        encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
        plain = (rgb(source(path)).max(-1) < 0.55) & (plate.pixels(number)["A"] == 1)
        assert plain.any() and np.abs(encoded - pictures[number])[plain].max() < 2e-3
    stable, _ = rendered(file, "temporal.detail=0", to="w2")
    assert np.std(rgb(stable[1003])[10:-10, 12:-10]) < 0.9 * np.std(rgb(paths[1003])[10:-10, 12:-10]), "averaged"


def test_a_painted_frame_that_changes_is_seen(shot: Shot, painted, tmp_path: Path) -> None:
    painted(range(1001, 1004))
    file = shot(frames=range(1001, 1004), style="{frames: painted/p.####.png}")
    rendered(file)
    assert status(rendered(file)[1], "rendered") == []
    io.write_png(tmp_path / "painted/p.1002.png", np.full((48, 64, 3), 0.5, np.float32))
    assert status(rendered(file)[1], "rendered") == [1001, 1002, 1003]


def test_blend(shot: Shot, style, tmp_path: Path) -> None:
    style(tmp_path / "a.safetensors"), style(tmp_path / "b.safetensors", seed=1)
    file = shot(frames=range(1001, 1004))

    def picture(text: str, name: str) -> np.ndarray:
        return rgb(rendered(file, f"style={text.replace('ROOT', str(tmp_path))}", to=f"{name}")[0][1002])

    a, b = picture("{model: ROOT/a.safetensors}", "a"), picture("{model: ROOT/b.safetensors}", "b")
    assert np.array_equal(picture("{blend: {ROOT/a.safetensors: 1, ROOT/b.safetensors: 0}}", "aa"), a)
    half = picture("{blend: {ROOT/a.safetensors: 0.5, ROOT/b.safetensors: 0.5}}", "ab")
    assert min(np.abs(half - a).mean(), np.abs(half - b).mean()) > 1e-3
    assert np.abs(half - a).mean() < np.abs(b - a).mean()


def test_cryptomatte_by_name_on_the_demo_plate(shot: Shot, tmp_path: Path) -> None:
    file = shot(
        "frames: 1001-1003",
        frames=[],
        plate=f"{DEMO}/demo.####.exr",
        output="styled/demo.####.exr",
        matte="{cryptomatte: CryptoObject, names: [quay]}",
        temporal="{window: 1, cuts: []}",
        flow="{vectors: {layer: ViewLayer.Vector, background: still}}",
    )
    paths = render(plans.plan(load(file, environ={}), inspect(load(file, environ={})), wanted=[1002]), device="cpu")
    assert paths == (tmp_path / "styled/demo.1002.exr",)
    from tsn.matte import cryptomatte

    frame = io.read_frame(DEMO / "demo.1002.exr", 1002)
    cover = cryptomatte(frame.channels, frame.header, layer="CryptoObject", names=["quay"])
    before, after = channels(DEMO / "demo.1002.exr"), channels(paths[0])
    touched = {name for name in before if not np.array_equal(before[name], after[name])}
    assert touched == {f"ViewLayer.Combined.{letter}" for letter in "RGB"}
    moved = before["ViewLayer.Combined.R"] != after["ViewLayer.Combined.R"]
    assert 0.01 < (cover == 1).mean() < 0.9
    assert not moved[cover == 0].any() and moved[cover == 1].mean() > 0.8


# --- what is finished stays --------------------------------------------------------------------------


def test_finished_frames_are_skipped_and_stale_ones_rendered_again(shot: Shot, style, plate, tmp_path: Path) -> None:
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


def test_a_frame_that_goes_bad_after_the_plan_stops_the_render_by_name(shot: Shot, tmp_path: Path) -> None:
    file = shot()
    made = planned(file)
    path = tmp_path / "plate/sh.1008.exr"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"sh\.1008\.exr"):
        render(made, device="cpu")
    for left in (tmp_path / "styled").iterdir():
        assert io.complete(left) and left.name.startswith("sh_styled.")


# --- memory and order --------------------------------------------------------------------------------


@pytest.fixture
def stream(shot: Shot) -> Callable[..., Stream]:
    """stream(*sets): of a shot of twelve frames with window 2."""

    def make(*sets: str) -> Stream:
        file = shot(frames=range(1001, 1013))
        made = planned(file, *sets)
        engine = make_engine(made, device="cpu")
        paths = io.Sequence.parse(made.shot.plate, base=Path())
        return Stream(engine, made, lambda n: engine.prepare(engine.read(paths.path(n), n)))

    return make


def held(stream: Stream) -> int:
    return max(len(stream._painted), len(stream._motion))


@torch.inference_mode()
def test_memory_is_flat(stream) -> None:
    made: Stream = stream()
    sizes = []
    for number in range(1001, 1013):
        made.painted(number)
        sizes.append(held(made))
        assert len(made._motion) < len(made._painted)
    assert sizes == [3, 4, *[5] * 8, 4, 3]


@torch.inference_mode()
def test_each_frame_is_painted_once(stream, monkeypatch: pytest.MonkeyPatch) -> None:
    made: Stream = stream()
    asked: list[int] = []
    paint = made._engine.painter.paint

    def counted(image: Tensor, number: int) -> Tensor:
        asked.append(number)
        return paint(image, number)

    monkeypatch.setattr(made._engine.painter, "paint", counted)
    for number in range(1001, 1013):
        made.painted(number)
    assert asked == list(range(1001, 1013))


@torch.inference_mode()
@pytest.mark.parametrize("cuts", ["[]", "[1004, 1009]", "auto"])
def test_any_order_gives_the_same_bits(stream, cuts: str) -> None:
    made: Stream = stream(f"temporal.cuts={cuts}")
    straight = {number: made.painted(number) for number in range(1001, 1013)}
    order = [1007, 1006, 1007, 1007, 1001, 1012, 1011]  # back, again, far jumps, one back
    for number in order:
        assert torch.equal(made.painted(number), straight[number])
        assert held(made) <= 5


def test_a_warm_flow_cache_gives_the_same_files(shot: Shot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_number_of_threads_changes_no_bit(shot: Shot) -> None:
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
