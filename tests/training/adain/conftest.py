"""A training of any painting on noise, in this process and in processes of their own.

Also run as a plain module by these processes, which want the same thin perceptual net.
"""

from __future__ import annotations

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
    from forked import ForkedCommand
    from thin_training import FEW_COLOURS, STYLE_COUNT, thin_features
finally:
    sys.path.remove(HERE)


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
    """A folder with photos and paintings, and ways to train there.

    write(**changes): the YAML file; run(*arguments, out=...): in this process; job(...) and processes(groups): in
    processes of their own, (exit code, output) of each.
    """
    monkeypatch.setattr(perceptual, "load", lambda: (thin_features(8), "thin"))
    monkeypatch.setattr(train_adain, "LOG_EVERY", 1)
    monkeypatch.setattr(any_painting, "STYLE_COUNT", STYLE_COUNT)
    monkeypatch.setattr(palette, "COLOUR_SAMPLES", FEW_COLOURS)
    for seed in range(4):
        picture(tmp_path / "photos" / f"{seed}.png", seed=seed)
        picture(tmp_path / "paintings" / f"{seed}.png", width=80, height=64, seed=10 + seed)
    file, home = tmp_path / "any.yaml", tmp_path / "runs/any"
    setup = "from tsn_training import any_painting; any_painting.STYLE_COUNT = helper.STYLE_COUNT"
    forked = ForkedCommand(tmp_path, "train_adain", __file__, channels=8, setup=setup)

    def write(**changes: Any) -> None:
        file.write_text(yaml.safe_dump(facts(tmp_path, **changes)))

    def run(*arguments: str, out: Path = home) -> Result:
        return CliRunner().invoke(train_adain.main, [str(file), "--out", str(out), *arguments])

    def job(extra: str = "", variables: dict[str, str] | None = None) -> dict[str, Any]:
        return {"arguments": [str(file), "--out", str(home)], "extra": extra, "variables": variables or {}}

    write()
    return SimpleNamespace(
        write=write, run=run, job=job, processes=forked.processes, folder=tmp_path, out=home, file=file
    )


@pytest.fixture
def looked_at(training: SimpleNamespace) -> tuple[list[Path], list[Path], AdainConfig]:
    config = load_config(training.file, AdainConfig)
    photo_paths, painting_paths, _ = train_adain.split_pictures(config)
    return photo_paths, painting_paths, config
