"""Key frames in real Blenders: exported, opened in an editor, shown on the timeline, learnt and rendered."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from addon_cases import TSN, run, styled

QUICK = f"""#!{sys.executable}
import os, sys
words = sys.argv[1:]
quick = ["--set", "style.learn=3s"] if words[0] in ("learn", "render") else []
os.execv({str(TSN)!r}, [{str(TSN)!r}, *words, *quick])
"""


@pytest.mark.parametrize("case", ["exported", "refused", "drawn"])
def test_on_its_own(version: str, empty: Path, case: str) -> None:
    run(version, f"keys_{case}", empty)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a perceptual net of random weights."""
    import torch
    from safetensors.torch import save_file

    from tsn.style.perceptual import FILE, content_hash, empty_perceptual

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    net = empty_perceptual()
    state = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    save_file(state, folder / FILE, metadata={"source": "random", "sha256": content_hash(net)})
    return folder


def test_a_key_is_learnt_and_rendered(version: str, empty: Path, weights: Path, tmp_path: Path) -> None:
    quick = tmp_path / "tsn"
    quick.write_text(QUICK)
    quick.chmod(0o755)
    run(version, "keys_learnt", empty, TSN_COMMAND=str(quick), TSN_WEIGHTS=str(weights))
    style = yaml.safe_load((empty / "tsn/sh010/sh010.yaml").read_text())["style"]
    assert style == {"keys": {2: "keys/sh010.0002.png"}, "ids": "ViewLayer.CryptoObject", "strength": 1}
    assert all(np.isfinite(styled(empty, frame)).all() for frame in (1, 2, 3))
