"""A training of any painting on noise, in this process and in processes of their own.

Also run as a plain module by these processes, which want the same thin perceptual net.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

import train_adain
from tsn.style.nets import palette
from tsn_training import any_painting, perceptual
from tsn_training.config import load_config
from tsn_training.config_adain import AdainConfig

# Imported here once, so that the tests find it without the folder staying on the path of all other tests.
HERE = str(Path(__file__).parents[1])
sys.path.insert(0, HERE)
try:
    from thin_training import FEW_COLOURS, STYLE_COUNT, thin_features
finally:
    sys.path.remove(HERE)

TRAINING = str(Path(__file__).parents[3] / "training")

DRIVER = """\
import importlib.util, os, signal, sys, torch
spec = importlib.util.spec_from_file_location("helper", {file!r})
helper = importlib.util.module_from_spec(spec)
spec.loader.exec_module(helper)
from tsn_training import any_painting, perceptual, records
import train_adain
torch.set_num_threads(1)
perceptual.load = lambda cache: (helper.thin_features(8), "thin")
train_adain.LOG_EVERY = 1
any_painting.STYLE_COUNT = helper.STYLE_COUNT
helper.palette.COLOUR_SAMPLES = helper.FEW_COLOURS
{extra}
train_adain.main()
"""


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
    monkeypatch.setattr(perceptual, "load", lambda cache: (thin_features(8), "thin"))
    monkeypatch.setattr(train_adain, "LOG_EVERY", 1)
    monkeypatch.setattr(any_painting, "STYLE_COUNT", STYLE_COUNT)
    monkeypatch.setattr(palette, "COLOUR_SAMPLES", FEW_COLOURS)
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


@pytest.fixture
def looked_at(training: SimpleNamespace) -> tuple[list[Path], list[Path], AdainConfig]:
    config = load_config(training.file, AdainConfig)
    photo_paths, painting_paths, _ = train_adain.split_pictures(config)
    return photo_paths, painting_paths, config
