"""evaluate.py on a training of noise: each option does what its help describes."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

import evaluate


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(evaluate.main, list(map(str, words)))


@pytest.fixture
def trained(training: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A training that held three photos back, and its weights."""
    training.write(held_back=3)
    assert training.run("--max-steps", "3").exit_code == 0
    training.weights = training.out / "noise.safetensors"
    monkeypatch.setattr(evaluate, "CROP_PX", 48)
    return training


def test_some_photos_are_given_to_gatys_and_the_table_is_kept(trained: SimpleNamespace, tmp_path: Path) -> None:
    kept = tmp_path / "table.json"
    done = run(trained.file, "--weights", trained.weights, "--evaluations", "2", "--few", "2", "--json", kept)
    assert done.exit_code == 0, done.output
    table = json.loads(kept.read_text())
    assert list(table) == ["untrained (noise)", "noise", "noise, 2 photos", "Gatys, noise, the same 2"]
    assert f"| noise | {table['noise']['content']:.4f} |" in done.output
    assert table["noise"] != table["untrained (noise)"]


def test_gatys_is_left_out_and_the_curve_of_a_training_comes_first(trained: SimpleNamespace) -> None:
    done = run(*(trained.file, "--weights", trained.weights, "--evaluations", "0", "--log", trained.out / "log.csv"))
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "| steps | content | style | colour | temporal |"
    assert lines[2].startswith("| 2-2 | ") and lines[3].startswith("| 3-3 | "), "the first step only copied"
    assert not any("Gatys" in line for line in lines)


def test_options_that_cannot_be_are_named(trained: SimpleNamespace, tmp_path: Path) -> None:
    weights = (trained.file, "--weights", trained.weights, "--evaluations")
    assert "not in the range x>=0" in run(*weights, "-1").output
    assert "is a directory" in run(*weights, "0", "--log", tmp_path).output

    done = run(*weights, "0", "--json", tmp_path / "none/table.json")
    assert (done.exit_code, "the folder does not exist" in done.output) == (5, True)

    other = tmp_path / "flow.csv"
    other.write_text("step,loss,error\n1,0.5,0.5\n")
    done = run(*weights, "0", "--log", other)
    assert (done.exit_code, "found no column colour, content, style, temporal" in done.output) == (3, True)
