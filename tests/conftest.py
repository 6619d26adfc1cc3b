"""What tests of several folders paint with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

pytest_plugins = ["small_shots"]

if "PYTEST_XDIST_WORKER" in os.environ:  # one of several on this machine; before torch is loaded, which looks only then
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def write_tiny_style(path: Path, seed: int = 0, name: str | None = None) -> Path:
    """Weights of a tiny net, random; the style is called as its file unless it has a name."""
    import torch
    from safetensors.torch import save_file

    from tsn.style.nets.johnson import JohnsonNet

    torch.manual_seed(seed)
    facts = {"family": "feedforward", "width": "4", "blocks": "1", "title": "Tiny", "licence": "CC0"}
    weights = {k: v.contiguous() for k, v in JohnsonNet(width=4, blocks=1).state_dict().items()}
    save_file(weights, path, metadata=facts | {"name": name or path.stem})
    return path


@pytest.fixture(scope="session")
def tiny_style() -> Callable[..., Path]:
    """tiny_style(path, seed=0, name=None): a weights file of a net that paints at once."""
    return write_tiny_style


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets torch's number of threads until the test ends."""
    import torch

    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


_listening: list[tuple[str, list[str]]] = []
"""Events that are being counted. A hook can't be taken back, so there is one, put in place by the first who counts."""


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    for wanted, heard in _listening:
        if event == wanted:
            heard.append(str(arguments[0]) if arguments else "")


@pytest.fixture(scope="session")
def counting() -> Callable[[str], AbstractContextManager[list[str]]]:
    """with counting("open") as paths: ... names what Python itself opens (or `os.scandir`, `subprocess.Popen` ...)."""
    import sys

    sys.addaudithook(_hear)

    @contextmanager
    def count(event: str) -> Iterator[list[str]]:
        heard: list[str] = []
        _listening.append((event, heard))
        try:
            yield heard
        finally:
            _listening.remove((event, heard))

    return count
