from __future__ import annotations

import pytest
import torch

from tsn.flow.base import View
from tsn.flow.dis import DisSource, luma8


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_finds_a_known_motion_both_ways(moving, scale: float) -> None:
    a, b = moving(6, -4)
    forward, backward = DisSource(scale=scale).pair(a, b)
    for flow, sign in ((forward, 1), (backward, -1)):
        assert flow.shape == (2, *a.image.shape[1:]) and flow.dtype == torch.float32 and flow.is_contiguous()
        inner = flow[:, 16:-16, 16:-16]
        assert (inner - torch.tensor([6.0, -4.0]).view(2, 1, 1) * sign).abs().median() < 0.3


def test_same_bits_at_any_number_of_threads(require_same_bits) -> None:
    require_same_bits(DisSource(scale=0.75))


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (20, 9), (33, 31)])
def test_tiny_frames(size: tuple[int, int]) -> None:
    image = torch.rand(3, *size)
    forward, _ = DisSource().pair(View(number=1, image=image), View(number=2, image=image))
    assert forward.shape == (2, *size) and torch.isfinite(forward).all()


def test_luma_is_rounded_and_clipped() -> None:
    image = torch.tensor([-1.0, 0.5, 2.0]).view(1, 1, 3).expand(3, 1, 3)
    assert luma8(image).tolist() == [[0, 128, 255]]


def test_fingerprint_tells_scale() -> None:
    assert DisSource().fingerprint != DisSource(scale=0.5).fingerprint
