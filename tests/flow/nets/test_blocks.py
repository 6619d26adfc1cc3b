"""What holds for all nets whose weights come with tsn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tsn.errors import InputError
from tsn.flow.nets import occlusion, refine


@pytest.mark.parametrize(
    ("net", "make"),
    [(occlusion, partial(occlusion.shipped_net, torch.device("cpu"))), (refine, refine.shipped_net)],
    ids=["occlusion", "refine"],
)
def test_damaged_weights_are_named(
    net: ModuleType, make: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / net.WEIGHTS.name
    broken.write_bytes(net.WEIGHTS.read_bytes()[:-100])
    monkeypatch.setattr(net, "WEIGHTS", broken)
    net.shipped_net.cache_clear()
    try:
        with pytest.raises(InputError, match=f"{broken} is damaged"):
            make()
    finally:
        net.shipped_net.cache_clear()
