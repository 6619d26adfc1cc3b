"""train_style.py from end to end on noise, with a perceptual net of random weights."""

from __future__ import annotations

import csv
import errno
import math
import os
import signal
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

import train_style
from tsn.style import catalogue, loading
from tsn_training import losses, schedule

# --- schedules -----------------------------------------------------------------------------------------------------


def test_the_learning_rate_warms_up_then_falls_to_a_twentieth() -> None:
    rates = [schedule.learning_rate(step, 2000, 1e-3) for step in range(2000)]

    assert rates[0] == pytest.approx(1e-3 / 50)
    assert max(rates) == pytest.approx(1e-3, rel=0.01) and 45 <= rates.index(max(rates)) < 60
    assert rates[-1] == pytest.approx(5e-5, rel=0.01)
    assert all(earlier > later for earlier, later in pairwise(rates[60:]))


def test_the_style_weight_climbs_by_equal_factors_and_stays() -> None:
    climb = [schedule.style_weight(step, 1000, 0.5, 8.0) for step in range(1001)]

    assert climb[0] == 0.5
    assert climb[200] == pytest.approx(2.0)  # Half the way, in powers.
    assert climb[400:] == [8.0] * 601
    assert all(earlier < later for earlier, later in pairwise(climb[:401]))


# --- training ------------------------------------------------------------------------------------------------------


def weights_in(folder: Path) -> dict[str, torch.Tensor]:
    """By style and layer: "0.enter.conv.weight"."""
    return torch.load(folder / "checkpoint.pt")["net"]


def logged_steps(folder: Path) -> list[int]:
    with (folder / "log.csv").open(newline="") as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize(("family", "simplifies"), [("feedforward", True), ("mobile", False)])
def test_a_smoke_run_leaves_weights_that_tsn_loads(training: SimpleNamespace, family: str, simplifies: bool) -> None:
    training.write(family=family, simplifies=simplifies)
    result = training.run("--max-steps", "2")

    assert result.exit_code == 0, result.output
    info = catalogue.resolve_style(str(training.out / "noise.safetensors"))
    assert (info.name, info.family) == ("noise", family)
    assert (info.title, info.licence) == ("Noise, after nobody", "CC0-1.0")
    net = loading.load_style_net(info)
    assert (net.width, net.blocks, net.simplifies) == (2, 1, simplifies)
    assert torch.isfinite(net(torch.rand(1, 3, 16, 16))).all()
    with safe_open(info.path, framework="pt") as file:
        assert file.metadata()["steps"] == "2" and file.metadata()["trunk"] == "thin"
    assert info.path.stat().st_mode & 0o044 == 0o044 & ~umask()  # Others on a farm may read it.


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_whole_run_leaves_these_files(training: SimpleNamespace) -> None:
    result = training.run()

    assert result.exit_code == 0, result.output
    sheets = {"step_00002.png", "step_00004.png", "step_00006.png"}
    assert set(os.listdir(training.out)) == {"checkpoint.pt", "log.csv", "noise.safetensors", "tensorboard"} | sheets
    assert logged_steps(training.out) == [1, 2, 3, 4, 5, 6]
    with (training.out / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    logged = {name: [math.isfinite(float(row[name])) for row in rows] for name in train_style.LOGGED}
    assert logged["copy"] == [True] + 5 * [False]  # copy_steps: 1
    assert logged["style"] == [False] + 5 * [True]
    assert logged["temporal"] == 3 * [False] + 3 * [True]  # after half of the steps
    with Image.open(training.out / "step_00006.png") as sheet:
        assert sheet.width > 256 and sheet.height > 2 * 256  # What is held back, over what became of it.


# Kills itself as SIGKILL does it: the first life after the row of step 5, the second in the middle of a checkpoint.
KILL_AFTER_A_ROW = """\
def write_row(self, step, values, before=records.Log.write_row):
    before(self, step, values)
    if step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
records.Log.write_row = write_row
"""
KILL_IN_A_CHECKPOINT = """\
def write_bytes(self, data, before=Path.write_bytes):
    before(self, data[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
Path.write_bytes = write_bytes
"""


@pytest.mark.parametrize("judge", [None, {"weight": 1.0, "width": 2}], ids=["", "adversarial"])
def test_a_run_killed_twice_ends_in_the_same_weights(
    training: SimpleNamespace, tmp_path: Path, judge: dict[str, float] | None
) -> None:
    stages = [{"crop": 32, "steps": 6}, {"crop": 36, "steps": 3}]
    training.write(stages=stages, save_every=4, judge=judge, light_weight=6.0 if judge else 0)
    whole = tmp_path / "runs/whole"
    killings = (KILL_AFTER_A_ROW, KILL_IN_A_CHECKPOINT, "")
    lives = [life for (life,) in training.processes([[training.job(extra=extra)] for extra in killings])]
    uninterrupted = training.run(out=whole)

    assert [code for code, _ in lives] == [-signal.SIGKILL, -signal.SIGKILL, 0], lives
    assert all("going on from step 4" in output for _, output in lives[1:])
    assert uninterrupted.exit_code == 0
    ended, expected = weights_in(training.out), weights_in(whole)
    assert ended.keys() == expected.keys()
    assert all(torch.equal(ended[name], expected[name]) for name in expected)
    exported = load_file(whole / "noise.safetensors")
    assert all(
        torch.equal(value, exported[name]) for name, value in load_file(training.out / "noise.safetensors").items()
    )
    assert logged_steps(training.out) == logged_steps(whole) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_resume_never_starts_again(training: SimpleNamespace) -> None:
    training.run("--max-steps", "2")
    result = training.run("--max-steps", "2", "--resume", "never")

    assert result.exit_code == 0 and "going on" not in result.output
    assert logged_steps(training.out) == [1, 2]


@pytest.mark.parametrize("change", [{"name": "other"}, {"painting_box": [0, 0, 60, 60]}, {"seed": 6}], ids=str)
def test_another_subject_is_not_gone_on_from(training: SimpleNamespace, change: dict[str, object]) -> None:
    training.run("--max-steps", "2")
    training.write(**change)
    result = training.run()

    assert result.exit_code == 3, result.output
    assert "it learnt noise (painting.png, None, seed 5), not" in result.output
    assert "--resume never" in result.output
    assert logged_steps(training.out) == [1, 2]


def test_a_box_beyond_the_painting_is_told(training: SimpleNamespace) -> None:
    training.write(painting_box=[0, 0, 5000, 60])
    result = training.run()
    assert result.exit_code == 3
    assert "painting_box (0, 0, 5000, 60) reaches beyond" in result.output


def test_a_finished_training_ends_at_once_in_the_same_weights(training: SimpleNamespace) -> None:
    training.run()
    before = load_file(training.out / "noise.safetensors")
    result = training.run()

    assert result.exit_code == 0 and "going on from step 6" in result.output
    assert all(torch.equal(value, before[key]) for key, value in load_file(training.out / "noise.safetensors").items())


def test_fewer_steps_than_there_are_do_not_belie_the_weights(training: SimpleNamespace) -> None:
    training.run()
    training.run("--max-steps", "2")

    with safe_open(training.out / "noise.safetensors", framework="pt") as file:
        assert file.metadata()["steps"] == "6"


def test_parts_of_a_batch_train_like_the_whole(training: SimpleNamespace, tmp_path: Path) -> None:
    training.run()
    training.write(accumulate=4)
    training.run(out=tmp_path / "runs/parts")

    found = weights_in(tmp_path / "runs/parts")
    for name, value in weights_in(training.out).items():
        if not name.endswith((".b.shift", "across.shift")):  # see test_parallel.py
            torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4)


def test_loader_processes_bring_the_same_samples(training: SimpleNamespace, tmp_path: Path) -> None:
    training.run("--max-steps", "2")
    training.write(workers=1)
    training.run("--max-steps", "2", out=tmp_path / "runs/workers")

    again = weights_in(tmp_path / "runs/workers")
    assert all(torch.equal(value, again[name]) for name, value in weights_in(training.out).items())


def test_bfloat16_stays_finite(training: SimpleNamespace) -> None:
    training.write(precision="bf16", temporal={"weight": 20.0, "after": 0.0}, learning_rate=1e-3)
    result = training.run("--max-steps", "3")

    assert result.exit_code == 0, result.output
    found = weights_in(training.out)
    assert all(value.dtype == torch.float32 and torch.isfinite(value).all() for value in found.values())


def test_it_starts_from_other_weights_and_copies_a_teacher(training: SimpleNamespace, tmp_path: Path) -> None:
    training.run("--max-steps", "2")
    first = training.out / "noise.safetensors"
    training.write(teacher=str(first), learning_rate=1e-12)
    result = training.run("--start-from", str(first), "--max-steps", "1", out=tmp_path / "runs/second")

    assert result.exit_code == 0, result.output
    saved = load_file(tmp_path / "runs/second/noise.safetensors")
    assert all(torch.equal(value, saved[name]) for name, value in load_file(first).items())
    copy = float((tmp_path / "runs/second/log.csv").read_text().splitlines()[1].split(",")[1])
    assert copy < 1e-9  # it is its own teacher


def test_the_first_samples_may_lie_in_several_stages(training: SimpleNamespace) -> None:
    """The first four are of two sizes here."""
    training.write(batch=2, stages=[{"crop": 32, "steps": 1}, {"crop": 36, "steps": 1}])
    result = training.run()

    assert result.exit_code == 0, result.output


# --- what goes wrong -----------------------------------------------------------------------------------------------


def test_a_damaged_photo_is_named(training: SimpleNamespace) -> None:
    (training.photos / "3_broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    result = training.run()

    assert result.exit_code == 3
    assert f"{training.photos / '3_broken.png'}: not a readable picture" in result.output
    assert not (training.out / "noise.safetensors").exists()


def test_a_folder_without_photos_is_named(training: SimpleNamespace) -> None:
    for photo in training.photos.iterdir():
        photo.unlink()
    result = training.run()

    assert result.exit_code == 3
    assert f"{training.photos}: 0 pictures in it" in result.output


def test_too_few_photos_are_counted(training: SimpleNamespace) -> None:
    training.write(held_back=6)
    result = training.run()

    assert result.exit_code == 3
    assert "6 pictures in it" in result.output and "6 of them are to be held back" in result.output


def test_a_painting_that_is_not_there_is_named(training: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "painting.png").unlink()
    result = training.run()

    assert result.exit_code == 3 and "painting.png" in result.output


@pytest.mark.parametrize("kind", ["missing", "damaged", "another net"])
def test_weights_to_start_from_that_do_not_serve(training: SimpleNamespace, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "start.safetensors"
    if kind == "damaged":
        path.write_bytes(b"no weights")
    if kind == "another net":
        training.write(width=3)
        training.run("--max-steps", "1", out=tmp_path / "runs/other")
        (tmp_path / "runs/other/noise.safetensors").rename(path)
        training.write()
    result = training.run("--start-from", str(path))

    assert result.exit_code == 3, result.output
    assert str(path) in result.output


@pytest.mark.parametrize(
    "change",
    [{"width": 0}, {"learning_rate": "fast"}, {"stages": [{"crop": 30, "steps": 1}]}, {"colour": 1}, {"accumulate": 3}],
    ids=str,
)
def test_bad_values_are_usage_errors(training: SimpleNamespace, change: dict[str, Any]) -> None:
    """The last one: a batch of 4 in 3 parts."""
    training.write(**change)
    result = training.run()

    assert result.exit_code == 2
    assert next(iter(change)) in result.output or "4 samples cannot be shared out evenly" in result.output


def test_a_damaged_checkpoint_is_named_and_kept(training: SimpleNamespace) -> None:
    training.run("--max-steps", "2")
    file = training.out / "checkpoint.pt"
    half = file.read_bytes()[: file.stat().st_size // 2]
    file.write_bytes(half)
    result = training.run()

    assert result.exit_code == 3
    assert f"Cannot go on from {file}" in result.output and "--resume never" in result.output
    assert file.read_bytes() == half
    assert training.run("--resume", "never").exit_code == 0


@pytest.mark.parametrize("change", [{"width": 3}, {"family": "mobile"}], ids=str)
def test_the_checkpoint_of_another_net_is_refused(training: SimpleNamespace, change: dict[str, Any]) -> None:
    training.run("--max-steps", "2")
    before = (training.out / "checkpoint.pt").read_bytes()
    training.write(**change)
    result = training.run()

    assert result.exit_code == 3
    assert "Cannot go on from" in result.output
    assert (training.out / "checkpoint.pt").read_bytes() == before


def test_a_full_disk_leaves_the_last_checkpoint(training: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    training.run("--max-steps", "2")
    before = (training.out / "checkpoint.pt").read_bytes()
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        write(self, bytes(data)[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_bytes", full)
        result = training.run()

    assert result.exit_code == 5
    assert "the disk is full" in result.output
    assert (training.out / "checkpoint.pt").read_bytes() == before
    assert not [name for name in os.listdir(training.out) if name.startswith(".tsn")]
    assert training.run().exit_code == 0  # and goes on once there is room
    assert logged_steps(training.out) == [1, 2, 3, 4, 5, 6]


def test_an_output_folder_that_cannot_be_made(training: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = training.run(out=tmp_path / "file/run")

    assert result.exit_code == 5, result.output


def test_a_loss_that_is_no_number_stops_with_the_step_and_the_checkpoint(
    training: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    training.run("--max-steps", "2")
    before = (training.out / "checkpoint.pt").read_bytes()
    (training.out / "noise.safetensors").unlink()
    colour = losses.colour_loss
    calls: list[int] = []

    def from_the_second_on(painted: torch.Tensor, plate: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return colour(painted, plate) * (math.nan if len(calls) > 1 else 1)

    monkeypatch.setattr(losses, "colour_loss", from_the_second_on)
    result = training.run()

    assert result.exit_code == 1
    assert "The loss is no number at step 3" in result.output and "colour nan" in result.output
    assert f"The last checkpoint stays in {training.out}" in result.output
    assert (training.out / "checkpoint.pt").read_bytes() == before
    assert not (training.out / "noise.safetensors").exists()


def test_gradients_that_are_no_numbers_reach_no_checkpoint(
    training: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss may be finite and its gradient not: that of a root at zero."""
    training.run("--max-steps", "2")
    colour = losses.colour_loss
    monkeypatch.setattr(
        losses, "colour_loss", lambda painted, plate: colour(painted, plate) + (painted * 0).sum().square().sqrt()
    )
    result = training.run("--max-steps", "4")

    assert result.exit_code == 1, result.output
    assert all(torch.isfinite(value).all() for value in weights_in(training.out).values())
