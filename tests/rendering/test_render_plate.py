"""The plate survives: what was not asked to change keeps its bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenEXR
import OpenImageIO as oiio
import pytest

from tsn import io
from tsn.io.frame import Box

Shot = Callable[..., Path]


def attributes(path: Path) -> dict[str, object]:
    header = dict(io.read_frame(path, 0).header)
    return {name: value for name, value in header.items() if not name.startswith("tsn:")}


@pytest.mark.parametrize(
    "sets", [("style.strength=0",), ("matte={channel: nothing.V}",), ("style.strength={1001: 0, 1003: 0}",)]
)
def test_unpainted_is_the_input_bit_for_bit(
    shot: Shot, plate, sets: tuple[str, ...], rendered, channels, source
) -> None:
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


def test_painted_frames_keep_all_but_their_rgb(shot: Shot, rendered, channels, source) -> None:
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


def test_no_paint_where_alpha_is_0(shot: Shot, rendered, rgb) -> None:
    """The plate is premultiplied: paint over nothing would add light."""
    paths, _ = rendered(shot(frames=range(1001, 1003)))
    assert not rgb(paths[1001])[:, :4].any()


def test_what_a_denoiser_leaves_in_the_void_gets_no_paint(shot: Shot, plate, rendered, rgb) -> None:
    """Nor does it boil there: a millionth stays about one, whether a frame has it or not."""
    frames = range(1001, 1004)
    left = {number: {name: plate.pixels(number)[name].astype(np.float32) for name in "RGBA"} for number in frames}
    for number in frames:
        for name in "RGB":
            left[number][name][:, :4] = 1e-6 * (np.random.default_rng(number).random((plate.HEIGHT, 4)) < 0.5)
    paths, _ = rendered(shot(frames=frames, channels=left))
    for path in paths.values():
        assert np.abs(rgb(path)[:, :4]).max() < 1e-3
        assert rgb(path)[:, 8:].mean() > 0.05


def test_an_alpha_too_small_to_divide_by_is_as_none(shot: Shot, plate, rendered, channels, rgb) -> None:
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


def test_highlights_survive_painting(shot: Shot, plate, rendered, rgb, source) -> None:
    paths, _ = rendered(shot())
    for number, path in paths.items():
        x, y = plate.LIGHT_X + plate.DX * (number - 1001), plate.LIGHT_Y + plate.DY * (number - 1001)
        light, before = rgb(path)[y : y + 6, x : x + 6].max(-1), rgb(source(path))[y : y + 6, x : x + 6].max(-1)
        assert before.min() > 2 < light.max() and not np.array_equal(light, before)


def test_the_matte_says_where(shot: Shot, plate, rendered, channels, source) -> None:
    matte = plate.pixels(1001)["mask.V"]
    file = shot(matte="{channel: mask.V}", frames=range(1001, 1004))
    for sets, cover in (((), matte), (("matte.invert=true",), 1 - matte)):
        paths, _ = rendered(file, *sets)
        before, after = channels(source(paths[1001])), channels(paths[1001])
        touched = sum((before[name] != after[name]).astype(int) for name in "RGB") > 0
        assert not touched[cover == 0].any()
        assert touched[(cover == 1) & (plate.pixels(1001)["A"] == 1)].mean() > 0.9


def test_strength_is_a_mix(shot: Shot, rendered, rgb) -> None:
    file = shot(frames=range(1001, 1004))
    mixed = {}
    for strength in (0.25, 1):
        paths, _ = rendered(file, f"style.strength={strength}", to=f"{strength}")
        mixed[strength] = rgb(paths[1002])
    before = rgb(file.parent / "plate/sh.1002.exr")
    assert np.allclose(mixed[0.25], before + 0.25 * (mixed[1] - before), rtol=2e-3, atol=2e-3)
    assert np.abs(mixed[1] - before).mean() > 0.02


def test_nan_and_inf_are_painted_around(shot: Shot, plate, rendered, channels, rgb, source, notes) -> None:
    broken = plate.pixels(1002)
    broken["R"][20, 30], broken["G"][21, 40], broken["B"][22, 50] = np.nan, np.inf, -np.inf
    bad = np.zeros((plate.HEIGHT, plate.WIDTH), bool)
    bad[[20, 21, 22], [30, 40, 50]] = True
    file = shot(frames=range(1001, 1005), channels={1002: {name: broken[name] for name in "RGB"}})
    paths, events = rendered(file)
    before, after = channels(source(paths[1002])), channels(paths[1002])
    for name in "RGB":
        assert np.array_equal(before[name][bad], after[name][bad])
    assert np.isfinite(rgb(paths[1002])[~bad]).all()
    assert all(np.isfinite(rgb(paths[number])).all() for number in (1001, 1003, 1004))
    around = np.zeros_like(bad)
    around[19:24, 28:53] = True
    touched = sum((before[name] != after[name]).astype(int) for name in "RGB") > 0
    assert touched[around & ~bad].mean() > 0.95
    plate.write(source(paths[1002]), 1002)
    whole, _ = rendered(file, to="whole")
    assert np.abs(rgb(whole[1002]) - rgb(paths[1002]))[around & ~bad].mean() < 0.02, "as if they weren't there"
    assert "Frame 1002: 3 pixels with NaN or Inf were painted around" in notes(events)
    assert notes(events).count("NaN") == 1


def test_data_windows_that_move_and_overscan(shot: Shot, rendered, channels, rgb, source) -> None:
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


def test_the_motion_is_found_on_windows_that_move(shot: Shot, rendered, rgb) -> None:
    """What both windows show is painted the same as in a shot whose windows stand still."""
    file = shot(frames=range(1001, 1004))
    still = {n: rgb(path) for n, path in rendered(file, "colour.highlights=keep", to="still")[0].items()}
    again, _ = rendered(file, "flow={method: dis, vectors: null}", "colour.highlights=keep", to="again")
    assert all(np.abs(rgb(again[n]) - still[n])[10:-10, 12:-10].mean() < 0.02 for n in still)


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


def test_dpx(shot: Shot, tmp_path: Path, rendered, source, status) -> None:
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


def test_a_second_pass_over_another_part_is_known_when_finished(
    shot: Shot, plate, tmp_path: Path, rendered, status
) -> None:
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
