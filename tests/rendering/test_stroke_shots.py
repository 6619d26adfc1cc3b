"""Shots in brush strokes, rendered whole: the promises hold as for any paint, and the keys do what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest

from tsn.errors import InputError, UsageError

Shot = Callable[..., Path]

SCENES = {n: 1 if n < 1005 else 2 for n in range(1001, 1009)}
CASES = {
    "plain": {},
    "knobs, layers, held through a gap": {
        "style": "{strokes: oil, size: {1001: 1, 1008: 2}, relief: {1001: 0, 1008: 1}, hold: 3,"
        " aovs: [height, stroke_id]}",
        "frames": [1001, 1002, 1003, 1006, 1007, 1008],
        "missing": "hold",
    },
    "a cut found in a held painting": {
        "style": "{strokes: oil, hold: 2}",
        "temporal": "{window: 2}",
        "flow": "{method: dis}",
        "scenes": SCENES,
    },
    "a cut found in a painting that is held for longer than the window": {
        "style": "{strokes: oil, hold: 4}",
        "temporal": "{window: 1}",
        "flow": "{method: dis}",
        "scenes": {n: 1 if n < 1003 else 2 for n in range(1001, 1009)},
    },
    "windows that move, a matte, a palette": {
        "style": "{strokes: oil, palette: painting.png, depth: Depth.Z}",
        "windows": {1003: ((-4, -2), (50, 40)), 1005: ((9, 5), (68, 47))},
        "matte": "{channel: mask.V}",
    },
}


@pytest.fixture(autouse=True)
def painting(tmp_path: Path) -> None:
    colours = np.random.default_rng(5).integers(0, 255, (8, 8, 3), np.uint8)
    colours[..., 0] = 30  # in OpenCV's order: little blue
    cv2.imwrite(str(tmp_path / "painting.png"), cv2.resize(colours, (80, 60), interpolation=cv2.INTER_CUBIC))


def strokes(shot: Shot, **keys: object) -> Path:
    """A shot in strokes, whose keys are those of `CASES`."""
    lines = [f"missing: {keys.pop('missing')}"] if "missing" in keys else []
    return shot(*lines, **({"style": "{strokes: oil}"} | keys))


def pixels(path: Path) -> dict[str, np.ndarray]:
    (part,) = OpenEXR.File(str(path), separate_channels=True).parts
    return {name: channel.pixels for name, channel in part.channels.items()}


@pytest.mark.parametrize("case", CASES)
def test_any_split_in_any_order_gives_the_same_files(shot: Shot, case: str, in_chunks, rendered) -> None:
    file = strokes(shot, **CASES[case])
    paths, _ = rendered(file)
    whole = {path: path.read_bytes() for path in paths.values()}
    assert len(whole) == 8
    assert in_chunks(file, 3 if "longer" in case else 2, case) == whole


def test_everything_but_the_paint_is_the_plate(shot: Shot, rendered, channels, source) -> None:
    file = strokes(shot, style="{strokes: oil, strength: {1002: 0, 1003: 1}, aovs: [coverage]}")
    paths, _ = rendered(file)
    for number, path in paths.items():
        plate, output = channels(source(path)), channels(path)
        assert output.keys() - plate.keys() == {"strokes.coverage"}
        unchanged = plate.keys() if number <= 1002 else plate.keys() - set("RGB")
        assert all((plate[name] == output[name]).all() for name in unchanged)
        if number <= 1002:
            assert not output["strokes.coverage"].any()
        else:
            assert (plate["R"][:, 8:] != output["R"][:, 8:]).mean() > 0.9
            assert not (plate["R"][:, :4] != output["R"][:, :4]).any()  # void


def test_only_the_matte_is_painted(shot: Shot, rendered, channels, source) -> None:
    paths, _ = rendered(strokes(shot, matte="{channel: mask.V}"))
    plate, output = channels(source(paths[1004])), channels(paths[1004])
    assert all((plate[name][:, :33] == output[name][:, :33]).all() for name in "RGBA")
    assert (plate["R"][:, 40:] != output["R"][:, 40:]).mean() > 0.9


def test_highlights_keep_their_energy(shot: Shot, rendered, rgb, source) -> None:
    path = rendered(strokes(shot))[0][1004]
    plate, output = rgb(source(path)), rgb(path)
    assert plate.max() == 8
    assert output.max() > 4
    assert 0.6 < np.maximum(output - 1, 0).sum() / np.maximum(plate - 1, 0).sum() < 1.4


def test_a_palette_takes_the_colours_of_a_painting(shot: Shot, rendered, rgb, notes, tmp_path) -> None:
    file = strokes(shot)
    plain = rgb(rendered(file)[0][1004])[:, 8:]
    paths, events = rendered(file, f"style.palette={tmp_path}/painting.png", to="warm")
    warm = rgb(paths[1004])[:, 8:]
    assert "Surveying" in notes(events)
    blue = [float((picture[..., 2] / picture.sum(-1).clip(1e-3)).mean()) for picture in (plain, warm)]
    assert blue[1] < 0.6 * blue[0]


def test_size_by_a_channel(shot: Shot, rendered) -> None:
    style = "{strokes: oil, aovs: [stroke_id]%s}"
    file = strokes(shot, style=style % ", size_by: mask.V, size_range: [[0, 0.5], [1, 2]]")
    ids = pixels(rendered(file)[0][1004])["strokes.id"]
    small, large = (len(np.unique(part)) for part in (ids[:, 10:30], ids[:, 44:64]))
    assert small > 2 * large


def test_the_keyed_hold_goes_forward(shot: Shot, planned) -> None:
    file = strokes(shot, style="{strokes: oil, hold: {1001: 1, 1008: 6}}")
    made = planned(file)
    assert [made.held(number) for number in range(1001, 1009)] == [1001, 1002, 1003, 1003, 1005, 1005, 1005, 1008]


def test_a_painting_is_held(shot: Shot, rendered, channels) -> None:
    style = "{strokes: oil, hold: {1001: 1, 1004: 2, interp: hold}, aovs: [stroke_id, height]}"
    paths, _ = rendered(strokes(shot, style=style))
    ids = {number: channels(path)["strokes.id"] for number, path in paths.items()}
    same = [number for number in range(1002, 1009) if (ids[number] == ids[number - 1]).all()]
    assert same == [1005, 1007]


def test_strokes_keep_their_ids_as_they_move(shot: Shot, rendered, plate) -> None:
    paths, _ = rendered(strokes(shot, style="{strokes: oil, aovs: [stroke_id]}"))
    one, next_one = (pixels(paths[number])["strokes.id"] for number in (1004, 1005))
    assert one.max() < 2**24
    moved = next_one[plate.DY :, plate.DX + 8 :] == one[: -plate.DY, 8 : -plate.DX]
    assert moved.mean() > 4 * (next_one == one)[:, 8:].mean()


def test_layers_of_the_paint(shot: Shot, rendered) -> None:
    style = "{strokes: oil, aovs: [height, normals, coverage, stroke_id], strength: 0.5}"
    found = pixels(rendered(strokes(shot, style=style))[0][1004])
    normals = np.stack([found[f"strokes_normals.{axis}"] for axis in "XYZ"])
    np.testing.assert_allclose((normals**2).sum(0), 1, rtol=1e-4)
    assert normals[2].min() > 0 and np.abs(normals[:2]).max() > 0.005  # one unit is .27 pixels at 48 lines
    assert 0 < found["strokes.height"].max() < 2
    assert 0.4 < found["strokes.coverage"].mean() <= 0.5  # as strong as the paint
    assert all(found[name].dtype == np.float32 for name in found if name.startswith("strokes"))


def test_nothing_under_the_strokes_is_transparent(shot: Shot, rendered, source) -> None:
    style = "{strokes: oil, ground: none, density: 0.25, length: 0.5, aovs: [coverage]}"
    path = rendered(strokes(shot, style=style))[0][1004]
    before, after = pixels(source(path)), pixels(path)
    coverage = after["strokes.coverage"]
    assert coverage.min() < 0.2 and coverage.max() > 0.95
    np.testing.assert_allclose(after["A"], before["A"] * coverage, atol=2e-3)
    assert after["R"].max() > 0.6 * before["R"].max() > 4  # light goes through
    bare = coverage == 0
    assert bare.any() and not after["R"][bare].any()


def test_a_colour_of_the_ground(shot: Shot, rendered, rgb) -> None:
    style = "{strokes: oil, ground: '#ff0000', opacity: 0, relief: 0}"
    inside = rgb(rendered(strokes(shot, style=style))[0][1004])[:, 8:]
    np.testing.assert_allclose(inside, np.broadcast_to([1.0, 0, 0], inside.shape), atol=2e-3)


def test_a_brush_of_ones_own(shot: Shot, tmp_path: Path, rendered, rgb) -> None:
    scan = np.full((40, 200), 255, np.uint8)
    scan[8:32:6, 10:190] = 0  # hairs
    cv2.imwrite(str(tmp_path / "brush.png"), scan)
    file = strokes(shot, style="{strokes: oil, brush: brush.png}")
    own = rgb(rendered(file)[0][1004])
    drawn = rgb(rendered(file, "style.brush=[]", to="drawn")[0][1004])
    assert np.abs(own - drawn)[:, 8:].mean() > 0.005
    cv2.imwrite(str(tmp_path / "brush.png"), np.full((40, 200), 255, np.uint8))
    with pytest.raises(InputError, match="expected a brush stroke"):
        rendered(file)


def test_nothing_of_the_strokes_is_left_without_the_key(shot: Shot, planned) -> None:
    made = planned(shot())
    assert not made.libraries.keys() & {"numba", "llvmlite"}
    assert {"numba", "llvmlite"} <= planned(made.shot.file, "style={strokes: oil}").libraries.keys()


@pytest.mark.parametrize(
    ("style", "error", "message"),
    [
        (
            "{strokes: oil, surface: Pref}",
            InputError,
            "style.surface: the plate has no layer 'Pref'; it has Depth, Vector",
        ),
        ("{strokes: oil, depth: Deepth.Z}", InputError, "style.depth: the plate has no channel 'Deepth.Z'"),
        ("{strokes: oil, direction: mask}", InputError, "style.direction: the layer 'mask' needs two or three of"),
        ("{strokes: oil, ids: Crypto}", InputError, "no Cryptomatte layer 'Crypto'"),
        ("{strokes: oil, palette: none.png}", InputError, "painting does not exist"),
        ("{strokes: oli}", UsageError, "No preset of strokes is called 'oli'"),
        ("{strokes: mine.yaml}", InputError, "mine.yaml"),
        ("{model: tiny.safetensors, hold: 2}", UsageError, "this goes with strokes only"),
        ("{strokes: oil, hold: 1.5}", UsageError, "expected a number of frames, found 1.5"),
        ("{strokes: oil, hold: 99}", UsageError, "expected a number from 1 to 24"),
        ("{strokes: oil, size_range: [[0, 1]]}", UsageError, "this goes with size_by only"),
        ("{strokes: oil, size_by: mask.V, size_range: [[1, 1], [0, 2]]}", UsageError, "expected values that rise"),
        ("{strokes: oil, size_by: mask.V, size_range: [1, 2]}", UsageError, "expected pairs of a value and its factor"),
        ("{strokes: oil, brush_height: [a.png]}", UsageError, "expected as many files as brush has"),
    ],
)
def test_bad_keys_are_refused(shot: Shot, rendered, tmp_path: Path, style: str, error: type, message: str) -> None:
    with pytest.raises(error) as caught:
        rendered(strokes(shot, style=style))
    assert message in str(caught.value)
    assert not list(tmp_path.glob("styled/*"))
