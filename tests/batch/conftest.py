"""A small shot on disk, with a style of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
import torch
from click.testing import CliRunner, Result

from tsn.rendering import plan_file
from tsn_batch.cli import cli
from tsn_batch.farms.job import FarmJob, prepare_job
from tsn_batch.local import rendering

TSN = Path(sys.executable).with_name("tsn")


@pytest.fixture(autouse=True)
def isolated_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the developer, no cache outside the test, one CPU core."""
    for name in [name for name in os.environ if name.startswith(("TSN_", "SLURM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TSN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TSN_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("OCIO", raising=False)
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def style(tmp_path_factory: pytest.TempPathFactory, tiny_style: Callable[..., Path]) -> Path:
    """A tiny net with random weights."""
    return tiny_style(tmp_path_factory.mktemp("style") / "tiny.safetensors")


def write_plate(path: Path, number: int = 1001, **channels: np.ndarray) -> Path:
    rgb = np.random.default_rng(number).uniform(0, 1.5, (3, 24, 40)).astype(np.float16)
    window = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(window, dict(zip("RGB", rgb, strict=True)) | channels).write(str(path))
    return path


@pytest.fixture
def plate() -> Callable[..., Path]:
    return write_plate


@pytest.fixture
def shot(tmp_path: Path, style: Path) -> Callable[..., Path]:
    """shot(*lines, frames=range(1001, 1004), **instead): the shot file of a plate of 40x24 pixels.

    More than ten frames are ten and their copies.
    """

    def make(*lines: str, frames: range | list[int] = range(1001, 1004), **instead: str) -> Path:
        (tmp_path / "plate").mkdir()
        made: list[Path] = []
        for number in frames:
            path = tmp_path / "plate" / f"sh.{number}.exr"
            if len(made) < 10:
                made.append(write_plate(path, number))
            else:
                shutil.copy(made[number % 10], path)
        keys = {
            "version": "1",
            "plate": "plate/sh.####.exr",
            "output": "styled/sh_styled.####.exr",
            "style": str(style),
            "flow": "{method: dis}",
            "temporal": "{window: 1, cuts: []}",
        }
        file = tmp_path / "sh.yaml"
        file.write_text("\n".join([*(f"{key}: {value}" for key, value in (keys | instead).items()), *lines]) + "\n")
        return file

    return make


@pytest.fixture
def tsn() -> Callable[..., Result]:
    """tsn(*words): the command in this process; `.exit_code`, `.stdout`, `.stderr`, `.output`."""
    return lambda *words: CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture
def installed() -> Callable[..., subprocess.CompletedProcess[Any]]:
    """installed(*words, raw=False): the installed command in a process of its own; `raw`: its output is bytes."""
    return lambda *words, raw=False: subprocess.run(
        [TSN, *map(str, words)], capture_output=True, text=not raw, timeout=300
    )


@pytest.fixture
def render_calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The calls of the renderer that a command makes: (plan, options); nothing is rendered."""
    calls: list[Any] = []
    monkeypatch.setattr(rendering, "render_plan", lambda plan, **options: calls.append((plan, options)))
    return calls


@pytest.fixture
def job(tsn, shot, tmp_path) -> FarmJob:
    """Seven frames in chunks of three, and nothing rendered."""
    tsn("plan", shot(frames=range(1001, 1008)), "-o", tmp_path / "plan.json", "--chunk-size", 3)
    made, _ = prepare_job(plan_file.load(tmp_path / "plan.json"), tmp_path / "farm/sh")
    return made
