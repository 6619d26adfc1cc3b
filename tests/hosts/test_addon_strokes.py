"""Brush strokes in real Blenders: what is set and keyed on a node is what `tsn` paints and what the shot file has."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
import yaml
from addon_cases import SECONDS, TSN, rendered, run, styled


def test_every_knob_goes_the_whole_way(version: str, empty: Path) -> None:
    run(version, "strokes", empty)
    shot = yaml.safe_load((empty / "tsn/sh010/sh010.yaml").read_text())
    assert shot["style"] == {
        "strokes": "oil",
        "size": {1: 1.0, 3: 2.0},
        "length": {1: 1.25, 3: 1.75},
        "opacity": 0.7,
        "relief": 0.5,
        "light": 28.6479,
        "hold": {1: 1, 3: 2, "interp": "hold"},
        "palette": "../../palette.png",
        "ground": "#ff8000",
        "ids": "ViewLayer.CryptoObject",
        "surface": "ViewLayer.UV",
        "aovs": ["height", "stroke_id"],
        "strength": 1,
    }
    explained = subprocess.run(
        [TSN, "explain", empty / "tsn/sh010/sh010.yaml"], capture_output=True, text=True, timeout=SECONDS
    )
    assert explained.returncode == 0, explained.stderr
    painted = OpenEXR.File(str(empty / "tsn/sh010/styled/sh010.0002.exr"), separate_channels=True).channels()
    assert {"strokes.height", "strokes.id"} <= painted.keys() and "strokes.coverage" not in painted
    plate = rendered(empty, "input", 1)
    assert np.abs(styled(empty, 1) - plate)[..., :3].mean() > 0.01
    for frame in (1, 2, 3):
        np.testing.assert_array_equal(rendered(empty, "full", frame)[..., :3], styled(empty, frame)[..., :3])
    run(version, "farm_without_the_addon", empty)  # where the keys of the knobs animate nothing
    for frame in (1, 2, 3):
        np.testing.assert_array_equal(rendered(empty, "farm", frame), rendered(empty, "full", frame))


def test_knobs_that_nobody_touched_are_not_in_the_shot_file(version: str, empty: Path) -> None:
    run(version, "strokes_left_alone", empty)
    shot, preview = (
        yaml.safe_load((empty / f"tsn/sh010/{file}").read_text())["style"]
        for file in ("sh010.yaml", "preview/sh010.yaml")
    )
    assert shot == {"strokes": "oil", "strength": 1}
    assert preview == {"strokes": "oil", "size": 1.5, "strength": 1}


@pytest.mark.parametrize("case", ["out_of_date", "copied", "refused", "drawn"])
def test_on_its_own(version: str, empty: Path, case: str) -> None:
    run(version, f"strokes_{case}", empty)
