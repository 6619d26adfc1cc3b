"""A host that would compute other pixels than the plan's maker refuses, by name and with exit code 3."""

from __future__ import annotations

import json
import os
from pathlib import Path

import PyOpenColorIO as ocio
import pytest

from tsn.ocio import space_fingerprint


@pytest.fixture
def show(tmp_path: Path) -> Path:
    """A config in which the role scene_linear means another space than in the built-in one."""
    config = ocio.Config.CreateFromBuiltinConfig("cg-config-v1.0.0_aces-v1.3_ocio-v2.1")
    config.setRole("scene_linear", "Linear Rec.709 (sRGB)")
    path = tmp_path / "show.ocio"
    path.write_text(config.serialize())
    return path


def test_another_colour_config(tsn, shot, tmp_path, show, monkeypatch) -> None:
    file, plan = shot(colour="{input: scene_linear}"), tmp_path / "plan.json"
    monkeypatch.setenv("OCIO", str(show))
    assert tsn("plan", file, "-o", plan).exit_code == 0
    assert json.loads(plan.read_text())["colour"] == space_fingerprint("scene_linear")
    monkeypatch.delenv("OCIO")
    for words in (("chunk", plan, 0, "--device", "cpu"), ("survey", plan, "--device", "cpu")):
        found = tsn(*words)
        assert found.exit_code == 3 and "another meaning of the plate's colour space" in found.stderr
        assert "$OCIO config" in found.stderr
    assert not (tmp_path / "styled").exists()
    monkeypatch.setenv("OCIO", str(show))
    assert tsn("chunk", plan, 0, "--device", "cpu").exit_code == 0


@pytest.mark.parametrize("library", ["torch", "opencolorio", "opencv-python-headless"])
def test_another_version_of_a_library(tsn, shot, tmp_path, library) -> None:
    plan = tmp_path / "plan.json"
    tsn("plan", shot(), "-o", plan)
    data = json.loads(plan.read_text())
    data["libraries"][library] = "0.1"
    plan.write_text(json.dumps(data))
    found = tsn("chunk", plan, 0, "--device", "cpu")
    assert found.exit_code == 3 and f"another {library} than the plan: expected 0.1, found " in found.stderr


def test_another_instruction_set(tsn, shot, tmp_path, monkeypatch) -> None:
    plan = tmp_path / "plan.json"
    tsn("plan", shot(), "-o", plan)
    assert tsn("survey", plan, "--device", "cpu").exit_code == 0
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    found = tsn("chunk", plan, 0, "--device", "cpu")
    assert found.exit_code == 3 and "chunks would differ in their last bits" in found.stderr
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    assert tsn("chunk", plan, 0, "--device", "cpu").exit_code == 0


def test_an_unpinned_render_notices_what_finished_frames_were_made_with(tsn, shot, monkeypatch) -> None:
    file = shot()
    assert tsn("render", file, "--device", "cpu").exit_code == 0
    assert "1003  skipped" in tsn("render", file, "--device", "cpu").output
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    assert "skipped" not in tsn("render", file, "--device", "cpu").output


def test_a_copy_with_other_dates_is_the_same_plate(tsn, shot, tmp_path) -> None:
    file, plan = shot(), tmp_path / "plan.json"
    tsn("plan", file, "-o", plan)
    for path in (tmp_path / "plate").iterdir():
        os.utime(path, (1, 1))
    assert tsn("chunk", plan, 0, "--device", "cpu").exit_code == 0
    path = tmp_path / "plate/sh.1002.exr"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    found = tsn("chunk", plan, 0, "--device", "cpu")
    assert found.exit_code == 3 and "changed after the plan was made: 1002 (another size, content" in found.stderr
