"""Fixtures of several folders: a tiny style, a number of threads, a count of what Python opens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

pytest_plugins = ["small_shots", "small_nets"]

if "PYTEST_XDIST_WORKER" in os.environ:  # one of several on this machine; before torch is loaded, which looks only then
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def write_tiny_style(path: Path, seed: int = 0, name: str | None = None) -> Path:
    """Weights of a tiny net, random; the style is named as its file unless `name` is given."""
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
    """tiny_style(path, seed=0, name=None): a weights file of a net that paints within milliseconds."""
    return write_tiny_style


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """threads(count): set torch's number of threads until the test ends."""
    import torch

    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


_counts: list[tuple[str, list[str]]] = []
"""(event, list of its first arguments) for each running count. An audit hook can't be removed, so there is one only."""


def _record(event: str, arguments: tuple[object, ...], counts: list[tuple[str, list[str]]] = _counts) -> None:
    for counted, names in counts:  # an argument, since globals are None when the interpreter ends
        if event == counted:
            names.append(str(arguments[0]) if arguments else "")


@pytest.fixture(scope="session")
def counting() -> Callable[[str], AbstractContextManager[list[str]]]:
    """with counting("open") as paths: ... lists what Python itself opens (or `os.scandir`, `subprocess.Popen` ...)."""
    import sys

    sys.addaudithook(_record)

    @contextmanager
    def count(event: str) -> Iterator[list[str]]:
        names: list[str] = []
        _counts.append((event, names))
        try:
            yield names
        finally:
            _counts.remove((event, names))

    return count
