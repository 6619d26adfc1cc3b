"""What a colour space means is told by its operations, whatever the config is called and wherever it lies."""

from __future__ import annotations

from pathlib import Path

import PyOpenColorIO as ocio
import pytest

from tsn.colour import codec
from tsn.errors import InputError, UsageError
from tsn.ocio import space_fingerprint

CONFIG = """ocio_profile_version: 1
search_path: luts/$SHOT:luts
roles: {aces_interchange: aces, default: linear, scene_linear: linear}
displays: {default: [!<View> {name: raw, colorspace: linear}]}
colorspaces:
  - !<ColorSpace> {name: linear, bitdepth: 32f}
  - !<ColorSpace>
    name: aces
    bitdepth: 32f
    to_reference: !<MatrixTransform> {matrix: [2.52169, -1.13413, -0.38756, 0, -0.27648, 1.37272, -0.09624, 0,
      -0.01538, -0.15298, 1.16835, 0, 0, 0, 0, 1]}
  - !<ColorSpace> {name: graded, bitdepth: 32f, to_reference: !<FileTransform> {src: shot.cube}}
"""


def cube(path: Path, top: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"LUT_1D_SIZE 2\n0 0 0\n{top} {top} {top}\n")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A show whose space `graded` reads a table of the shot."""
    folder = tmp_path / "a"
    for name, top in (("sh01", 4), ("sh02", 2)):
        cube(folder / f"luts/{name}/shot.cube", top)
    (folder / "config.ocio").write_text(CONFIG)
    monkeypatch.setenv("OCIO", str(folder / "config.ocio"))
    monkeypatch.setenv("SHOT", "sh01")
    return folder


def test_context_variables_count(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, same = space_fingerprint("graded"), space_fingerprint("linear")
    monkeypatch.setenv("SHOT", "sh02")
    assert space_fingerprint("graded") != first
    assert space_fingerprint("linear") == same, "which doesn't read any"


def test_tables_count_by_their_content(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = space_fingerprint("graded")
    moved = config.with_name("b")
    config.rename(moved)
    monkeypatch.setenv("OCIO", str(moved / "config.ocio"))
    assert space_fingerprint("graded") == first, "where it lies is no matter"
    other = config.with_name("c")
    (other / "luts/sh01").mkdir(parents=True)
    (other / "config.ocio").write_text(CONFIG)
    cube(other / "luts/sh01/shot.cube", 3)
    monkeypatch.setenv("OCIO", str(other / "config.ocio"))
    assert space_fingerprint("graded") != first


def test_what_the_space_does_not_use_is_no_matter(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = space_fingerprint("graded")
    (config / "more.ocio").write_text(CONFIG + "  - !<ColorSpace> {name: other, bitdepth: 32f}\n")
    monkeypatch.setenv("OCIO", str(config / "more.ocio"))
    assert space_fingerprint("graded") == first


def test_the_version_of_opencolorio_counts() -> None:
    assert space_fingerprint("ACEScg") == f"ACEScg, OpenColorIO {ocio.__version__}"
    assert space_fingerprint("cineon") == "cineon"


def test_a_file_that_is_not_there_is_named(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOT", "sh03")
    for use in (space_fingerprint, codec):
        with pytest.raises(
            InputError, match=r"'graded' of .*config\.ocio needs a file that is not there: .*shot\.cube"
        ):
            use("graded")


def test_a_table_that_is_none_is_a_fault_of_the_config(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (config / "luts/sh04").mkdir()
    (config / "luts/sh04/shot.cube").write_text("no table")
    monkeypatch.setenv("SHOT", "sh04")
    with pytest.raises(UsageError, match="'graded' can't be converted"):
        codec("graded")
