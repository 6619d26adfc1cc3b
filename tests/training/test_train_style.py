"""train_style.py from end to end on noise, with a perceptual net of random weights."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from PIL import Image
from safetensors.torch import load_file

import train_style
from tsn.style import weights
from tsn_training import losses, perceptual

# --- schedules -----------------------------------------------------------------------------------------------------


def test_the_learning_rate_warms_up_then_falls_to_a_twentieth() -> None:
    rates = [train_style.learning_rate(step, 2000, 1e-3) for step in range(2000)]

    assert rates[0] == pytest.approx(1e-3 / 50)
    assert max(rates) == pytest.approx(1e-3, rel=0.01) and 45 <= rates.index(max(rates)) < 60
    assert rates[-1] == pytest.approx(5e-5, rel=0.01)
    assert all(earlier > later for earlier, later in pairwise(rates[60:]))


def test_the_style_weight_climbs_by_equal_factors_and_stays() -> None:
    climb = [train_style.style_weight(step, 1000, 0.5, 8.0) for step in range(1001)]

    assert climb[0] == 0.5
    assert climb[200] == pytest.approx(2.0)  # Half the way, in powers.
    assert climb[400:] == [8.0] * 601
    assert all(earlier < later for earlier, later in pairwise(climb[:401]))


# --- files ---------------------------------------------------------------------------------------------------------


def test_atomically_replaces(tmp_path: Path) -> None:
    target = tmp_path / "checkpoint.pt"
    target.write_text("old")

    train_style.atomically(lambda path: path.write_text("new"), target)

    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["checkpoint.pt"]


def test_atomically_leaves_the_old_file_when_writing_fails(tmp_path: Path) -> None:
    target = tmp_path / "checkpoint.pt"
    target.write_text("old")

    def full_disk(path: Path) -> None:
        path.write_text("half of i")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        train_style.atomically(full_disk, target)

    assert target.read_text() == "old"


# --- training ------------------------------------------------------------------------------------------------------


@functools.cache
def random_features() -> perceptual.Features:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return perceptual.Features(perceptual._empty_convs(), torch.full((3,), 0.5), torch.full((3,), 4.0))


@pytest.fixture
def training(tmp_path: Path, picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """training.run(*arguments, out=...): trains for four steps; `.photos` and `.out` are its folders."""
    monkeypatch.setattr(perceptual, "load", lambda cache: (random_features(), "random"))
    photos = tmp_path / "photos"
    for seed in range(2):
        picture(photos / f"{seed}.png", seed=seed)
    picture(tmp_path / "painting.png", width=50, height=40, seed=9)
    config = {
        "name": "noise",
        "title": "Noise, after nobody",
        "licence": "CC0-1.0",
        "painting": str(tmp_path / "painting.png"),
        "painting_height": 32,
        "photos": str(photos),
        "width": 4,
        "blocks": 1,
        "seed": 5,
        "batch": 2,
        "learning_rate": 3e-3,
        "copy_steps": 1,
        "style_weight": [0.5, 4.0],
        "style_layers": {"1_1": 0.5, "2_1": 1.0},
        "tone_weight": 6.0,
        "smooth_weight": 6.0,
        "stages": [{"crop": 16, "steps": 3}, {"crop": 24, "steps": 1}],
        "save_every": 2,
    }
    (tmp_path / "noise.yaml").write_text(yaml.safe_dump(config))

    def run(*arguments: str, out: Path = tmp_path / "runs/noise") -> Result:
        command = [str(tmp_path / "noise.yaml"), "--out", str(out), *arguments]
        return CliRunner().invoke(train_style.main, command)

    return SimpleNamespace(run=run, photos=photos, out=tmp_path / "runs/noise")


def test_a_smoke_run_leaves_weights_that_tsn_loads(training: SimpleNamespace) -> None:
    result = training.run("--max-steps", "2")

    assert result.exit_code == 0, result.output
    info = weights.resolve(str(training.out / "noise.safetensors"))
    assert (info.name, info.family) == ("noise", "feedforward")
    assert (info.title, info.licence) == ("Noise, after nobody", "CC0-1.0")
    net = weights.load(info)
    assert (net.width, net.blocks) == (4, 1)
    assert torch.isfinite(net(torch.rand(1, 3, 16, 16))).all()
    assert info.path.stat().st_mode & 0o044 == 0o044 & ~umask()  # Others on a farm may read it.


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_an_interrupted_training_resumes_and_ends_in_the_same_weights(
    training: SimpleNamespace, tmp_path: Path
) -> None:
    training.run("--max-steps", "2")
    early = load_file(training.out / "noise.safetensors")
    resumed = training.run()
    whole = tmp_path / "runs/whole"
    training.run(out=whole)

    assert "resumed at step 2" in resumed.output
    final, at_once = (load_file(folder / "noise.safetensors") for folder in (training.out, whole))
    assert all(torch.equal(final[name], at_once[name]) for name in final)
    assert any(not torch.equal(final[name], early[name]) for name in final)
    expected = {"checkpoint.pt", "noise.safetensors", "step_00002.png", "step_00004.png"}
    assert set(os.listdir(training.out)) - {"log.csv"} == expected  # Nothing temporary.
    with Image.open(training.out / "step_00004.png") as sheet:
        assert sheet.width > 4 * 256 and sheet.height > 2 * 256  # Four photos over four paintings.


def test_a_damaged_photo_is_named(training: SimpleNamespace) -> None:
    (training.photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")

    result = training.run("--max-steps", "2")

    assert result.exit_code != 0
    assert f"{training.photos / 'broken.png'}: not a readable picture" in f"{result.output}{result.exception}"
    assert not (training.out / "noise.safetensors").exists()


def test_a_folder_without_photos_is_named(training: SimpleNamespace) -> None:
    for photo in training.photos.iterdir():
        photo.unlink()

    result = training.run("--max-steps", "2")

    assert result.exit_code != 0
    assert f"{training.photos}: no pictures in it" in f"{result.output}{result.exception}"


def test_a_loss_that_is_no_number_stops_with_the_step_and_the_checkpoint(
    training: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "tone_loss", lambda painted, plate: painted.sum() * float("nan"))

    result = training.run()

    assert result.exit_code == 1
    assert f"not a number at step 1; the last checkpoint is {training.out / 'checkpoint.pt'}" in result.output
    assert not (training.out / "noise.safetensors").exists()
