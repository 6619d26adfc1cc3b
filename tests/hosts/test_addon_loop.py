"""A shot that went the whole way in real Blenders: its pixels, its file, and what an artist does to it then.

`loop` makes it once for each Blender; a case that needs a painted shot gets a copy.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
import yaml
from addon_cases import SECONDS, TSN, rendered, run, styled


@pytest.fixture(scope="module")
def painted(version: str, style: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a shot that went the whole way: shot.blend, tsn/, and what Blender rendered of it."""
    folder = tmp_path_factory.mktemp("loop")
    shutil.copy(style, folder)
    run(version, "loop", folder)
    return folder


@pytest.fixture
def shot(painted: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(painted, tmp_path / "shot")
    return tmp_path / "shot"


def channels(path: Path) -> Mapping[str, np.ndarray]:
    return {
        name: channel.pixels for name, channel in OpenEXR.File(str(path), separate_channels=True).channels().items()
    }


# --- pixels --------------------------------------------------------------------------------------------------------


def test_the_composite_is_what_tsn_wrote_to_the_bit(painted: Path) -> None:
    for frame in (1, 2, 3):
        theirs, ours = rendered(painted, "full", frame), styled(painted, frame)
        np.testing.assert_array_equal(theirs[..., :3], ours[..., :3])
    plate = rendered(painted, "input", 2)
    assert plate[..., :3].max() > 4 and styled(painted, 2)[..., :3].max() > 4
    assert np.abs(styled(painted, 2)[..., :3] - plate[..., :3]).mean() > 0.01  # it has been painted
    alpha = rendered(painted, "full", 2)[..., 3]
    np.testing.assert_array_equal(alpha, plate[..., 3])
    assert alpha.min() == 0 and alpha.max() == 1


def test_strength_is_keyed_and_the_range_honoured(painted: Path) -> None:
    np.testing.assert_array_equal(rendered(painted, "keyed", 1), rendered(painted, "input", 1))
    np.testing.assert_array_equal(rendered(painted, "keyed", 3), rendered(painted, "full", 3))
    half = (rendered(painted, "input", 2) + rendered(painted, "full", 2)) / 2
    np.testing.assert_allclose(rendered(painted, "keyed", 2), half, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(rendered(painted, "full", 4), rendered(painted, "input", 4))


def test_the_plate_is_half_float_with_vectors_and_the_shot_file_stands_alone(painted: Path, tmp_path: Path) -> None:
    plate = channels(painted / "tsn/sh010/plate/sh010.0002.exr")
    assert plate["Composite.Combined.R"].dtype == np.float16
    for end in "XYZW":
        assert plate[f"ViewLayer.Vector.{end}"].dtype == np.float32
    crypto = next(pixels for name, pixels in plate.items() if name.lower() == "viewlayer.cryptoobject00.r")
    assert crypto.dtype == np.float32 and crypto.any() and "ViewLayer.Depth.Z" in plate
    width = np.abs(plate["ViewLayer.Vector.X"]).max()
    assert 1 < width < 20  # the cube moves some pixels a frame
    assert np.abs(plate["ViewLayer.Vector.Z"]).max() > 1
    shot = yaml.safe_load((painted / "tsn/sh010/sh010.yaml").read_text())
    assert shot["style"] == {"model": "../../style.safetensors", "strength": 1}
    assert shot["flow"]["vectors"]["layer"] == "ViewLayer.Vector"
    moved = tmp_path / "elsewhere"
    shutil.copytree(painted, moved)
    done = subprocess.run(
        [TSN, "submit", "--farm", "openjd", moved / "tsn/sh010/sh010.yaml"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0 and list((moved / "tsn/sh010").rglob("template.*")), done.stderr


def test_a_farm_without_the_addon_renders_the_saved_file(version: str, painted: Path, shot: Path) -> None:
    run(version, "farm_without_the_addon", shot)
    for frame in (1, 2, 3):
        np.testing.assert_array_equal(rendered(shot, "farm", frame), rendered(painted, "keyed", frame))


@pytest.mark.parametrize("version", ["4.2", "4.5"], indirect=True)
def test_a_newer_blender_opens_the_file(version: str, painted: Path, shot: Path) -> None:
    run("5.0", "farm_without_the_addon", shot)
    for frame in (1, 2, 3):
        np.testing.assert_array_equal(rendered(shot, "farm", frame), rendered(painted, "keyed", frame))
    run("5.0", "reopen", shot)


def test_a_missing_frame_is_reported_and_shows_the_input(version: str, shot: Path) -> None:
    run(version, "missing_frame", shot)
    np.testing.assert_array_equal(rendered(shot, "full", 2), rendered(shot, "input", 2))
    np.testing.assert_array_equal(rendered(shot, "full", 3)[..., :3], styled(shot, 3)[..., :3])


def test_a_driver_survives_saving(version: str, painted: Path, shot: Path) -> None:
    run(version, "reopen", shot)
    half = (rendered(painted, "input", 2) + rendered(painted, "full", 2)) / 2
    np.testing.assert_allclose(rendered(shot, "full", 2), half, rtol=1e-5, atol=1e-6)  # frame / 4


# --- behaviour -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case",
    [
        "again",
        "duplicate",
        "nodes_switched_off",
        "cut_and_paste",
        "toggled",
        "append",
        "undo",
        "undo_after_a_render",
        "autosave",
    ],
)
def test_after_a_render(version: str, shot: Path, case: str) -> None:
    run(version, case, shot)
