"""The training scripts, which are not installed, and something for them to train on.

Also run as a plain module by the subprocesses of the tests, which use the same thin perceptual net.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from PIL import Image

from tsn.style.nets import palette
from tsn.style.nets.vgg import VGGFeatures

# Imported here once, so that the tests find them without the folder staying on the path of all other tests.
HERE, TRAINING = str(Path(__file__).parent), str(Path(__file__).parents[2] / "training")
sys.path[:0] = [HERE, TRAINING]
try:
    from forked import ForkedCommand
    from thin_training import FEW_COLOURS, thin_features

    import evaluate  # noqa: F401
    import gallery  # noqa: F401
    import gather_images  # noqa: F401
    import train_adain  # noqa: F401
    import train_style
    from tsn_training import config, losses, motion, parallel, perceptual, photos, rcc, records, schedule  # noqa: F401
finally:
    sys.path.remove(TRAINING)
    sys.path.remove(HERE)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def write_picture(path: Path, width: int = 64, height: int = 48, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def picture() -> Callable[..., Path]:
    """picture(path, width=64, height=48, seed=0): a file of noise, in the format of its ending."""
    return write_picture


@pytest.fixture
def ranks() -> Callable[[int], list[dict[str, str]]]:
    """ranks(world_size): the environment that torchrun gives each process, with a port that is free."""

    def variables(world_size: int) -> list[dict[str, str]]:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = str(one.getsockname()[1])
        joined = {"WORLD_SIZE": str(world_size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        return [joined | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(world_size)]

    return variables


def facts(folder: Path, **changes: Any) -> dict[str, Any]:
    """A training's YAML file as it is read: six steps on noise in `folder`."""
    return {
        "name": "noise",
        "title": "Noise, after nobody",
        "licence": "CC0-1.0",
        "painting": str(folder / "painting.png"),
        "painting_height": 64,
        "photos": str(folder / "photos"),
        "held_back": 1,
        "width": 2,
        "blocks": 1,
        "seed": 5,
        "batch": 4,
        "learning_rate": 5e-2,
        "copy_steps": 1,
        "style_weight": [0.5, 4.0],
        "style_layers": {1: {"1_1": 0.5, "2_1": 1.0, "4_1": 1.0}, 2: {"1_1": 0.5, "2_1": 1.0, "4_1": 1.0}},
        "colour_weight": 6.0,
        "smooth_weight": 6.0,
        "temporal": {"weight": 20.0, "after": 0.5},
        "stages": [{"crop": 32, "steps": 4}, {"crop": 36, "steps": 2}],
        "save_every": 2,
    } | changes


@pytest.fixture
def thin() -> VGGFeatures:
    return thin_features(4)


@pytest.fixture
def settings_of(tmp_path: Path) -> Callable[..., config.StyleConfig]:
    """settings_of(**changes): a checked config of a training in `tmp_path`; no files are made."""
    return lambda **changes: config.StyleConfig.model_validate(facts(tmp_path, **changes))


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A folder with photos and a painting, and ways to train there.

    write(path=..., **changes): a YAML file; run(*arguments, out=...): in this process; job(...) and processes(groups):
    in processes of their own, (exit code, output) of each; torchrun(job, count): the finished process.
    """
    monkeypatch.setattr(perceptual, "load", lambda: (thin_features(4), "thin"))
    monkeypatch.setattr(train_style, "LOG_EVERY", 1)
    monkeypatch.setattr(palette, "COLOUR_SAMPLES", FEW_COLOURS)
    for seed in range(6):
        write_picture(tmp_path / "photos" / f"{seed}.png", seed=seed)
    write_picture(tmp_path / "painting.png", width=80, height=64, seed=9)
    file = tmp_path / "noise.yaml"
    home = tmp_path / "runs/noise"
    forked = ForkedCommand(tmp_path, "train_style", __file__, channels=4)

    def write(path: Path = file, **changes: Any) -> None:
        path.write_text(yaml.safe_dump(facts(tmp_path, **changes)))

    def run(*arguments: str, out: Path = home) -> Result:
        return CliRunner().invoke(train_style.main, [str(file), "--out", str(out), *arguments])

    def job(
        *arguments: str, path: Path = file, out: Path = home, extra: str = "", variables: dict[str, str] | None = None
    ) -> dict[str, Any]:
        return {"arguments": [str(path), "--out", str(out), *arguments], "extra": extra, "variables": variables or {}}

    def torchrun(one: dict[str, Any], count: int) -> subprocess.CompletedProcess[str]:
        start = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count))
        return forked.launch([[one | {"output": ""}]], *start)

    write()
    return SimpleNamespace(
        write=write,
        run=run,
        job=job,
        processes=forked.processes,
        torchrun=torchrun,
        photos=tmp_path / "photos",
        out=home,
        file=file,
    )
