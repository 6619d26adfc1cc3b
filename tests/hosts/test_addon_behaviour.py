"""The add-on in use in real Blenders: while it paints, with an artist's own settings, and when something is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from addon_cases import rgba, run


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
        "node_appearance",
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
