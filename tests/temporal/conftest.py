"""Motions made by hand, and paint to carry along them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.flow.base import Motion


def constant_motion(dx: float, dy: float, height: int, width: int, seen: Tensor | None = None) -> Motion:
    """All moves by (dx, dy); `seen` (1, H, W) holds for both directions, out of frame is not seen."""
    from tsn.flow.warp import in_frame

    flow = torch.tensor([float(dx), float(dy)]).view(2, 1, 1).expand(2, height, width).contiguous()
    mask = torch.ones(1, height, width) if seen is None else seen
    return Motion(
        forward=flow,
        backward=-flow,
        visibility_forward=mask * in_frame(flow),
        visibility_backward=mask * in_frame(-flow),
    )


@pytest.fixture
def motion() -> Callable[..., Motion]:
    return constant_motion


@pytest.fixture
def noise() -> Callable[..., Tensor]:
    """noise(height, width, seed=0, cells=0): (3, H, W) in [0, 1]; smooth over the frame's size / cells."""

    def make(height: int, width: int, seed: int = 0, cells: int = 0) -> Tensor:
        random = torch.Generator().manual_seed(seed)
        if not cells:
            return torch.rand(3, height, width, generator=random)
        coarse = torch.rand(1, 3, cells, cells, generator=random)
        return F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False)[0].clamp(0, 1)

    return make
