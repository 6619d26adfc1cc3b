"""Carried paint is the same to the bit at any number of threads."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.flow.base import Motion
from tsn.flow.warp import visibility, warp
from tsn.keys.carry import at_key, carry_on, half_size, paint_quality
from tsn.keys.choice import ShownKey, choose_paint
from tsn.keys.packed import pack, unpack
from tsn.keys.patch_ranks import patch_ranks
from tsn.keys.silhouettes import close_thin_gaps


def smooth(channels: int, height: int, width: int, seed: int, scale: float) -> Tensor:
    coarse = torch.rand(1, channels, 7, 9, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False)[0] * scale


def carried_paint(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Two keys, one carried on and one back by two frames, chosen from."""
    forward = smooth(2, height, width, 1, 9)
    backward = -forward + smooth(2, height, width, 2, 0.8)
    motion = Motion(
        forward=forward,
        backward=backward,
        visibility_forward=visibility(forward, backward),
        visibility_backward=visibility(backward, forward),
    )
    plate, shown = smooth(3, height, width, 3, 1), []
    for number, direction in ((1, 1), (2, -1)):
        paint = torch.rand(3, height, width, generator=torch.Generator().manual_seed(number))
        carried = carry_on(carry_on(at_key(paint), motion, direction), motion, direction)
        carried = close_thin_gaps(unpack(pack(carried)), plate)
        shown.append(
            ShownKey(
                paint=warp(paint, carried.flow, mode="bicubic"),
                ranks=warp(patch_ranks(number, paint), carried.flow),
                quality=paint_quality(carried, half_size(plate), half_size(plate * 0.9)),
                distance=carried.distance,
            )
        )
    return choose_paint(shown, plate)


@pytest.mark.parametrize(("size", "counts"), [((181, 323), (2,)), ((272, 480), (5,))])
def test_any_number_of_threads(threads: Callable[[int], None], size: tuple[int, int], counts: tuple[int, ...]) -> None:
    threads(1)
    paint, confidence = carried_paint(*size)
    assert 0.1 < confidence.mean() < 0.99
    for count in counts:
        threads(count)
        again = carried_paint(*size)
        assert torch.equal(again[0], paint) and torch.equal(again[1], confidence)
