"""A shot travels as JSON unchanged, and its digest is of what changes pixels."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsn.shot.curves import Curve
from tsn.shot.load import load
from tsn.shot.model import Colour, Convention, Flow, Matte, Method, Shot, Style, Temporal, Vectors, from_json, to_json

Write = Callable[..., Path]


def test_the_digest_is_of_what_changes_pixels(write: Write) -> None:
    digest = load(write(), environ={}).digest
    assert len(digest) == 64
    assert load(write(name="moved/whole/sh010.yaml"), environ={}).digest == digest
    assert load(write("layer: null", "# a remark", output="output: elsewhere.####.exr"), environ={}).digest == digest
    assert load(write("temporal: {window: 8, detail: {1001: 1}}"), environ={}).digest == digest, (
        "said otherwise, the same"
    )
    for line in ("temporal: {window: 4}", "missing: hold", "frames: 1-2", "flow: {weights: w.pth}", "layer: x"):
        assert load(write(line), environ={}).digest != digest, line
    assert load(write(plate="plate: plate/other.####.exr"), environ={}).digest != digest


texts = st.text(min_size=1, max_size=8)
curve = st.builds(
    lambda keys, interp: Curve(keys=tuple(sorted(keys.items())), interp=interp),
    st.dictionaries(st.integers(-(10**6), 10**6), st.floats(0, 1), min_size=1, max_size=4),
    st.sampled_from(["linear", "hold", "smooth"]),
)
shots = st.builds(
    Shot,
    file=st.just(Path("/show/sh010.yaml")),
    plate=texts.map("/plates/{}.####.exr".format),
    output=texts.map("/out/{}.####.exr".format),
    layer=st.none() | texts,
    frames=st.none() | st.just("1001-1050"),
    missing=st.sampled_from(["error", "hold", "black", "skip"]),
    colour=st.builds(Colour, input=texts, highlights=st.sampled_from(["paint", "keep", "soft"])),
    style=st.builds(
        Style,
        model=st.none() | texts,
        blend=st.none() | st.dictionaries(texts, curve),
        strength=curve,
        scale=st.floats(0.1, 2),
    ),
    flow=st.builds(
        Flow,
        vectors=st.none() | st.builds(Vectors, layer=texts),
        scale=st.floats(0.1, 2),
        weights=st.none() | st.just(Path("/w.pth")),
    ),
    temporal=st.builds(Temporal, detail=curve, cuts=st.just("auto") | st.lists(st.integers()).map(tuple)),
    matte=st.none() | st.builds(Matte, names=st.lists(texts).map(tuple), invert=st.booleans()),
)


@given(shots)
def test_json_carries_a_shot_exactly(shot: Shot) -> None:
    again = from_json(json.loads(json.dumps(to_json(shot))))
    assert again == shot
    assert again.digest == shot.digest


def test_a_shot_cannot_be_changed(write: Write) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load(write(), environ={}).frames = "1-2"  # type: ignore[misc]


def test_every_flow_source_can_be_stated() -> None:
    from tsn.flow.factory import METHODS

    assert get_args(Method) == METHODS


def test_every_convention_of_vectors_can_be_stated() -> None:
    from tsn.flow.conventions import CONVENTIONS

    assert get_args(Convention) == tuple(CONVENTIONS)
