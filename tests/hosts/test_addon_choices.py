"""What an artist sets in real Blenders is what `tsn` paints: frames, folders, mattes, paintings, colour configs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import yaml
from addon_cases import rendered, rgba, run, styled


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


def test_a_colour_config_that_is_not_there_is_reported_before_the_export(version: str, empty: Path) -> None:
    run(version, "missing_colour_config", empty, OCIO="/none/show.ocio")


def test_a_farm_renders_every_node_in_order(version: str, empty: Path) -> None:
    run(version, "farm_renders", empty)
    np.testing.assert_array_equal(rendered(empty, "full", 2)[..., :3], styled(empty, 2, name="second")[..., :3])
    plate = rgba(empty / "tsn/second/plate/second.0002.exr", "Composite.Combined")
    np.testing.assert_array_equal(plate[..., :3], styled(empty, 2)[..., :3])  # the second one paints over the first
