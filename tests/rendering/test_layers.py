"""Several styles in one shot: each on its objects, over each other in order, from one plan, split or whole."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest

from tsn import io
from tsn.errors import InputError
from tsn.rendering import layer_engines, motion, plan_file
from tsn.rendering.pin import pin
from tsn.rendering.pinned_weights import hash_weights
from tsn.rendering.plan import make_plan
from tsn.rendering.render import render
from tsn.shot.load import load

Shot = Callable[..., Path]

NET, OTHER, STROKES = "style: {model: tiny.safetensors}", "style: {model: other.safetensors}", "style: {strokes: oil}"
MASK = "matte: {channel: mask.V}"
SCENES = {n: 1 if n < 1005 else 2 for n in range(1001, 1009)}
CASES = {
    "windows of several lengths": {
        "layers": f"[{{{STROKES}, temporal: {{window: 3}}}}, {{{NET}, {MASK}}}, {{{OTHER}, temporal: {{window: 0}}}}]"
    },
    "a cut that is found, a painting that is held": {
        "layers": f"[{{{NET}}}, {{style: {{strokes: oil, hold: 3}}, {MASK}}}]",
        "flow": "{method: dis}",
        "temporal": "{window: 2}",
        "scenes": SCENES,
    },
    "strengths that come and go": {
        "layers": "[{style: {model: tiny.safetensors, strength: {1002: 1, 1003: 0}}, temporal: {window: 1}},"
        " {style: {model: other.safetensors, strength: {1004: 0, 1006: 0.5, interp: hold}}, temporal: {window: 3}}]",
    },
}


@pytest.fixture
def layered(shot: Shot, tiny_style: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shot:
    """layered(layers, **keys): a shot with layers; tiny.safetensors and other.safetensors are two nets."""
    monkeypatch.chdir(tmp_path)  # paths after --set are relative to it
    tiny_style(tmp_path / "other.safetensors", seed=9)
    return lambda layers, **keys: shot(layers=layers, style="null", **keys)


def pixels(path: Path) -> dict[str, np.ndarray]:
    (part,) = OpenEXR.File(str(path), separate_channels=True).parts
    return {name: channel.pixels for name, channel in part.channels.items()}


@pytest.mark.parametrize("case", CASES)
def test_any_split_in_any_order_gives_the_same_files(layered: Shot, case: str, in_chunks, rendered) -> None:
    file = layered(**CASES[case])
    paths, _ = rendered(file)
    whole = {path: path.read_bytes() for path in paths.values()}
    assert len(whole) == 8
    assert in_chunks(file, 2, case) == whole


def test_each_layer_is_what_a_shot_of_its_own_would_be(layered: Shot, rendered, channels, rgb, plate) -> None:
    file = layered(f"[{{{NET}}}, {{{OTHER}, {MASK}}}, {{{STROKES}, matte: {{channel: mask.V, invert: true}}}}]")
    last = f"layers=[{{{NET}}}, {{{OTHER}, {MASK}}}]"
    both, _ = rendered(file, last, to="both")
    ours, theirs = (rendered(file, f"layers=[{{{one}}}]", to=name)[0] for name, one in (("a", NET), ("b", OTHER)))
    three, _ = rendered(file, to="three")
    matte = plate.pixels(1004)["mask.V"]
    mixed, below, above = (rgb(paths[1004]) for paths in (both, ours, theirs))
    for name in "RGB":
        found = channels(both[1004])[name]
        assert np.array_equal(found[matte == 0], channels(ours[1004])[name][matte == 0])
        assert np.array_equal(found[matte == 1], channels(theirs[1004])[name][matte == 1])
        assert np.array_equal(channels(three[1004])[name][matte == 1], found[matte == 1])
    expected = below + matte[..., None] * (above - below)
    np.testing.assert_allclose(mixed, expected, rtol=2e-3, atol=2e-3)
    assert np.abs(below - above).mean() > 0.01 and ((matte > 0) & (matte < 1)).any()


def test_a_layer_alone_is_the_plain_shot(layered: Shot, rendered, channels) -> None:
    file = layered(f"[{{{NET}, {MASK}}}]")
    one, _ = rendered(file, to="one")
    plain, _ = rendered(file, "layers=null", "style={model: tiny.safetensors}", "matte={channel: mask.V}", to="plain")
    for number, path in one.items():
        ours, theirs = channels(path), channels(plain[number])
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_where_no_layer_paints_the_stored_bits_stay(layered: Shot, plate, rendered, channels, source) -> None:
    nothing = np.zeros((plate.HEIGHT, plate.WIDTH), np.float32)
    file = layered(
        f"[{{{NET}, matte: {{channel: nothing.V}}}},"
        f" {{style: {{strokes: oil, strength: {{1002: 0, 1003: 1}}}}, {MASK}}}]",
        frames=range(1001, 1005),
        channels={number: {"nothing__V": nothing} for number in range(1001, 1005)},
    )
    paths, events = rendered(file)
    for number, path in paths.items():
        before, after = channels(source(path)), channels(path)
        same = slice(None) if number < 1003 else np.s_[:, :33]
        assert all(np.array_equal(before[name][same], after[name][same]) for name in before)
    assert not np.array_equal(channels(source(paths[1003]))["R"], channels(paths[1003])["R"])
    covers = next(event.covers for event in events if event.frame == 1003)
    assert covers[0] == 0 and 0.2 < covers[1] < 0.5


def test_gaps_between_strokes_show_the_layers_below_or_nothing(layered: Shot, rendered, rgb, source) -> None:
    gappy = "style: {strokes: oil, ground: none, density: 0.25, length: 0.5, aovs: [coverage]}"
    file = layered(f"[{{{gappy}}}]")
    alone = pixels(rendered(file, to="alone")[0][1004])
    over, _ = rendered(file, f"layers=[{{{NET}}}, {{{gappy}}}]", to="over")
    net = pixels(rendered(file, f"layers=[{{{NET}}}]", to="net")[0][1004])
    before, after = pixels(source(over[1004])), pixels(over[1004])
    coverage = alone["strokes.coverage"]
    np.testing.assert_allclose(alone["A"], before["A"] * coverage, atol=2e-3)
    np.testing.assert_allclose(after["A"], before["A"], atol=2e-3)
    for name in "RGB":
        expected = alone[name] + net[name].astype(np.float32) * (1 - coverage)
        np.testing.assert_allclose(after[name], expected, rtol=5e-3, atol=5e-3)
    # Mattes that do not overlap: the order does not matter, and there are gaps where the strokes are.
    left, right = "matte: {channel: mask.V, invert: true}", MASK
    orders = [f"[{{{gappy}, {left}}}, {{{NET}, {right}}}]", f"[{{{NET}, {right}}}, {{{gappy}, {left}}}]"]
    first, second = (pixels(rendered(file, f"layers={order}", to=str(n))[0][1004]) for n, order in enumerate(orders))
    apart = (after["mask.V"] == 0) | (after["mask.V"] == 1)
    for name in ("R", "G", "B", "A", "strokes.coverage"):
        np.testing.assert_allclose(first[name][apart], second[name][apart], atol=2e-3)
    assert first["A"][:, 8:33].min() < 0.2 and first["A"][:, 50:].min() == 1


def test_aovs_are_of_what_is_seen(layered: Shot, rendered) -> None:
    strokes = "style: {strokes: oil, aovs: [coverage, normals]}"
    path = rendered(layered(f"[{{{strokes}}}, {{{NET}, {MASK}}}]"))[0][1004]
    found = pixels(path)
    assert not found["strokes.coverage"][found["mask.V"] == 1].any()
    assert found["strokes.coverage"][:, 10:33].mean() > 0.9
    assert (found["strokes_normals.Z"][found["mask.V"] == 1] == 1).all()


def test_the_header_lists_the_layers(layered: Shot, rendered) -> None:
    path = rendered(layered(f"[{{{STROKES}}}, {{{NET}, {MASK}}}]"))[0][1001]
    told = io.read_attributes(path)
    assert told["tsn:style"] == "strokes:oil; tiny"
    first, second = told["tsn:styleSha256"].split("; ")
    assert first != second
    assert [layer["style"]["strokes"] for layer in json.loads(told["tsn:shot"])["layers"][:1]] == ["oil"]


def test_pins_hold_each_layer_and_change_no_bit(layered: Shot, tmp_path: Path) -> None:
    file = layered(f"[{{{NET}}}, {{{OTHER}, {MASK}}}]", flow="{method: dis}", temporal="{window: 2}", scenes=SCENES)
    made = planned_in_chunks(file, 3)
    render(made, device="cpu")
    whole = {path.name: path.read_bytes() for path in (tmp_path / "styled").iterdir()}
    shutil.rmtree(tmp_path / "styled")
    pinned = pin(made, device="cpu")
    assert pinned.pins is not None and pinned.pins.cuts == (1005,)
    assert [layer.cuts for layer in pinned.pins.layers] == [(1005,)] * 2
    assert len({layer.calibration for layer in pinned.pins.layers}) == 2
    again = plan_file.from_dict(json.loads(json.dumps(plan_file.to_dict(pinned))))
    assert again == pinned
    for index in (2, 0, 1):
        shutil.rmtree(tmp_path / "cache")
        render(again, chunks=[index], device="cpu")
    assert {path.name: path.read_bytes() for path in (tmp_path / "styled").iterdir()} == whole


def planned_in_chunks(file: Path, size: int):
    from tsn.rendering.inspect import inspect

    resolved = load(file, environ={})
    return make_plan(resolved, inspect(resolved), chunk_size=size)


def test_weights_of_all_layers_are_pinned_and_a_changed_one_makes_frames_stale(
    layered: Shot, rendered, status, tiny_style, tmp_path: Path
) -> None:
    file = layered(f"[{{{NET}}}, {{{OTHER}, {MASK}}}, {{{STROKES}, {MASK}}}]", frames=range(1001, 1004))
    weights = hash_weights(load(file, environ={}))
    assert {str(tmp_path / "tiny.safetensors"), str(tmp_path / "other.safetensors"), "oil"} <= weights.keys()
    rendered(file)
    assert status(rendered(file)[1], "skipped") == [1001, 1002, 1003]
    tiny_style(tmp_path / "other.safetensors", seed=3)
    assert status(rendered(file)[1], "rendered") == [1001, 1002, 1003]


def test_painted_frames_count_for_their_own_layer(layered: Shot, rendered, status, planned, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for number in range(1001, 1007):
            picture = np.full((48, 64, 3), number % 200 + (50 if folder == "b" else 0), np.uint8)
            cv2.imwrite(str(tmp_path / folder / f"p.{number}.png"), picture)
    file = layered(
        f"[{{style: {{frames: a/p.####.png}}}}, {{style: {{frames: b/p.####.png}}, {MASK}, temporal: {{window: 1}}}}]",
        frames=range(1001, 1007),
        temporal="{window: 0, cuts: []}",
    )
    marks = planned(file).plate.painted_layers
    assert len(marks) == 2 and not set(marks[0].values()) & set(marks[1].values())
    rendered(file)
    cv2.imwrite(str(tmp_path / "b" / "p.1004.png"), np.zeros((48, 64, 3), np.uint8))
    assert status(rendered(file)[1], "rendered") == [1003, 1004, 1005]


def test_motion_between_two_frames_is_found_once_for_all_layers(
    layered: Shot, rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs: list[tuple[int, int]] = []
    find = motion.motion_between

    def counted(source, before, view, **options):
        pairs.append((before.number, view.number))
        return find(source, before, view, **options)

    monkeypatch.setattr(motion, "motion_between", counted)
    short, long = "temporal: {window: 1}", "temporal: {window: 3}"
    rendered(
        layered(f"[{{{STROKES}, {long}}}, {{{NET}, {MASK}, {short}}}, {{{OTHER}, {long}}}]", frames=range(1001, 1013))
    )
    assert pairs == [(number, number + 1) for number in range(1001, 1012)]


def test_layers_that_reach_equally_far_read_the_plate_once(
    layered: Shot, rendered, counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    read = io.read_frame

    def counted(path, number, **options):
        reads.append(number)
        return read(path, number, **options)

    file = layered(f"[{{{NET}}}, {{{OTHER}, {MASK}}}]", frames=range(1001, 1013))
    monkeypatch.setattr(io, "read_frame", counted)
    rendered(file, "layers=[{style: {model: tiny.safetensors}}]", to="one")
    alone, reads[:] = len(reads), []
    rendered(file, to="two")
    assert len(reads) <= alone + 6  # each engine looks at the first frame, and takes a calibration of five


def test_engines_share_the_source_of_motion(layered: Shot, planned) -> None:
    engines = layer_engines.make_engines(planned(layered(f"[{{{NET}}}, {{{OTHER}}}]")), device="cpu")
    assert engines[0].flow is engines[1].flow


def test_an_error_about_a_style_names_its_layer(layered: Shot, rendered) -> None:
    with pytest.raises(InputError, match=r"layers\.1\.style\.surface: the plate has no layer 'Pref'"):
        rendered(layered(f"[{{{NET}}}, {{style: {{strokes: oil, surface: Pref}}}}]", frames=range(1001, 1003)))


def test_a_matte_of_a_layer_that_no_frame_has_is_named(layered: Shot, planned, add_cryptomatte) -> None:
    file = layered(
        f"[{{{NET}}}, {{{OTHER}, matte: {{cryptomatte: CryptoObject, names: [monky]}}}}]", frames=range(1001, 1003)
    )
    mask = np.zeros((48, 64), bool)
    mask[10:20, 10:20] = True
    add_cryptomatte({number: {"monkey": mask} for number in range(1001, 1003)})
    with pytest.raises(InputError, match="has no 'monky'"):
        planned(file)


def test_the_command_names_each_layer_and_its_workers_give_the_same_bits(
    layered: Shot, add_cryptomatte, tmp_path: Path
) -> None:
    file = layered(
        f"[{{{STROKES}}}, {{{NET}, matte: {{cryptomatte: CryptoObject, names: [hero]}}}},"
        f" {{{OTHER}, matte: {{cryptomatte: CryptoObject, names: [gone]}}}}]"
    )
    masks = {}
    for number in range(1001, 1009):
        hero = np.zeros((48, 64), bool)
        hero[16:32, 10 + 2 * (number - 1001) : 30 + 2 * (number - 1001)] = True
        masks[number] = {"hero": hero, "gone": np.zeros_like(hero)}
    add_cryptomatte(masks)

    def tsn(*words: str) -> str:
        command = [Path(sys.executable).with_name("tsn"), *words, file]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    miss = "layers.2: The matte (Cryptomatte CryptoObject, gone) covers 0 % of"
    checked = tsn("check", "--device", "cpu")
    assert "layers.0  brush strokes: oil; everywhere; 2 frames to either side" in checked
    assert re.search(r"layers\.1  tiny \(.*\); CryptoObject: hero; 2 frames to either side", checked)
    assert "layers.1.matte  covers 10.4 % of frame 1001" in checked and f"Warning: {miss}" in checked
    assert f"Warning: {miss} all 8 frames checked" in tsn("render", "--device", "cpu")
    alone = {path.name: path.read_bytes() for path in (tmp_path / "styled").iterdir()}
    shutil.rmtree(tmp_path / "styled")
    tsn("render", "--device", "cpu", "--workers", "2", "--chunk-size", "2")
    assert {path.name: path.read_bytes() for path in (tmp_path / "styled").iterdir()} == alone and len(alone) == 8
