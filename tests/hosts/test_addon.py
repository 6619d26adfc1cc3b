"""The Blender add-on in real Blenders (bpy 4.2, 4.5 and 5.0), with the real `tsn`: the pixels, the farm, the faults.

What happens inside Blender is in the folder addon. Every case is a process of its own with a time limit; a case that
needs a painted shot gets a copy of one that `loop` made.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
import yaml

HERE = Path(__file__).parent
ADDON = HERE.parents[1] / "plugins/blender/tsn_blender"
TSN = Path(sys.executable).with_name("tsn")
PYTHONS = {"4.2": "TSN_BPY_4_2", "4.5": "TSN_BPY", "5.0": "TSN_BPY_5"}
SECONDS = 480  # of a hang; on a busy machine the window takes 120


def python(version: str) -> str:
    if PYTHONS[version] not in os.environ:
        pytest.fail(f"{PYTHONS[version]} names no Python that has bpy {version}: run tests/hosts/run.")
    return os.environ[PYTHONS[version]]


def run(version: str, case: str, folder: Path, **changes: str) -> str:
    """Run a case in a fresh Blender; what it printed, or a failed test that shows it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TSN_", "PYTHON", "OCIO"))}
    settings = {
        "TSN_COMMAND": str(TSN),
        "TSN_DEVICE": "cpu",
        "TSN_CACHE": str(folder.parent / "cache"),
        "TSN_LOCKED": "/sys/tsn",  # nobody may make a folder there, not even root
        "BLENDER_USER_RESOURCES": str(folder / "blender"),
        "OMP_NUM_THREADS": "1",
    }
    command = [python(version), str(HERE / "addon"), case, str(folder)]
    done = subprocess.run(
        command,
        env=kept | settings | changes,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )
    said = "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("Fra:", "Saved:", " Time:")))
    if done.returncode:
        pytest.fail(f"{case} in Blender {version}: exit code {done.returncode}\n{said[-4000:]}", pytrace=False)
    return said


@pytest.fixture(scope="session")
def style(tmp_path_factory: pytest.TempPathFactory, tiny_style: Callable[..., Path]) -> Path:
    """A tiny net with random weights."""
    return tiny_style(tmp_path_factory.mktemp("style") / "style.safetensors", name="tiny")


@pytest.fixture(scope="module", params=PYTHONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


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


@pytest.fixture
def empty(style: Path, tmp_path: Path) -> Path:
    """A folder with nothing but a style."""
    (tmp_path / "shot").mkdir()
    shutil.copy(style, tmp_path / "shot")
    return tmp_path / "shot"


def rgba(path: Path, layer: str = "") -> np.ndarray:
    """Float32 (H, W, 4)."""
    file = OpenEXR.File(str(path), separate_channels=True)
    found = {name: channel.pixels for part in file.parts for name, channel in part.channels.items()}
    return np.stack([found[f"{layer}.{end}" if layer else end].astype(np.float32) for end in "RGBA"], axis=-1)


def styled(folder: Path, frame: int, *, name: str = "sh010") -> np.ndarray:
    return rgba(folder / f"tsn/{name}/styled/{name}.{frame:04d}.exr", "Composite.Combined")


def rendered(folder: Path, name: str, frame: int) -> np.ndarray:
    return rgba(folder / f"{name}.{frame:04d}.exr")


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


def test_a_preview_paints_one_frame(version: str, empty: Path) -> None:
    run(version, "preview", empty)
    ours = rgba(empty / "tsn/sh010/preview/styled/sh010.0002.exr", "Composite.Combined")
    np.testing.assert_array_equal(rendered(empty, "full", 2)[..., :3], ours[..., :3])
    np.testing.assert_array_equal(rendered(empty, "full", 3), rendered(empty, "input", 3))


def test_a_scene_that_renders_every_second_frame_is_painted_so(version: str, empty: Path) -> None:
    run(version, "every_second", empty)
    assert yaml.safe_load((empty / "tsn/sh010/sh010.yaml").read_text())["frames"] == "1-9x2"
    names = [f"sh010.{number:04d}.exr" for number in (1, 3, 5, 7, 9)]
    for folder in ("plate", "styled"):
        assert sorted(path.name for path in (empty / "tsn/sh010" / folder).iterdir()) == names
    np.testing.assert_array_equal(rendered(empty, "full", 2), rendered(empty, "input", 2))
    np.testing.assert_array_equal(rendered(empty, "full", 7)[..., :3], styled(empty, 7)[..., :3])
    assert np.abs(rendered(empty, "full", 7) - rendered(empty, "input", 7)).max() > 0.05


def test_a_folder_may_be_called_anything_an_artist_calls_one(version: str, style: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Würfel {v2} & 50% Größe"
    folder.mkdir()
    shutil.copy(style, folder)
    run(version, "preview", folder)
    ours = rgba(folder / "tsn/sh010/preview/styled/sh010.0002.exr", "Composite.Combined")
    np.testing.assert_array_equal(rendered(folder, "full", 2)[..., :3], ours[..., :3])


def test_a_matte_keeps_paint_on_its_object(version: str, empty: Path) -> None:
    run(version, "matte", empty)
    change = np.abs(rendered(empty, "full", 1) - rendered(empty, "input", 1))[..., :3].max(-1)
    half = change.shape[1] // 2
    assert change[:, :half].max() > 0.05  # the cube is to the left, the lamp to the right
    assert change[:, half:].max() < 0.01  # half floats, no paint
    inverted = np.abs(rendered(empty, "inverted", 1) - rendered(empty, "input", 1))[..., :3].max(-1)
    assert inverted[:, half:].max() > 0.05
    cube = change > 0.05
    assert inverted[cube].mean() < 0.3 * change[cube].mean()


def test_a_painting_in_its_colours_and_in_the_plates(version: str, empty: Path) -> None:
    run(version, "painting", empty)
    plate, theirs, own = (rendered(empty, name, 1)[..., :3] for name in ("input", "painting", "plate"))
    cube = (plate.max(-1) > 0.3) & (plate.max(-1) < 1)
    hue = [one[cube].mean(0) / one[cube].mean() for one in (plate, theirs, own)]
    assert np.abs(theirs - plate)[cube].mean() > 0.02 and np.abs(own - plate)[cube].mean() > 0.005
    assert np.abs(hue[2] - hue[0]).max() < 0.5 * np.abs(hue[1] - hue[0]).max(), hue


# A show's config: what is linear has other names than Blender's own, and float files are in another space than renders.
SHOW_CONFIG = """ocio_profile_version: 2
roles:
  default: ACES - ACES2065-1
  default_float: ACES - ACES2065-1
  color_picking: Output - sRGB
  scene_linear: ACES - ACEScg
  aces_interchange: ACES - ACES2065-1
  cie_xyz_d65_interchange: Utility - XYZ - D65
displays:
  ACES:
    - !<View> {name: sRGB, colorspace: Output - sRGB}
display_colorspaces:
  - !<ColorSpace> {name: Utility - XYZ - D65, encoding: display-linear}
colorspaces:
  - !<ColorSpace> {name: ACES - ACES2065-1, encoding: scene-linear}
  - !<ColorSpace>
    name: ACES - ACEScg
    encoding: scene-linear
    to_scene_reference: !<MatrixTransform> {matrix: [0.695452, 0.140679, 0.163869, 0, 0.044795, 0.859671, 0.095534, 0,
      -0.005526, 0.004025, 1.001501, 0, 0, 0, 0, 1]}
  - !<ColorSpace>
    name: Output - sRGB
    to_scene_reference: !<ExponentTransform> {value: [2.2, 2.2, 2.2, 1]}
"""


def test_a_shows_colour_config_names_the_space_that_is_rendered_in(version: str, empty: Path) -> None:
    (empty / "show.ocio").write_text(SHOW_CONFIG)
    run(version, "colour_config", empty, OCIO=str(empty / "show.ocio"))
    shot = yaml.safe_load((empty / "tsn/sh010/preview/sh010.yaml").read_text())
    assert shot["colour"]["input"] == "ACES - ACEScg"
    painted = rgba(empty / "tsn/sh010/preview/styled/sh010.0002.exr", "Composite.Combined")
    np.testing.assert_array_equal(rendered(empty, "full", 2)[..., :3], painted[..., :3])
    plate = rgba(empty / "tsn/sh010/preview/plate/sh010.0002.exr", "Composite.Combined")
    np.testing.assert_allclose(plate[..., :3].max((0, 1)), (8, 6.4, 4), rtol=1e-3)  # the lamp, as it is lit


def test_a_colour_config_that_is_not_there_is_told_before_the_export(version: str, empty: Path) -> None:
    run(version, "missing_colour_config", empty, OCIO="/none/show.ocio")


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


def test_a_missing_frame_is_told_and_shows_the_input(version: str, shot: Path) -> None:
    run(version, "missing_frame", shot)
    np.testing.assert_array_equal(rendered(shot, "full", 2), rendered(shot, "input", 2))
    np.testing.assert_array_equal(rendered(shot, "full", 3)[..., :3], styled(shot, 3)[..., :3])


def test_a_farm_renders_every_node_in_order(version: str, empty: Path) -> None:
    run(version, "farm_renders", empty)
    np.testing.assert_array_equal(rendered(empty, "full", 2)[..., :3], styled(empty, 2, name="second")[..., :3])
    plate = rgba(empty / "tsn/second/plate/second.0002.exr", "Composite.Combined")
    np.testing.assert_array_equal(plate[..., :3], styled(empty, 2)[..., :3])  # the second one paints over the first


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


@pytest.mark.parametrize(
    "case",
    [
        "status",
        "cancel",
        "undo_while_painting",
        "renamed_while_painting",
        "open_while_painting",
        "shot_file",
        "no_cryptomatte",
        "looks",
        "check",
        "draws",
        "registers_twice",
    ],
)
def test_on_its_own(version: str, empty: Path, case: str) -> None:
    run(version, case, empty)


def test_settings_of_the_artists_own_files_are_kept_out_of_the_plate_and_put_back(version: str, empty: Path) -> None:
    run(version, "settings", empty)
    plate = rgba(empty / "tsn/sh010/plate/sh010.0001.exr", "Composite.Combined")
    lamp = plate[plate[..., 0] > 4]  # in the space that is rendered in, and with no stamp burnt in
    np.testing.assert_allclose(lamp.max(0), (8, 6.4, 4, 1), rtol=1e-3)
    assert (plate[-1, :, 3] == 0).all()


def test_every_fault_is_one_sentence(version: str, empty: Path) -> None:
    run(version, "faults", empty)


def test_no_child_outlives_blender(version: str, empty: Path) -> None:
    run(version, "quit_while_painting", empty)
    assert not Path(f"/proc/{(empty / 'child').read_text()}").exists()


# --- in a window ---------------------------------------------------------------------------------------------------


def test_a_window_stays_alive_shows_progress_and_escape_cancels(style: Path, tmp_path: Path) -> None:
    """Debian's Blender 3.4 under Xvfb, the zip as a legacy add-on."""
    words = ["xvfb-run", "-a", "-s", "-screen 0 1280x800x24", "blender", "--factory-startup"]
    words += ["--enable-event-simulate", "--window-geometry", "0", "0", "1280", "800"]
    words += ["--python", str(HERE / "addon_window.py"), "--", str(make_zip(tmp_path)), str(tmp_path), "escape"]
    done = debian(tmp_path, *words)
    assert done.returncode == 0, done.stdout[-3000:]
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["started"] == ["RUNNING_MODAL"] and seen["running"], json.dumps(seen)
    assert seen["said"].startswith("Painting ") and " of 16, 0:" in seen["said"]
    assert seen["ticks_before_painting_ended"] > 16 + 6  # the window was served between the frames, and while tsn ran
    assert seen["message"].startswith("Cancelled; "), seen
    assert not Path(f"/proc/{seen['child']}").exists()
    painted = int(seen["status"].split()[0])
    assert 3 <= painted < 16 and seen["status"].startswith(f"{painted} of 16 frames")
    assert (tmp_path / "progress.png").stat().st_size > 20_000
    assert len(seen["icons"]) > 3 and all(seen["icons"])
    (original, copy) = sorted(seen["copies"], key=lambda name: name != seen["original"])
    assert seen["original"] == original and seen["copies"][copy][1] == "NOTHING"
    assert [users for users, _ in seen["copies"].values()] == [1, 1]


def test_a_farm_runs_the_documented_line(tmp_path: Path) -> None:
    """With Debian's Blender, from its command line; the exit code is what a farm sees."""
    made = debian(
        tmp_path, "blender", "--background", "--factory-startup", "--python-exit-code", "1",
        "--python", str(HERE / "addon_window.py"), "--", str(make_zip(tmp_path)), str(tmp_path), "save",
    )  # fmt: skip
    assert made.returncode == 0, made.stdout[-3000:]
    line = "import bpy; bpy.ops.tsn.render_all(); bpy.ops.wm.save_mainfile()"
    words = ["blender", "-b", str(tmp_path / "harbour.blend"), "--python-exit-code", "1", "--python-expr", line]
    failed = debian(tmp_path, *words, TSN_COMMAND="/no/tsn")
    assert failed.returncode == 1 and "can't be started" in failed.stdout
    done = debian(tmp_path, *words)
    assert done.returncode == 0, done.stdout[-3000:]
    assert len(list((tmp_path / "tsn/harbour/styled").glob("*.exr"))) == 3


def debian(folder: Path, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run Debian's Blender with settings of its own in a folder."""
    for program in ("blender", "Xvfb", "xvfb-run"):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is not installed: run tests/hosts/run.")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TSN_", "PYTHON", "OCIO"))}
    settings = {
        "TSN_COMMAND": str(TSN),
        "TSN_DEVICE": "cpu",
        "TSN_CACHE": str(folder / "cache"),
        "BLENDER_USER_CONFIG": str(folder / "blender/config"),
        "BLENDER_USER_SCRIPTS": str(folder / "blender/scripts"),
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        words,
        env=kept | settings | changes,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )


def make_zip(folder: Path) -> Path:
    """The one zip for all versions, as the documentation has it made."""
    subprocess.run([sys.executable, ADDON.parent / "make_zip.py", folder], check=True, timeout=SECONDS)
    (found,) = folder.glob("*.zip")
    return found


# --- the package ---------------------------------------------------------------------------------------------------


def blender_ext(version: str, *words: str | Path) -> str:
    """Blender's own tool for extensions, which needs no Blender to run."""
    site = subprocess.run(
        [python(version), "-c", "import importlib.util as u; print(u.find_spec('bpy').submodule_search_locations[0])"],
        capture_output=True, text=True, check=True, timeout=SECONDS,
    ).stdout.strip()  # fmt: skip
    tool = next(Path(site).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    done = subprocess.run(
        [python(version), tool, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def archive(version: str, empty: Path) -> Path:
    return make_zip(empty)


def test_the_extension_builds_validates_and_installs(version: str, archive: Path, tmp_path: Path) -> None:
    blender_ext(version, "build", "--source-dir", ADDON, "--output-dir", tmp_path)
    built = tmp_path / archive.name
    files = [{Path(name).name for name in zipfile.ZipFile(path).namelist()} for path in (built, archive)]
    assert files[0] == files[1]
    for path in (built, archive):
        said = blender_ext(version, "validate", path)
        assert "FATAL" not in said and "warning" not in said.lower(), said
    run(version, "installs", archive.parent)


def test_the_addon_needs_blender_and_the_standard_library_only() -> None:
    import ast

    for file in ADDON.glob("*.py"):
        for one in ast.walk(ast.parse(file.read_text(), feature_version=(3, 10))):  # Python of Blender 3.4
            names = [alias.name for alias in one.names] if isinstance(one, ast.Import) else []
            names += [one.module or ""] if isinstance(one, ast.ImportFrom) and not one.level else []
            for name in {name.split(".")[0] for name in names}:
                assert name == "bpy" or name in sys.stdlib_module_names, (file, name)
                assert name not in {"socket", "urllib", "http", "ssl"}, (file, name)


def test_the_version_is_everywhere_the_same() -> None:
    import ast
    import tomllib

    from tsn import __version__

    manifest = tomllib.loads((ADDON / "blender_manifest.toml").read_text())
    source = ast.parse((ADDON / "__init__.py").read_text())
    info = next(node for node in source.body if isinstance(node, ast.Assign) and node.targets[0].id == "bl_info")
    assert manifest["version"] == ".".join(map(str, ast.literal_eval(info.value)["version"])) == __version__
