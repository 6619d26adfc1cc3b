"""train_adain.py from end to end on noise, with a perceptual net of random weights."""

from __future__ import annotations

import csv
import math
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

import train_adain
from tsn.style.loading import load_style_prediction_net
from tsn.style.nets.johnson import JohnsonNet
from tsn.style.nets.style_prediction import StylePredictionNet
from tsn_training import losses
from tsn_training.config import load_config
from tsn_training.config_adain import AdainConfig


def weights_in(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoint.pt")["net"]


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


ADVERSARIAL = pytest.mark.parametrize("judge", [None, {"weight": 1.0, "width": 2}], ids=["", "adversarial"])


def test_a_whole_run_goes_through_both_stages_and_leaves_weights_that_tsn_loads(training: SimpleNamespace) -> None:
    result = training.run()

    assert result.exit_code == 0, result.output
    names = {"checkpoint.pt", "log.csv", "any.safetensors", "tensorboard", "step_00004.png", "step_00006.png"}
    assert set(os.listdir(training.out)) == names
    logged = {k: [math.isfinite(float(row[k])) for row in rows_of(training.out)] for k in train_adain.LOGGED}
    assert logged["seen3"] == [True, True, False, False, False, False]
    assert logged["copy"] == [False, False, True, False, False, False]
    assert logged["style"] == [False, False, False, True, True, True]
    assert logged["temporal"] == [False, False, False, False, False, True]
    path = training.out / "any.safetensors"
    net = load_style_prediction_net(path)
    assert (net.width, net.blocks, net.encoder_width, net.canvas.simplifies) == (2, 1, 3, True)
    assert torch.isfinite(net.transfer_net_for([torch.rand(3, 16, 16)], [1.0])(torch.rand(1, 3, 16, 16))).all()
    with safe_open(path, framework="pt") as file:
        facts = file.metadata()
        assert {tensor.dtype for k in file.keys() for tensor in [file.get_tensor(k)]} == {torch.float16}  # noqa: SIM118
    assert (facts["family"], facts["name"], facts["steps"], facts["trunk"]) == ("adain", "any", "6", "thin")
    with Image.open(training.out / "step_00006.png") as sheet:
        assert sheet.height > 2 * 256  # photos above, each after the one unseen painting below


def test_an_adversarial_run_goes_on_from_a_net_with_a_trained_encoder(
    training: SimpleNamespace, tmp_path: Path
) -> None:
    first = training.out / "any.safetensors"
    assert training.run().exit_code == 0
    start = tmp_path / "start.safetensors"
    first.rename(start)
    before, adversarial = load_style_prediction_net(start), {"judge": {"weight": 1.0, "width": 2}, "seeded": True}
    see = {"crop": 48, "steps": 0, "learning_rate": 1e-3}
    training.write(**adversarial, see=see, copy_steps=0)
    result = training.run("--start-from", str(start), out=tmp_path / "runs/adversarial")

    assert result.exit_code == 0, result.output
    net, state = (
        load_style_prediction_net(tmp_path / "runs/adversarial/any.safetensors"),
        torch.load(tmp_path / "runs/adversarial/checkpoint.pt"),
    )
    assert net.canvas.seeded and net.canvas.simplifies
    for name, value in net.state_dict().items():
        assert torch.equal(value, state["mean"][f"module.{name}"].half().float()), "the mean is kept"
        if name.startswith("encoder") or name == "usual":
            assert torch.equal(value, before.state_dict()[name]), "what it sees by stays"
    assert any(not torch.equal(state["mean"][f"module.{name}"], value) for name, value in state["net"].items())
    rows = rows_of(tmp_path / "runs/adversarial")
    assert len(rows) == 4 and all(math.isfinite(float(row[name])) for row in rows for name in ("appeal", "judge"))

    fresh = training.run(out=tmp_path / "runs/fresh")
    assert fresh.exit_code == 3 and "see.steps: 0 is for a net whose encoder is trained already" in fresh.output
    training.write(**adversarial, see=see, copy_steps=0, stages=[{"crop": 32, "steps": 5}])
    assert training.run(out=tmp_path / "runs/adversarial").exit_code == 0, "what goes on needs no start"
    training.write(**adversarial, see=see, copy_steps=0, width=3)
    other = training.run("--start-from", str(start), out=tmp_path / "runs/other")
    expected = "of another net than StylePredictionNet, width 3, 1 blocks, seen 3, seeded: True"
    assert other.exit_code == 3 and expected in other.output


@ADVERSARIAL
def test_a_run_that_was_killed_ends_in_the_same_weights(
    training: SimpleNamespace, tmp_path: Path, judge: dict[str, float] | None
) -> None:
    training.write(save_every=3, judge=judge)  # in the middle of a stage
    killed = """\
def write_row(self, step, values, before=records.Log.write_row):
    before(self, step, values)
    if step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
records.Log.write_row = write_row
"""
    (first,), (second,) = training.processes([[training.job(extra=killed)], [training.job()]])
    whole = training.run(out=tmp_path / "runs/whole")

    assert first[0] == -signal.SIGKILL, first
    assert second[0] == 0 and "going on from step 3" in second[1], second
    assert whole.exit_code == 0, whole.output
    if judge:
        for part in ("judge", "mean"):
            ended, expected = (
                torch.load(out / "checkpoint.pt")[part] for out in (training.out, tmp_path / "runs/whole")
            )
            net, whole_net = (state.get("net", state) for state in (ended, expected))
            assert all(torch.equal(net[name], whole_net[name]) for name in whole_net)
    ended, expected = weights_in(training.out), weights_in(tmp_path / "runs/whole")
    assert all(torch.equal(ended[name], expected[name]) for name in expected)
    assert [int(row["step"]) for row in rows_of(training.out)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
@ADVERSARIAL
def test_two_processes_train_what_one_does(
    training: SimpleNamespace,
    ranks: Callable[[int], list[dict[str, str]]],
    tmp_path: Path,
    judge: dict[str, float] | None,
) -> None:
    training.write(judge=judge)
    alone = training.run(out=tmp_path / "runs/alone")
    (ended,) = training.processes([[training.job(variables=each) for each in ranks(2)]])  # as torchrun starts them

    assert alone.exit_code == 0 and [code for code, _ in ended] == [0, 0], ended
    ours, theirs = weights_in(tmp_path / "runs/alone"), weights_in(training.out)
    fresh = StylePredictionNet(width=2, blocks=1, encoder_width=3).state_dict()
    for name in ours:
        torch.testing.assert_close(theirs[name], ours[name], rtol=1e-2, atol=1e-3)
        assert name == "canvas.palette" or not torch.equal(ours[name], fresh[name])


@ADVERSARIAL
def test_accumulated_parts_train_what_one_part_does(
    training: SimpleNamespace, tmp_path: Path, judge: dict[str, float] | None
) -> None:
    training.write(judge=judge)
    training.run(out=tmp_path / "runs/one")
    training.write(accumulate=2, judge=judge)
    training.run(out=tmp_path / "runs/two")

    one, two = weights_in(tmp_path / "runs/one"), weights_in(tmp_path / "runs/two")
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-2, atol=1e-3)


def test_it_begins_with_a_style_that_draws_already(training: SimpleNamespace, tmp_path: Path) -> None:
    for name, recolours in (("plain", "no"), ("recoloured", "yes")):
        net = JohnsonNet(width=2, blocks=1, recolours=recolours == "yes")
        facts = {"family": "feedforward", "width": "2", "blocks": "1", "recolours": recolours, "name": name}
        path = tmp_path / f"{name}.safetensors"
        save_file({k: v.contiguous() for k, v in net.state_dict().items()}, path, metadata=facts)
        canvas = train_adain.initial_net(load_config(training.file, AdainConfig), path).canvas
        for key, value in net.state_dict().items():
            ours = canvas.state_dict()[key]
            if key == "down.0.conv.weight" and recolours == "no":
                assert (ours[:, 2:] == 0).all()
                ours = ours[:, :2]
            assert key == "palette" or torch.equal(ours, value), key
    training.write(blocks=2)
    assert "of another net than StyleTransferNet, width 2, 2 blocks" in training.run("--start-from", str(path)).output
    assert "do not exist: none.safetensors" in training.run("--start-from", "none.safetensors").output


def test_a_painting_to_hold_back_that_is_not_there_is_named(training: SimpleNamespace) -> None:
    training.write(unseen=["2", "sunflowers"])
    result = training.run("--max-steps", "1")

    assert result.exit_code == 3
    assert "sunflowers" in result.output and "0.png, 1.png, 2.png, 3.png" in result.output


def test_a_damaged_painting_is_named_before_training(training: SimpleNamespace) -> None:
    torn = training.folder / "paintings/torn.png"
    torn.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    result = training.run()

    assert result.exit_code == 3 and f"{torn}: not a readable picture" in result.output
    assert not (training.out / "log.csv").exists()


def test_a_loss_that_is_no_number_stops_with_step_and_advice(
    training: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "content_loss", lambda painted, plate: painted.mean() * float("nan"))
    result = training.run()

    assert result.exit_code == 1
    assert "no number at step 3 (content nan" in result.output and "precision: fp32" in result.output
    assert not (training.out / "any.safetensors").exists()


def test_the_encoder_learns_from_the_smallest_crop(training: SimpleNamespace) -> None:
    training.write(see={"crop": 36, "steps": 2, "learning_rate": 1e-3})
    result = training.run("--max-steps", "2")
    assert result.exit_code == 0, result.output
    assert all(math.isfinite(float(row[f"seen{level}"])) for row in rows_of(training.out) for level in (1, 2, 3))


def test_more_components_than_the_perceptual_net_has_channels_are_named(training: SimpleNamespace) -> None:
    training.write(seen=9)
    result = training.run()
    assert result.exit_code == 2
    assert re.search(r"seen: expected at most [3-8], found 9: .*\n  Set seen to [36], or less", result.output)


def test_only_the_parameters_of_the_stage_learn() -> None:
    net = train_adain.TrainableNet(StylePredictionNet(width=2, blocks=1, encoder_width=3))
    for encoder in (True, False):
        net.begin_stage(encoder=encoder)
        learning = {name.split(".")[1]: p.requires_grad for name, p in net.named_parameters()}
        assert learning == {"encoder": encoder, "canvas": not encoder, "mind": not encoder}
