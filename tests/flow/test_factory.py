from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torchvision.models.optical_flow import raft_small

from tsn.errors import InputError, UsageError
from tsn.flow.base import FlowSource
from tsn.flow.dis import DisSource
from tsn.flow.factory import METHODS, choose_flow_source
from tsn.flow.fused import FusedSource
from tsn.flow.raft_weights import REGISTRY
from tsn.flow.vectors import VectorSource
from tsn.io.published import weights_folder


@pytest.fixture(autouse=True)
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSN_WEIGHTS", str(tmp_path / "weights"))


@pytest.fixture
def small(no_weights: None) -> Path:
    weights_folder().mkdir()
    path = weights_folder() / REGISTRY["raft-small"].file
    torch.save(raft_small(weights=None).state_dict(), path)
    return path


def chosen(method: str, *, has_vectors: bool = False, weights: Path | None = None) -> tuple[FlowSource, str]:
    return choose_flow_source(method, has_vectors=has_vectors, device=torch.device("cpu"), scale=0.5, weights=weights)


def test_auto_is_vectors_then_raft_then_dis(small: Path) -> None:
    source, why = chosen("auto", has_vectors=True)
    assert isinstance(source, VectorSource) and source.background.name == source.fallback.name == "raft-small"
    assert "renderer" in why and "raft-small" in why
    source, why = chosen("auto")
    assert source.name == "raft-small" and str(small) in why
    small.unlink()
    source, why = chosen("auto")
    assert isinstance(source, FusedSource) and "no RAFT weights" in why and str(weights_folder()) in why
    source, why = chosen("auto", has_vectors=True)
    assert isinstance(source, VectorSource) and isinstance(source.background, DisSource) and "plain dis" in why
    assert isinstance(source.fallback, FusedSource)


def test_a_named_method_is_what_one_gets(small: Path) -> None:
    assert isinstance(chosen("dis", has_vectors=True)[0], FusedSource)
    assert chosen("raft", has_vectors=True)[0].name == "raft-small"
    assert chosen("vectors", has_vectors=True)[0].name == "vectors"


def test_scale_reaches_the_estimator(small: Path) -> None:
    assert all("scale 0.5" in chosen(method, has_vectors=True)[0].fingerprint for method in METHODS)


def test_vectors_without_any() -> None:
    with pytest.raises(UsageError, match="no layer") as caught:
        chosen("vectors")
    assert "flow.vectors" in (caught.value.hint or "")


def test_raft_without_weights_says_how_to_get_them() -> None:
    with pytest.raises(InputError, match="no RAFT weights") as caught:
        chosen("raft")
    assert caught.value.hint == "tsn fetch raft-large"


@pytest.mark.parametrize("method", ["auto", "raft"])
def test_named_weights_that_are_missing_are_not_passed_over(method: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine\.pth") as caught:
        chosen(method, weights=tmp_path / "mine.pth")
    assert caught.value.hint == "tsn fetch raft-large"


def test_named_weights_are_used_before_the_folder_s(small: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.pth"
    small.rename(mine)
    assert chosen("auto", weights=mine)[0].name == "raft-small"


def test_unknown_method() -> None:
    with pytest.raises(UsageError) as caught:
        chosen("rafts")
    assert caught.value.hint == "Perhaps you meant 'raft'?"
