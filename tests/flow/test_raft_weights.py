from __future__ import annotations

from pathlib import Path

import pytest

from tsn.flow.raft_weights import REGISTRY, installed_weights
from tsn.io.published import weights_folder


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TSN_WEIGHTS", str(tmp_path / "weights"))


def test_the_better_weights_win(tmp_path: Path) -> None:
    assert installed_weights() is None
    weights_folder().mkdir()
    for name in ("raft-small", "raft-large"):
        (weights_folder() / REGISTRY[name].file).touch()
        assert installed_weights() == weights_folder() / REGISTRY[name].file


def test_registry_is_torchvisions() -> None:
    from torchvision.models.optical_flow import Raft_Large_Weights, Raft_Small_Weights

    assert REGISTRY["raft-large"].url == Raft_Large_Weights.C_T_SKHT_V2.url
    assert REGISTRY["raft-small"].url == Raft_Small_Weights.C_T_V2.url
    for entry in REGISTRY.values():
        assert entry.file.endswith(f"-{entry.sha256}.pth") and len(entry.sha256) == 8
