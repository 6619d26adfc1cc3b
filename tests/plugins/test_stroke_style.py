"""The keys of brush strokes in a shot file: few, and the same values at every frame of a host's curves."""

from __future__ import annotations

import json
import math
from dataclasses import fields

import pytest
from plain_modules import shot_yaml, stroke_style, style_list

from tsn.shot import values
from tsn.shot.curves import Curve
from tsn.shot.load import load as load_shot
from tsn.shot.model import Style

KINDS = {each.name: each for each in fields(Style)}
FRAMES = range(990, 1101)


def loaded(tmp_path, **style):
    """The style that tsn loads from a shot file with these strokes."""
    keys = stroke_style.StrokeStyle(**style).keys()
    shot = shot_yaml.ShotSettings(
        plate="plate/a.####.exr", output="styled/a.####.exr", frames="990-1100", colour="lin_rec709", style="oil",
        painting=False, window=4, strokes=keys,
    )  # fmt: skip
    shot_yaml.write(shot, tmp_path / "a.yaml")
    return load_shot(tmp_path / "a.yaml", environ={}).style


@pytest.mark.parametrize("name", stroke_style.NUMBERS)
def test_the_ranges_are_those_of_tsn(tmp_path, name):
    default, low, high = stroke_style.NUMBERS[name]
    if name != "relief":  # by default the preset's
        assert Curve.constant(default) == KINDS[name].default
    for value in (low, high):
        assert getattr(loaded(tmp_path, numbers={name: {990: value}}), name).at(990) == value
    kind = values.__dict__[KINDS[name].type.split(" ")[0]].__metadata__
    for value in (low - 1, high + 1):
        assert stroke_style.range_error({name: {990: value}})
        with pytest.raises(ValueError):
            kind[0].func(value)


def test_layers_are_those_of_tsn(tmp_path):
    assert loaded(tmp_path, aovs=stroke_style.LAYERS).aovs == stroke_style.LAYERS


def test_nothing_is_written_of_what_is_tsns_default(tmp_path):
    numbers = {name: dict.fromkeys(FRAMES, of.default) for name, of in stroke_style.NUMBERS.items() if name != "relief"}
    assert stroke_style.StrokeStyle(numbers=numbers).keys() == {}
    style = loaded(tmp_path, numbers=numbers)
    assert {name for name, each in KINDS.items() if getattr(style, name) != each.default} == {"strokes"}


@pytest.mark.parametrize(
    ("curve", "most"),
    [
        (lambda frame: 0.7, 0),
        (lambda frame: 0.5 + (frame - 990) / 110, 2),
        (lambda frame: min(max((frame - 1000) / 40, 0.25), 2), 4),
        (lambda frame: 2 - math.cos(frame / 20), len(FRAMES) // 2),
        (lambda frame: 1 if frame < 1050 else 3, 4),
        (lambda frame: 1 + frame % 2, len(FRAMES)),
    ],
    ids=["constant", "line", "ramp", "ease", "step", "flicker"],
)
def test_keyframes_pass_every_value_of_a_curve_and_are_few(tmp_path, curve, most):
    sampled = {frame: curve(frame) for frame in FRAMES}
    written = stroke_style.StrokeStyle(numbers={"size": sampled}).keys()["size"]
    assert len(written) <= most if most else written == 0.7
    style = loaded(tmp_path, numbers={"size": sampled})
    error = max(abs(style.size.at(frame) - value) for frame, value in sampled.items())
    assert error <= 2e-3, error


def test_a_single_precision_number_is_written_as_the_artist_typed_it():
    assert stroke_style.StrokeStyle(numbers={"opacity": {1: 0.699999988079071}}).keys() == {"opacity": 0.7}


def test_frames_are_held_as_whole_numbers(tmp_path):
    numbers = {"hold": {990: 1.0, 991: 1.4, 992: 2.0, 993: 2.0, 994: 1.0}}
    assert stroke_style.StrokeStyle(numbers=numbers).keys() == {"hold": {990: 1, 992: 2, 994: 1, "interp": "hold"}}
    assert [loaded(tmp_path, numbers=numbers).hold.at(frame) for frame in range(989, 996)] == [1, 1, 1, 2, 2, 1, 1]
    assert stroke_style.StrokeStyle(numbers={"hold": {1: 2.0, 2: 2.0}}).keys() == {"hold": 2}


def test_what_a_show_has_for_knobs_that_are_left_alone_counts(tmp_path):
    (tmp_path / "_show.yaml").write_text("style: {strokes: oil, size: 2, relief: 0}\nversion: 1\n")
    style = loaded(tmp_path, numbers={"relief": {990: 1.0}})
    assert (style.size.at(990), style.relief.at(990)) == (2, 1)
    (tmp_path / "_show.yaml").write_text("style: {adain: other.png}\nversion: 1\n")
    assert loaded(tmp_path).adain is None


def test_colours_and_files(tmp_path):
    assert stroke_style.colour_error("#F4efe4") is None
    for bad in ("", "f4efe4", "#fff", "white"):
        assert "is no colour for the ground" in stroke_style.colour_error(bad)
    (tmp_path / "own.YML").touch()
    (tmp_path / "own.json").touch()
    assert stroke_style.preset_file_error(str(tmp_path / "own.YML")) is None
    assert "choose a .yaml file" in stroke_style.preset_file_error(str(tmp_path / "own.json"))
    assert "There is no preset" in stroke_style.preset_file_error(str(tmp_path))


def test_presets_and_models_are_listed_apart():
    printed = json.dumps(
        [{"name": name, "family": of} for name, of in (("a", "adain"), ("b", "mobile"), ("c", "strokes"))]
    )
    assert style_list.read_list(printed) == (["b"], ["c"])
    for broken in ("", "{}x", '["a"]', "[{}]", "3"):
        with pytest.raises((ValueError, KeyError, TypeError)):
            style_list.read_list(broken)
