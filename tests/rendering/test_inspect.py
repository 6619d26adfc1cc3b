"""What is found on disk, and what is refused before any work."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tsn.errors import InputError, UsageError
from tsn.io.frame import Box
from tsn.rendering.inspect import Plate, inspect
from tsn.shot.load import load


@pytest.fixture
def found(shot: Callable[..., Path]) -> Callable[..., Plate]:
    """found(*lines, sets=(), **plate): the plate of a shot."""
    return lambda *lines, sets=(), **plate: inspect(load(shot(*lines, **plate), sets=sets, environ={}))


def test_frames_and_stamps(found, tmp_path) -> None:
    plate = found(frames=range(1001, 1004))
    assert plate.frames == plate.present == (1001, 1002, 1003)
    assert plate.missing == ()
    assert plate.canvas == Box(0, 0, 64, 48)
    status = (tmp_path / "plate/sh.1002.exr").stat()
    assert plate.stamps[1002] == f"{status.st_size}:{status.st_mtime_ns}"


def test_the_canvas_holds_every_data_window(found) -> None:
    windows = {1001: ((-6, 3), (20, 40)), 1002: ((10, -8), (69, 30)), 1003: ((0, 0), (5, 5))}
    assert found(frames=range(1001, 1004), windows=windows).canvas == Box(-6, -8, 76, 49)


def test_painted_frames_are_painted_on_the_display_window(found, tmp_path) -> None:
    (tmp_path / "painted.1001.png").touch()
    plate = found(frames=[1001], windows={1001: ((-6, 3), (90, 40))}, style="{frames: painted.####.png}")
    assert plate.canvas == Box(0, 0, 64, 48)


def test_painted_frames_of_the_shot_are_marked(found, tmp_path) -> None:
    for number in (1002, 1003, 1009):
        (tmp_path / f"painted.{number}.png").write_text(str(number))
    plate = found(frames=range(1001, 1004), style="{frames: painted.####.png}")
    assert plate.painted == {n: hashlib.sha256(str(n).encode()).hexdigest() for n in (1002, 1003)}


@pytest.mark.parametrize("missing", ["hold", "black", "skip"])
def test_a_gap(found, missing: str) -> None:
    plate = found(f"missing: {missing}", frames=[1001, 1002, 1005])
    assert (plate.frames, plate.missing, plate.present) == (tuple(range(1001, 1006)), (1003, 1004), (1001, 1002, 1005))


def test_a_gap_is_an_error_by_default(found) -> None:
    with pytest.raises(InputError, match=r"2 frames are missing: 1003-1004 \(on disk: 1001-1002,1005\)") as caught:
        found(frames=[1001, 1002, 1005])
    assert caught.value.hint and "missing: hold" in caught.value.hint


def test_a_shot_on_twos_has_no_gap(found) -> None:
    assert found(frames=[1001, 1003, 1005]).frames == (1001, 1003, 1005)


def test_a_frame_that_a_shot_on_twos_lacks(found) -> None:
    with pytest.raises(InputError, match="1 frame is missing: 1005"):
        found(frames=[1001, 1003, 1007])


def test_frames_of_the_shot_file(found) -> None:
    assert found("frames: 1004-1002").frames == (1002, 1003, 1004), "ascending, whatever the order they are named in"


def test_one_frame(found) -> None:
    assert found(frames=[1003]).frames == (1003,)


def test_none_of_the_frames_is_there(found) -> None:
    with pytest.raises(InputError, match=r"none of the frames 1-3 is on disk \(there: 1001"):
        found("frames: 1-3", "missing: hold")


def test_no_plate(found) -> None:
    with pytest.raises(InputError, match=r"No plate found: .*other\.####\.exr"):
        found(plate="plate/other.####.exr")


def test_frames_that_are_padded_another_way_are_told_where_none_or_one_is_missed(found, tmp_path) -> None:
    with pytest.raises(InputError, match="No plate found") as caught:
        found(plate="plate/sh.#####.exr", frames=[1001])
    assert caught.value.hint == "1 file looks like a frame and is not taken: sh.1001.exr."


def test_a_gap_tells_what_looks_like_the_frame(shot, tmp_path) -> None:
    file = shot(frames=[1001, 1002, 1003])
    (tmp_path / "plate/sh.1002.exr").rename(tmp_path / "plate/sh.01002.exr")
    with pytest.raises(InputError, match="1 frame is missing: 1002") as caught:
        inspect(load(file, sets=["frames=1001-1003"], environ={}))
    assert caught.value.hint and caught.value.hint.endswith(
        "`skip`. 1 file looks like a frame and is not taken: sh.01002.exr."
    )


def test_a_frame_under_two_names_is_refused_where_it_is_wanted(shot, tmp_path) -> None:
    file = shot(frames=[1001, 1002, 1003])
    (tmp_path / "plate/sh.01002.exr").write_bytes((tmp_path / "plate/sh.1003.exr").read_bytes())
    with pytest.raises(InputError, match=r"1 frame is there under two names, such as sh\.1002\.exr and sh\.01002\.exr"):
        inspect(load(file, environ={}))
    assert inspect(load(file, sets=["frames=1003"], environ={})).frames == (1003,)


def test_frames_before_0_with_the_sign_before_four_digits(shot, tmp_path) -> None:
    file = shot(frames=[1001, 1002, 1003])
    for old, new in ((1001, "-0001"), (1002, "0000"), (1003, "0001")):
        (tmp_path / f"plate/sh.{old}.exr").rename(tmp_path / f"plate/sh.{new}.exr")
    plate = inspect(load(file, environ={}))
    assert plate.frames == plate.present == (-1, 0, 1)


def test_a_truncated_frame_is_named(found, shot, tmp_path) -> None:
    file, path = shot(), tmp_path / "plate/sh.1005.exr"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"sh\.1005\.exr is damaged"):
        inspect(load(file, environ={}))


def test_a_frame_of_another_size_is_named(shot, tmp_path) -> None:
    import OpenEXR

    file = shot()
    odd = OpenEXR.File(str(tmp_path / "plate/sh.1003.exr"), separate_channels=True)
    odd.header()["displayWindow"] = (np.array([0, 0], np.int32), np.array([127, 95], np.int32))
    odd.write(str(tmp_path / "plate/sh.1004.exr"))
    with pytest.raises(InputError) as caught:
        inspect(load(file, environ={}))
    assert "sh.1004.exr: frame 1004 has another display window than frame 1001" in str(caught.value)
    assert "expected 64x48+0+0, found 128x96+0+0" in str(caught.value)


@pytest.mark.parametrize(
    ("channels", "told"),
    [
        ({"Spec__R": np.zeros((48, 64), np.float32)}, "expected none of those, found Spec.R"),
        ({}, "expected extra.V, found none of those"),
    ],
)
def test_a_frame_of_other_layers_is_named(found, channels, told: str) -> None:
    extra = {} if channels else {n: {"extra__V": np.zeros((48, 64), np.float32)} for n in range(1001, 1009)}
    with pytest.raises(InputError) as caught:
        found(channels=extra | {1006: channels})
    assert f"frame 1006 has another channels than frame 1001: {told}" in str(caught.value)


def test_a_layer_that_one_frame_lacks(found) -> None:
    beauty = {f"beauty__{name}": np.zeros((48, 64), np.float16) for name in "RGB"}
    with pytest.raises(InputError, match=r"sh\.1004\.exr has no layer 'beauty'"):
        found("layer: beauty", channels={n: beauty for n in range(1001, 1009) if n != 1004})


MATTE = "matte: {cryptomatte: CryptoObject, names: [floor, monkey]}"
FLOOR = np.ones((48, 64), bool)
MONKEY = FLOOR & (np.arange(64) < 20)


@pytest.mark.parametrize("there", [[1001], [1003], [1002]])
def test_an_object_of_the_matte_may_come_and_go(shot, add_cryptomatte, there) -> None:
    file = shot(MATTE, frames=range(1001, 1004))
    add_cryptomatte({n: {"floor": FLOOR} | ({"monkey": MONKEY} if n in there else {}) for n in range(1001, 1004)})
    assert inspect(load(file, environ={})).frames == (1001, 1002, 1003)


def test_a_name_of_the_matte_that_no_frame_has(shot, add_cryptomatte) -> None:
    file = shot(MATTE, frames=[1001, 1002])
    add_cryptomatte({1001: {"floor": FLOOR}, 1002: {"floor": FLOOR, "monkye": MONKEY}})
    with pytest.raises(InputError, match=r"CryptoObject has no 'monkey' in any frame .* among 2 names") as caught:
        inspect(load(file, environ={}))
    assert caught.value.hint == "Perhaps you meant 'monkye'?"


@pytest.mark.parametrize("manifest", [None, lambda known: "{}", lambda known: '{"mon'])
def test_without_manifests_nobody_can_tell_which_names_are_right(shot, add_cryptomatte, manifest) -> None:
    file = shot(MATTE, frames=[1001, 1002])
    add_cryptomatte({1001: {"floor": FLOOR}, 1002: {"floor": FLOOR}}, manifest)
    inspect(load(file, environ={}))


def test_accents_of_a_name_may_be_written_in_either_form(shot, add_cryptomatte) -> None:
    file = shot("matte: {cryptomatte: crypto_object, names: [Caf\u00e9]}", frames=[1001])
    add_cryptomatte({1001: {"Cafe\u0301": FLOOR}})
    inspect(load(file, environ={}))


def test_a_cryptomatte_layer_that_the_plate_lacks(found) -> None:
    with pytest.raises(InputError, match=r"sh\.1001\.exr: frame 1001: The plate has no Cryptomatte layer"):
        found(MATTE)


def test_the_output_keeps_the_format_whatever_the_plate_is_called(shot, tmp_path) -> None:
    file = shot(frames=[1001], plate="plate/sh.####.sxr", output="styled/sh.####.dpx")
    (tmp_path / "plate/sh.1001.exr").rename(tmp_path / "plate/sh.1001.sxr")
    with pytest.raises(UsageError, match=r"not named \*\.exr"):
        inspect(load(file, environ={}))


def test_hidden_files_and_other_padding_do_not_count(shot, tmp_path) -> None:
    file = shot(frames=[1001, 1002])
    os.link(tmp_path / "plate/sh.1001.exr", tmp_path / "plate/sh.01003.exr")
    (tmp_path / "plate/.tsn-host-1-1-sh.1004.exr").write_bytes(b"half")
    assert inspect(load(file, environ={})).frames == (1001, 1002)
