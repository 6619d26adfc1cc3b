from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"
BLENDER, NUKE = PLUGINS / "blender/tsn_blender", PLUGINS / "nuke/tsn_nuke"


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real command, on the CPU, with nothing of the developer's."""
    for name in [name for name in os.environ if name.startswith(("TSN_", "OCIO"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TSN_COMMAND", str(Path(sys.executable).with_name("tsn")))
    monkeypatch.setenv("TSN_DEVICE", "cpu")
    monkeypatch.setenv("TSN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def style(tmp_path_factory: pytest.TempPathFactory, tiny_style: Callable[..., Path]) -> Path:
    """A tiny net with random weights."""
    return tiny_style(tmp_path_factory.mktemp("style") / "tiny.safetensors")
