"""train_adain.py from end to end on noise, with a perceptual net of random weights."""

from __future__ import annotations

import csv
import functools
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from tsn.errors import InputError, UsageError
from tsn.style import palette
from tsn.style.adain_net import AdainNet, net_from
from tsn.style.feedforward import StyleNet

TRAINING = str(Path(__file__).parents[2] / "training")
sys.path.insert(0, TRAINING)
try:
    import train_adain
    from tsn_training import any_painting, losses, objective, perceptual, photos, seeing
    from tsn_training.config import Judge, Stage, load_config
    from tsn_training.config_adain import AdainConfig
finally:
    sys.path.remove(TRAINING)

FEW_COLOURS, STYLES = 100, 24

DRIVER = """\
import importlib.util, os, signal, sys, torch
spec = importlib.util.spec_from_file_location("helper", {file!r})
helper = importlib.util.module_from_spec(spec)
spec.loader.exec_module(helper)
from tsn_training import any_painting, perceptual, records
import train_adain
torch.set_num_threads(1)
perceptual.load = lambda cache: (helper.thin_features(), "thin")
train_adain.LOG_EVERY = 1
any_painting.STYLES = helper.STYLES
helper.palette.SAMPLES = helper.FEW_COLOURS
{extra}
train_adain.main()
"""


@functools.cache
def thin_features() -> perceptual.Features:
    """The perceptual net with random weights and a few channels a layer, more than a net of width 3 has."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        convs, cin = {}, 3
        for block, count, _ in perceptual._BLOCKS:
            for i in range(1, count + 1):
                convs[f"{block}_{i}"] = torch.nn.Conv2d(cin, cin := 8 * block, 3, padding=1)
        return perceptual.Features(convs, torch.full((3,), 0.5), torch.full((3,), 4.0))


def facts(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "name": "any",
        "title": "Any painting",
        "licence": "MIT",
        "width": 2,
        "blocks": 1,
        "seen": 3,
        "simplifies": True,
        "photos": str(folder / "photos"),
        "held_back": 1,
        "paintings": str(folder / "paintings"),
        "unseen": ["2"],
        "seed": 5,
        "batch": 4,
        "see": {"crop": 48, "steps": 2, "learning_rate": 1e-3},
        "learning_rate": 1e-2,
        "copy_steps": 1,
        "style_weight": [0.5, 4.0],
        "style_layers": {1: {"1_1": 0.5, "2_1": 1.0, "4_1": 1.0}, 2: {"1_1": 0.5, "2_1": 1.0, "4_1": 1.0}},
        "colour_weight": 6.0,
        "smooth_weight": 1.0,
        "temporal": {"weight": 20.0, "after": 0.7},
        "stages": [{"crop": 48, "steps": 4}],
        "save_every": 2,
    } | changes


@pytest.fixture
def training(tmp_path: Path, picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """write(**changes): the YAML file; run(*arguments, out=...): in this process; start(...): in one of its own."""
    monkeypatch.setattr(perceptual, "load", lambda cache: (thin_features(), "thin"))
    monkeypatch.setattr(train_adain, "LOG_EVERY", 1)
    monkeypatch.setattr(any_painting, "STYLES", STYLES)
    monkeypatch.setattr(palette, "SAMPLES", FEW_COLOURS)
    for seed in range(4):
        picture(tmp_path / "photos" / f"{seed}.png", seed=seed)
        picture(tmp_path / "paintings" / f"{seed}.png", width=80, height=64, seed=10 + seed)
    file, home = tmp_path / "any.yaml", tmp_path / "runs/any"

    def write(**changes: Any) -> None:
        file.write_text(yaml.safe_dump(facts(tmp_path, **changes)))

    def run(*arguments: str, out: Path = home) -> Result:
        return CliRunner().invoke(train_adain.main, [str(file), "--out", str(out), *arguments])

    def start(*arguments: str, out: Path = home, extra: str = "", before: tuple[str, ...] = ()) -> tuple[int, str]:
        driver = tmp_path / f"{out.name}.py"
        driver.write_text(DRIVER.format(file=__file__, extra=extra))
        done = subprocess.run(
            [sys.executable, *before, str(driver), str(file), "--out", str(out), *arguments],
            env=os.environ | {"PYTHONPATH": TRAINING, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout

    write()
    return SimpleNamespace(write=write, run=run, start=start, folder=tmp_path, out=home, file=file)


def weights_in(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoint.pt")["net"]


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


JUDGED = pytest.mark.parametrize("judge", [None, {"weight": 1.0, "width": 2}], ids=["", "judged"])


# --- from end to end -----------------------------------------------------------------------------------------------


def test_a_whole_run_goes_through_both_lessons_and_leaves_weights_that_tsn_loads(training: SimpleNamespace) -> None:
    result = training.run()

    assert result.exit_code == 0, result.output
    names = {"checkpoint.pt", "log.csv", "any.safetensors", "tensorboard", "step_00004.png", "step_00006.png"}
    assert set(os.listdir(training.out)) == names
    spoken = {k: [math.isfinite(float(row[k])) for row in rows_of(training.out)] for k in train_adain.LOGGED}
    assert spoken["seen3"] == [True, True, False, False, False, False]
    assert spoken["copy"] == [False, False, True, False, False, False]
    assert spoken["style"] == [False, False, False, True, True, True]
    assert spoken["temporal"] == [False, False, False, False, False, True]
    path = training.out / "any.safetensors"
    net = net_from(path)
    assert (net.width, net.blocks, net.seen, net.canvas.simplifies) == (2, 1, 3, True)
    assert torch.isfinite(net.canvas_for([torch.rand(3, 16, 16)], [1.0])(torch.rand(1, 3, 16, 16))).all()
    with safe_open(path, framework="pt") as file:
        told = file.metadata()
        assert {tensor.dtype for k in file.keys() for tensor in [file.get_tensor(k)]} == {torch.float16}  # noqa: SIM118
    assert (told["family"], told["name"], told["steps"], told["trunk"]) == ("adain", "any", "6", "thin")
    with Image.open(training.out / "step_00006.png") as sheet:
        assert sheet.height > 2 * 256  # photos above, each after the one unseen painting below


def test_a_judged_run_goes_on_from_a_net_that_can_see(training: SimpleNamespace, tmp_path: Path) -> None:
    first = training.out / "any.safetensors"
    assert training.run().exit_code == 0
    start = tmp_path / "start.safetensors"
    first.rename(start)
    before, judged = net_from(start), {"judge": {"weight": 1.0, "width": 2}, "seeded": True}
    see = {"crop": 48, "steps": 0, "learning_rate": 1e-3}
    training.write(**judged, see=see, copy_steps=0)
    result = training.run("--start-from", str(start), out=tmp_path / "runs/judged")

    assert result.exit_code == 0, result.output
    net, state = net_from(tmp_path / "runs/judged/any.safetensors"), torch.load(tmp_path / "runs/judged/checkpoint.pt")
    assert net.canvas.seeded and net.canvas.simplifies
    for name, value in net.state_dict().items():
        assert torch.equal(value, state["mean"][f"module.{name}"].half().float()), "the mean is kept"
        if name.startswith("encoder") or name == "usual":
            assert torch.equal(value, before.state_dict()[name]), "what it sees by stays"
    assert any(not torch.equal(state["mean"][f"module.{name}"], value) for name, value in state["net"].items())
    rows = rows_of(tmp_path / "runs/judged")
    assert len(rows) == 4 and all(math.isfinite(float(row[name])) for row in rows for name in ("appeal", "judge"))

    fresh = training.run(out=tmp_path / "runs/fresh")
    assert fresh.exit_code == 3 and "see.steps: 0 is for a net that can see already" in fresh.output
    training.write(**judged, see=see, copy_steps=0, stages=[{"crop": 32, "steps": 5}])
    assert training.run(out=tmp_path / "runs/judged").exit_code == 0, "what goes on needs no start"
    training.write(**judged, see=see, copy_steps=0, width=3)
    other = training.run("--start-from", str(start), out=tmp_path / "runs/other")
    assert (
        other.exit_code == 3 and "of another net than AdainNet, width 3, 1 blocks, seen 3, seeded: True" in other.output
    )


@JUDGED
def test_a_run_that_was_killed_ends_in_the_same_weights(
    training: SimpleNamespace, tmp_path: Path, judge: dict[str, float] | None
) -> None:
    training.write(save_every=3, judge=judge)  # in the middle of a lesson
    killed = """\
def numbers(self, step, values, before=records.Log.numbers):
    before(self, step, values)
    if step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
records.Log.numbers = numbers
"""
    first, second = training.start(extra=killed), training.start()
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
@JUDGED
def test_two_processes_train_what_one_does(
    training: SimpleNamespace, tmp_path: Path, judge: dict[str, float] | None
) -> None:
    training.write(judge=judge)
    alone = training.run(out=tmp_path / "runs/alone")
    code, output = training.start(before=("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"))

    assert alone.exit_code == 0 and code == 0, output
    ours, theirs = weights_in(tmp_path / "runs/alone"), weights_in(training.out)
    fresh = AdainNet(width=2, blocks=1, seen=3).state_dict()
    for name in ours:
        torch.testing.assert_close(theirs[name], ours[name], rtol=1e-2, atol=1e-3)
        assert name == "canvas.palette" or not torch.equal(ours[name], fresh[name])


@JUDGED
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
    for name, recolours in (("plain", "no"), ("shown", "yes")):
        net = StyleNet(width=2, blocks=1, recolours=recolours == "yes")
        told = {"family": "feedforward", "width": "2", "blocks": "1", "recolours": recolours, "name": name}
        path = tmp_path / f"{name}.safetensors"
        save_file({k: v.contiguous() for k, v in net.state_dict().items()}, path, metadata=told)
        begun = train_adain.begun(load_config(training.file, AdainConfig), path).canvas
        for key, value in net.state_dict().items():
            ours = begun.state_dict()[key]
            if key == "down.0.conv.weight" and recolours == "no":
                assert (ours[:, 2:] == 0).all()
                ours = ours[:, :2]
            assert key == "palette" or torch.equal(ours, value), key
    training.write(blocks=2)
    assert "of another net than Canvas, width 2, 2 blocks" in training.run("--start-from", str(path)).output
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


# --- parts ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def looked_at(training: SimpleNamespace) -> tuple[list[Path], list[Path], AdainConfig]:
    config = load_config(training.file, AdainConfig)
    taken, paintings, _ = train_adain.divided(config)
    return taken, paintings, config


def test_unseen_paintings_and_photos_held_back_are_never_trained_on(training: SimpleNamespace) -> None:
    taken, paintings, unseen = train_adain.divided(load_config(training.file, AdainConfig))
    assert [path.name for path in unseen] == ["2.png"]
    assert [path.name for path in paintings] == ["0.png", "1.png", "3.png"]
    assert len(taken) == 3


def test_a_crop_is_a_pure_function_of_its_number(looked_at) -> None:
    crops, again = seeing.Crops(*looked_at), seeing.Crops(*looked_at)
    for number in (3, 17, 0):
        assert torch.equal(crops[number], again[number])
    assert not torch.equal(crops[0], crops[1])


def test_a_style_is_a_pure_function_of_its_number_and_three_of_four_are_paintings(
    looked_at, monkeypatch: pytest.MonkeyPatch
) -> None:
    styles, again = any_painting.Styles(*looked_at), any_painting.Styles(*looked_at)
    opened: list[Path] = []
    load = photos.load_image
    monkeypatch.setattr(photos, "load_image", lambda path: opened.append(path) or load(path))
    for number in range(16):
        assert styles.picture(number).shape == (1, 3, styles.SIZE, styles.SIZE)
    assert sum(path.parent.name == "paintings" for path in opened) == 12
    assert torch.equal(styles.picture(7), again.picture(7))
    assert [styles.at(step) for step in range(9)] == [again.at(step) for step in range(9)]
    assert len({styles.at(step) for step in range(40)}) > 12


def test_a_judge_sees_the_painting_that_is_painted_after_and_no_photo(
    looked_at, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, paintings, config = looked_at
    judged = config.model_copy(update={"judge": Judge(weight=1.0), "batch": 2})
    styles = any_painting.Styles(taken, paintings, judged)
    kinds = [styles.at(step) % 4 for step in range(600)]
    assert kinds.count(0) == 0 and all(160 < kinds.count(kind) < 240 for kind in (1, 2, 3))
    assert len({styles.at(step) for step in range(600)}) == STYLES * 3 // 4
    assert all(styles._path(styles.strange(step)) != styles._path(styles.at(step)) for step in range(200))
    asked: list[int] = []
    picture = styles.picture
    monkeypatch.setattr(styles, "picture", lambda number: asked.append(number) or picture(number))
    crops = [styles.crop(number, 40) for number in (6, 7, 6, 300)]
    assert asked == [styles.at(3), styles.at(3), styles.at(3), styles.at(150)]
    assert torch.equal(crops[0], crops[2]) and not torch.equal(crops[0], crops[1])
    assert all(crop.shape == (3, 40, 40) and crop.min() >= 0 and crop.max() <= 1 for crop in crops)
    with pytest.raises(UsageError, match="with a judge, crops have 244 px at most, found 248"):
        any_painting.Styles(taken, paintings, judged.model_copy(update={"stages": (Stage(crop=248, steps=1),)}))


def test_components_are_orthogonal_axes_of_most_variance(looked_at) -> None:
    features, crops = thin_features(), seeing.Crops(*looked_at)
    pictures = torch.stack([crops[number] for number in range(8)])
    components = seeing.Components(features, 3)
    components.find(features, pictures)
    maps = components(features(pictures))
    for level, count in ((1, 3), (2, 6), (3, 12)):
        inner = seeing._inner(maps[level], level)
        flat = inner.transpose(0, 1).flatten(1)
        spread = torch.cov(flat)
        assert spread.shape == (count, count)
        variances = spread.diagonal()
        assert variances.mean().item() == pytest.approx(1, rel=0.01)
        assert (variances[:-1] >= variances[1:] - 1e-4).all()
        assert (spread - torch.diag(variances)).abs().max() < 0.01


def test_painted_in_training_is_painted_as_in_a_shot(looked_at) -> None:
    from tsn.style.adain import AdainPainter
    from tsn.style.paintings import Painting

    torch.manual_seed(0)
    net = AdainNet(width=2, blocks=1, seen=3).eval()
    for value in net.mind.parameters():
        value.data.normal_(0, 0.06)
    taken, _, config = looked_at
    net.plates.copy_(objective.plate_colours(taken, config.seed))
    painting = torch.rand(3, 440, 440)
    plates = torch.stack([seeing.Crops(*looked_at)[number] for number in (1, 2)])
    with torch.no_grad():
        target = objective.target_of(painting[None], config, thin_features(), net.plates)
        batch = train_adain.Pupil(net)(plates, code=net.encoder.code(painting[None]), palette=target.colours)
    painter = AdainPainter(net, [Painting(name="p", image=painting, sha256="")], weights="")
    for found, picture in zip(batch, plates, strict=True):
        torch.testing.assert_close(found, painter.paint(picture, 1), rtol=1e-3, atol=1e-3)


def test_only_the_parameters_of_the_lesson_learn() -> None:
    pupil = train_adain.Pupil(AdainNet(width=2, blocks=1, seen=3))
    for seeing in (True, False):
        pupil.begin(seeing=seeing)
        learning = {name.split(".")[1]: p.requires_grad for name, p in pupil.named_parameters()}
        assert learning == {"encoder": seeing, "canvas": not seeing, "mind": not seeing}


def test_a_config_that_cannot_be_is_told_with_every_fault(training: SimpleNamespace) -> None:
    training.write(seen=4, batches=2, see={"crop": 50, "steps": 2, "learning_rate": 1e-3})
    with pytest.raises(UsageError, match=r"seen: .*see\.crop: |see\.crop: .*seen: ") as caught:
        load_config(training.file, AdainConfig)
    assert "batches" in str(caught.value)
    training.file.write_text("name: [")
    with pytest.raises(UsageError, match="is no YAML"):
        load_config(training.file, AdainConfig)
    with pytest.raises(InputError, match="Cannot read"):
        load_config(training.file.with_name("none.yaml"), AdainConfig)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"see": {"crop": 32, "steps": 2, "learning_rate": 1e-3}}, "see.crop: .* greater than or equal to 36"),
        ({"seen": 66}, "seen: .* less than or equal to 63"),
        ({"seed": -1}, "seed: .* greater than or equal to 0"),
        ({"seed": 2**63}, f"seed: .* less than {2**63}"),
    ],
)
def test_what_would_end_in_a_traceback_is_named(
    training: SimpleNamespace, change: dict[str, Any], message: str
) -> None:
    training.write(**change)
    with pytest.raises(UsageError, match=rf"any\.yaml: {message}"):
        load_config(training.file, AdainConfig)


def test_the_smallest_crop_to_see_is_learnt_from(training: SimpleNamespace) -> None:
    training.write(see={"crop": 36, "steps": 2, "learning_rate": 1e-3})
    result = training.run("--max-steps", "2")
    assert result.exit_code == 0, result.output
    assert all(math.isfinite(float(row[f"seen{level}"])) for row in rows_of(training.out) for level in (1, 2, 3))


def test_more_to_see_than_the_perceptual_net_shows_is_named(training: SimpleNamespace) -> None:
    training.write(seen=9)
    result = training.run()
    assert result.exit_code == 2
    assert re.search(r"seen: expected at most [3-8], found 9: .*\n  Set seen to [36], or less", result.output)


def test_the_recipe_that_is_shipped_can_be_read() -> None:
    config = load_config(Path(TRAINING) / "configs/adain.yaml", AdainConfig)
    assert config.name == "adain" and len(config.unseen) >= 3
