"""train_flow.py from end to end on pictures that the tests make."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from PIL import Image
from safetensors.torch import load_file, save_file

from tsn.errors import InputError
from tsn.flow.nets import occlusion, refine
from tsn.flow.nets.occlusion import OcclusionNet
from tsn.flow.nets.refine import RefinementNet
from tsn.flow.warp import visibility

TRAINING = Path(__file__).parents[2] / "training"
sys.path.insert(0, str(TRAINING))
try:
    import train_flow
    from tsn_training import flow_examples, photos
    from tsn_training.flow_examples import Examples, lost_share
    from tsn_training.flow_tasks import TASKS
    from tsn_training.parallel import Process
finally:
    sys.path.remove(str(TRAINING))

DRIVER = """\
import os, torch, train_flow
from tsn_training import flow_examples
flow_examples.HEIGHT, flow_examples.WIDTH, flow_examples.MAX_LOST_SHARE = 96, 128, 2.0
torch.set_num_threads(1)
{extra}
train_flow.main()
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name in "abc":
        coarse = Image.fromarray(rng.integers(0, 255, (20, 30, 3), np.uint8))
        coarse.resize((300, 200), Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def config(tmp_path: Path, pictures: Path) -> Callable[..., Path]:
    def write(**changes: object) -> Path:
        keys = {
            "net": "repair", "pictures": str(pictures), "examples": 4, "held_back": 2, "seed": 3, "width": 8,
            "batch": 2, "learning_rate": 1e-3, "steps": 6, "save_every": 2,
        }  # fmt: skip
        path = tmp_path / "flow.yaml"
        path.write_text(yaml.safe_dump(keys | changes))
        return path

    return write


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_examples, "HEIGHT", 96)
    monkeypatch.setattr(flow_examples, "WIDTH", 128)
    monkeypatch.setattr(flow_examples, "MAX_LOST_SHARE", 2.0)  # of so small scenes most are


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(train_flow.main, list(map(str, words)), catch_exceptions=False)


def process(path: Path, out: Path, extra: str = "pass", **variables: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DRIVER.format(extra=extra), str(path), "--out", str(out)]
    environment = {**os.environ, **variables, "PYTHONPATH": str(TRAINING)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def weights(out: Path, name: str = "repair") -> dict[str, torch.Tensor]:
    return load_file(out / f"{name}.safetensors")


def test_a_smoke_run_leaves_weights_that_load(config, tmp_path) -> None:
    done = run(config(steps=50), "--out", tmp_path / "run", "--max-steps", "2")
    assert done.exit_code == 0, done.output
    assert "held back" in done.output and str(tmp_path / "run/repair.safetensors") in done.output
    RefinementNet(8).load_state_dict(weights(tmp_path / "run"))
    (row,) = csv.DictReader((tmp_path / "run/log.csv").read_text().splitlines())
    assert row["step"] == "2" and float(row["error"]) == pytest.approx(float(row["before"]), rel=0.2)


def test_it_goes_on_from_weights_that_are_there(config, tmp_path) -> None:
    path = config(steps=1, learning_rate=1e-9)
    assert run(path, "--out", tmp_path / "first").exit_code == 0
    first = weights(tmp_path / "first")
    torch.manual_seed(0)
    start = tmp_path / "start.safetensors"
    save_file({key: torch.randn_like(value) * 0.01 for key, value in first.items()}, start)
    done = run(path, "--out", tmp_path / "second", "--start-from", start)
    assert done.exit_code == 0, done.output
    for key, value in load_file(start).items():
        torch.testing.assert_close(weights(tmp_path / "second")[key].float(), value.float(), rtol=1e-2, atol=1e-3)
        assert value.numel() < 2 or not torch.allclose(first[key].float(), value.float(), atol=1e-3)


def test_weights_to_start_from_of_another_net_are_named(config, tmp_path) -> None:
    assert run(config(width=10, steps=1), "--out", tmp_path / "other").exit_code == 0
    other = tmp_path / "other/repair.safetensors"
    done = run(config(), "--out", tmp_path / "run", "--start-from", other)
    assert done.exit_code == 3 and str(other) in done.output and "of width 8" in done.output
    assert run(config(), "--out", tmp_path / "run", "--start-from", tmp_path / "none").exit_code == 3


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_no_generator_takes_is_named(config, tmp_path, seed: int) -> None:
    done = run(config(seed=seed), "--out", tmp_path / "run")
    assert done.exit_code == 2
    assert "flow.yaml: seed: Input should be" in done.output


def test_the_net_that_predicts_occlusion_is_trained_alike(config, tmp_path) -> None:
    done = run(config(net="occlusion"), "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert "missed_before" in done.output and str(tmp_path / "run/occlusion.safetensors") in done.output
    OcclusionNet(8).load_state_dict(weights(tmp_path / "run", "occlusion"))
    rows = list(csv.DictReader((tmp_path / "run/log.csv").read_text().splitlines()))
    assert rows[-1]["step"] == "6" and 0 < float(rows[-1]["alarm_before"]) < 1


def test_killed_and_started_again_it_ends_as_if_nothing_had_been(config, tmp_path) -> None:
    path = config()
    assert run(path, "--out", tmp_path / "whole").exit_code == 0
    killing = (
        "from tsn_training import records; save = records.save_checkpoint; "
        "records.save_checkpoint = "
        "lambda out, step, parts: (save(out, step, parts), step == 4 and os.kill(os.getpid(), 9))"
    )
    broken = process(path, tmp_path / "broken", killing)
    broken.communicate()
    assert broken.returncode == -signal.SIGKILL
    again = run(path, "--out", tmp_path / "broken")
    assert again.exit_code == 0 and "going on from step 4" in again.output
    whole, broken_off = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert whole.keys() == broken_off.keys() and all(torch.equal(whole[key], broken_off[key]) for key in whole)


def test_two_processes_train_what_one_trains(config, tmp_path, ranks) -> None:
    path = config(steps=3)
    for name, world_size in (("one", 1), ("two", 2)):
        group = [process(path, tmp_path / name, **variables) for variables in ranks(world_size)]
        outputs = [member.communicate()[0] for member in group]
        assert [member.returncode for member in group] == [0] * world_size, outputs
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=1e-2, atol=2e-3)
    scenes = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one/scenes").rglob("*.npz"))
    for scene in scenes:
        mine, theirs = (np.load(tmp_path / name / scene) for name in ("one", "two"))
        assert all(np.array_equal(mine[key], theirs[key]) for key in mine.files), "whoever made it"


def test_examples_are_made_once(config, tmp_path, pictures, monkeypatch) -> None:
    assert list(flow_examples.make_missing(tmp_path, range(2), 3, pictures, whole=False)) == [0, 1]
    monkeypatch.setattr(flow_examples, "make_example", None)
    assert list(flow_examples.make_missing(tmp_path, range(2), 3, pictures, whole=False)) == [0, 1]


def test_mirrored_motion_is_the_motion_of_the_mirrored_picture(tmp_path, pictures) -> None:
    list(flow_examples.make_missing(tmp_path, range(1), 3, pictures, whole=False))
    stored = Examples(tmp_path, [0], 3)._stored(0)
    plain = flow_examples.to_float(stored)
    found = [flow_examples.augment(stored, photos.seeded_generator(seed)) for seed in range(24)]
    speeds = {tuple(x["true"].square().sum(1).sqrt().mean((1, 2)).mul(1e3).round().tolist()) for x in found}
    assert len(speeds) == 2  # forward and backward: mirroring changes no speed
    mirrored = next(x for x in found if torch.equal(x["seen"], plain["seen"].flip(-1)))
    assert torch.equal(mirrored["true"][:, 0], -plain["true"][:, 0].flip(-1))
    assert torch.equal(mirrored["true"][:, 1], plain["true"][:, 1].flip(-1))


def test_examples_with_too_much_lost_are_not_trained_on(tmp_path, pictures, monkeypatch) -> None:
    list(flow_examples.make_missing(tmp_path, range(3), 3, pictures, whole=False))
    known = Examples(tmp_path, range(3), 3)
    shares = [lost_share(known.plain(number)) for number in range(3)]
    monkeypatch.setattr(flow_examples, "MAX_LOST_SHARE", sorted(shares)[1] + 1e-6)
    kept = Examples(tmp_path, range(3), 3)
    assert kept.numbers == [number for number, share in enumerate(shares) if share < flow_examples.MAX_LOST_SHARE]
    assert len(kept.numbers) == 2
    x = kept.plain(kept.numbers[0])
    assert lost_share(x | {"found": x["true"]}) == 0 and lost_share(x | {"found": x["true"] + 1}) == 1
    monkeypatch.setattr(flow_examples, "MAX_LOST_SHARE", 0)
    with pytest.raises(InputError, match="none of 3 scenes"):
        Examples(tmp_path, range(3), 3)


def test_faults_are_named(config, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    empty = run(config(pictures=str(tmp_path / "empty")), "--out", tmp_path / "run")
    assert empty.exit_code == 3 and "0 pictures" in empty.output
    odd = run(config(width=9), "--out", tmp_path / "run")
    assert odd.exit_code == 2 and "width" in odd.output
    uneven = run(config(batch=3, accumulate=2), "--out", tmp_path / "run")
    assert uneven.exit_code == 2 and "batch: 3" in uneven.output


@pytest.fixture
def unseen(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Examples]:
    """Scenes that no training saw, of other pictures than the shipped nets know."""

    def some(count: int, *, whole: bool) -> Examples:
        monkeypatch.setattr(flow_examples, "HEIGHT", 192)
        monkeypatch.setattr(flow_examples, "WIDTH", 320)
        monkeypatch.setattr(flow_examples, "MAX_LOST_SHARE", 0.5)
        list(flow_examples.make_missing(tmp_path, range(count), 11, pictures, whole=whole))
        examples = Examples(tmp_path, range(count), 11)
        assert len(examples.numbers) > count // 4
        return examples

    return some


ALONE = Process(rank=0, world_size=1, device=torch.device("cpu"))


def test_the_bundled_net_repairs_scenes_that_no_training_saw(unseen) -> None:
    figures = train_flow.mean_figures(TASKS["repair"], refine.shipped_net(), unseen(30, whole=False), ALONE)
    assert figures["error"] < 0.95 * figures["before"]


@torch.inference_mode()
def test_at_as_many_alarms_the_bundled_net_misses_far_less_than_the_forward_backward_check(unseen) -> None:
    examples = unseen(30, whole=True)
    logits, seen, checked = [], [], []
    for number in examples.numbers:
        x = {name: value[None] for name, value in examples.plain(number).items()}
        logits.append(occlusion.shipped_net(ALONE.device)(x["pictures"], x["found"]).flatten())
        seen.append(x["seen"].flatten() > 0.5)
        forward, backward = x["found"][0]
        checked.append(torch.cat([visibility(forward, backward), visibility(backward, forward)]).flatten() > 0.5)
    logits, seen, checked = torch.cat(logits), torch.cat(seen), torch.cat(checked)
    alarms = (~checked[seen]).float().mean()
    believed = logits > logits[seen].sort().values[int(alarms * seen.sum())]
    assert abs((~believed[seen]).float().mean() - alarms) < 1e-3
    assert believed[~seen].float().mean() < 0.6 * checked[~seen].float().mean()
