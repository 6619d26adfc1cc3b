"""A plan, and the chunks of it that a farm asks for one by one."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from tsn.rendering import plan as plans
from tsn.rendering import plan_file


def test_plan_to_a_file_and_to_stdout(tsn, shot, tmp_path):
    file, saved = shot(frames=range(1001, 1008)), tmp_path / "plan.json"
    result = tsn("plan", file, "-o", saved, "--chunk-size", 3)
    assert result.stdout == f"{saved}: 7 frames in 3 chunks, 0 to 2\n"
    data = json.loads(tsn("plan", file, "-o", "-", "--chunk-size", 3).stdout)
    assert data == json.loads(saved.read_text())
    assert [chunk["range"] for chunk in data["chunks"]] == ["1001-1003", "1004-1006", "1007"]
    nowhere = tsn("plan", file, "-o", tmp_path / "no" / "plan.json")
    assert nowhere.exit_code == 5 and nowhere.stderr.endswith("does not exist\n  Create it, or correct -o.\n")


def test_a_plan_of_some_frames(tsn, shot):
    data = json.loads(tsn("plan", shot(frames=range(1001, 1008)), "-o", "-", "-F", "1003-1004").stdout)
    assert [(c["frames"], c["reads"]) for c in data["chunks"]] == [([1003, 1004], [1002, 1003, 1004, 1005])]


@pytest.fixture
def planned(tsn, shot, tmp_path):
    tsn("plan", shot(frames=range(1001, 1021)), "-o", tmp_path / "plan.json", "--chunk-size", 5)
    return tmp_path / "plan.json"


def test_chunk_asks_for_its_chunk_only(tsn, planned, render_calls):
    assert tsn("chunk", planned, 3, "--force", "--device", "cpu", "--json").exit_code == 0
    (plan, options), *_ = render_calls
    assert plan == plan_file.load(planned)
    assert options == {"chunks": [3], "device": "cpu", "force": True, "display": "json"}


@pytest.mark.parametrize("index", ["4", "-- -1", "one"])
def test_a_chunk_that_isnt_there(tsn, planned, render_calls, index):
    result = tsn("chunk", planned, *index.split())
    assert result.exit_code == 2 and not render_calls


def test_a_frame_rendered_again_stops_the_chunks_that_depend_on_it(tsn, planned, render_calls, plate, tmp_path):
    time.sleep(0.01)
    plate(tmp_path / "plate" / "sh.1006.exr", 7)
    for index in (0, 1):  # 1006 is a handle of chunk 0
        result = tsn("chunk", planned, index)
        assert result.exit_code == 3 and "changed after the plan was made: 1006 " in result.stderr
        assert "tsn plan" in result.stderr
    assert not render_calls
    assert tsn("chunk", planned, 3).exit_code == 0


def test_a_survey_frame_rendered_again_stops_every_chunk(tsn, planned, render_calls, plate, tmp_path):
    survey = plans.calibration_frames(plan_file.load(planned).plate.present)
    assert survey[-1] == 1019
    plate(tmp_path / "plate" / "sh.1019.exr", 7)
    assert tsn("chunk", planned, 0).exit_code == 3
    assert not render_calls


def test_a_frame_that_went_away(tsn, planned, render_calls, tmp_path):
    (tmp_path / "plate" / "sh.1020.exr").unlink()
    result = tsn("chunk", planned, 3)
    assert result.exit_code == 3 and "1020" in result.stderr and not render_calls


def test_frames_that_came_after_the_plan_change_nothing(tsn, planned, render_calls, plate, tmp_path):
    plate(tmp_path / "plate" / "sh.1021.exr")
    assert tsn("chunk", planned, 3).exit_code == 0


def test_a_plan_of_another_version(tsn, planned, render_calls):
    plan_file.save(replace(plan_file.load(planned), tsn="0.0.9"), planned)
    result = tsn("chunk", planned, 0)
    assert result.exit_code == 3 and "0.0.9" in result.stderr and not render_calls


def test_no_plan(tsn, tmp_path):
    (tmp_path / "plan.json").write_text("{}")
    assert tsn("chunk", tmp_path / "plan.json", 0).exit_code == 3
    assert tsn("chunk", tmp_path / "none.json", 0).exit_code == 3
