"""What makes paint out of date in real Blenders, and what an export must leave alone, name rightly, or refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from addon_cases import rendered, rgba, run, styled


@pytest.mark.parametrize("case", ["changes_that_show", "changes_that_do_not_show", "remembered", "files_of_groups"])
def test_on_its_own(version: str, empty: Path, case: str) -> None:
    run(version, case, empty)


def test_paint_is_whole_whatever_region_is_rendered(version: str, empty: Path) -> None:
    run(version, "region", empty)
    full, plate = rendered(empty, "full", 1), rendered(empty, "input", 1)
    np.testing.assert_array_equal(full[..., :3], styled(empty, 1)[..., :3])
    np.testing.assert_array_equal(full[..., 3], plate[..., 3])
    lamp = plate[..., 0] > 4  # outside of the region
    assert lamp.any() and full[lamp][:, :3].max(-1).min() > 0.05
    ours = rgba(empty / "tsn/sh010/preview/styled/sh010.0001.exr", "Composite.Combined")
    cropped = rendered(empty, "cropped", 1)
    assert cropped.shape == (12, 16, 4)  # a picture that is cropped to it is as small in both
    np.testing.assert_array_equal(cropped[..., :3], ours[..., :3])


def test_no_frame_below_zero_and_each_other_one_is_its_own(version: str, empty: Path) -> None:
    run(version, "frames_below_zero", empty)
    for frame in (0, 1):
        np.testing.assert_array_equal(rendered(empty, "full", frame)[..., :3], styled(empty, frame)[..., :3])
    assert np.abs(styled(empty, 0) - styled(empty, 1)).max() > 0.05


NAMES = ("FG", "FG.001", "BG Composite", "composite", "Composite.Combined", "a.b c", "Vector", "x" * 46)


def test_view_layers_whose_names_resemble_each_other(version: str, empty: Path) -> None:
    run(version, "layer_names", empty)
    for index, name in enumerate(NAMES):
        plate = empty / f"plate.{index}.exr"
        picture = rgba(plate, "Composite.Combined")[..., :3]
        np.testing.assert_allclose(picture.max((0, 1)), (1, 0.8, 0.5), rtol=1e-3)  # 8 at an exposure of -3
        assert rgba(plate, f"{name}.Combined")[..., 0].max() > 7, name
