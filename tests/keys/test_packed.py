"""Carried keys in whole numbers: exact enough, at any size."""

from __future__ import annotations

import pytest
import torch

from tsn.keys import packed
from tsn.keys.carry import CarriedKey


def carried(height: int = 36, width: int = 64) -> CarriedKey:
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    flow = torch.stack([0.03 * x - 5, 0.02 * y + 0.01 * x])
    flow[:, :, width // 2 :] += 20  # another surface
    seen = torch.ones(1, height, width)
    seen[:, :10] = 0
    return CarriedKey(flow=flow, visibility=seen, distance=7)


def test_rounding_is_far_below_a_pixel() -> None:
    before = carried()
    after = packed.unpack(packed.pack(before))
    assert (before.flow - after.flow).abs().max() <= 64 / 32767
    assert torch.equal(after.visibility, before.visibility)
    assert after.distance == 7


def test_what_left_the_frame_is_still_outside() -> None:
    far = CarriedKey(flow=torch.full((2, 4, 8), 1e5), visibility=torch.zeros(1, 4, 8), distance=1)
    assert torch.allclose(packed.unpack(packed.pack(far)).flow, torch.full((2, 4, 8), 8.0))


@pytest.mark.parametrize("size", [(36, 64), (37, 65)])
def test_large_pictures_keep_fewer_places(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    monkeypatch.setattr(packed, "FULL_SIZE_PIXELS", size[0] * size[1] / 4)
    before = carried(*size)
    kept = packed.pack(before)
    assert kept.flow.shape[-2:] == ((size[0] + 1) // 2, (size[1] + 1) // 2)
    after = packed.unpack(kept)
    error = (before.flow - after.flow).abs().amax(0)
    middle = size[1] // 2
    error[:, middle - 2 : middle + 2] = 0  # where two surfaces meet, the nearest pixel's
    error[:, -1], error[-1] = 0, 0
    assert error.max() < 0.05
    assert (before.visibility != after.visibility).float().mean() < 0.05
