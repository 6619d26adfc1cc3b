"""The real `tsn` with a tiny style, and the Nuke plug-in in a double of Nuke."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Imported here once, so that the tests find them without the folder staying on the path of all other tests.
HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)
try:
    import plain_modules  # noqa: F401
    from nuke_node import PLUGIN, write_frame
finally:
    sys.path.remove(HERE)


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real command, on the CPU, without the developer's settings."""
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


def load_double(monkeypatch):
    """Import the double of Nuke's API anew, as `nuke`."""
    spec = importlib.util.spec_from_file_location("nuke", Path(__file__).with_name("nuke_double.py"))
    double = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "nuke", double)
    spec.loader.exec_module(double)
    return double


@pytest.fixture
def nuke(monkeypatch, tmp_path):
    """The double as `nuke`, with a saved script and a plate to render."""
    double = load_double(monkeypatch)
    double.root()["name"].setValue(str(tmp_path / "comp.nk"))
    double.selected = double.nodes.Constant(name="Plate")
    double.writer = write_frame
    return double


@pytest.fixture
def tsn_nuke(nuke, monkeypatch):
    """The package, imported anew."""
    monkeypatch.syspath_prepend(str(PLUGIN))
    for name in [name for name in sys.modules if name.split(".")[0] == "tsn_nuke"]:
        monkeypatch.delitem(sys.modules, name)
    import tsn_nuke

    yield tsn_nuke
    for name in [name for name in sys.modules if name.split(".")[0] == "tsn_nuke"]:
        del sys.modules[name]


@pytest.fixture
def node(tsn_nuke, style):
    """A TSN Stylize group with a small window, that paints in a tiny style."""
    made = tsn_nuke.create()
    made["tsn_source"].setValue("File")
    made["tsn_file"].setValue(str(style))
    made["tsn_window"].setValue(1)
    made["tsn_basename"].setValue("stylize")
    return made
