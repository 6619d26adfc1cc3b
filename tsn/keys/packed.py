"""Carried keys kept in little memory: 5 bytes a pixel in pictures up to HD, 5/4 bytes in UHD."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tsn.keys.carry import CarriedKey, sample_surfaces

FULL_SIZE_PIXELS = 2_100_000
"""Pixels up to which every one is kept: HD. Larger pictures keep every second or third, in both directions."""
STEPS = 32767
"""A flow as long as the picture's longer side is kept as so many steps: of .02 px at 640 pixels, .12 px in UHD."""


@dataclass(frozen=True, kw_only=True)
class PackedKey:
    """A `CarriedKey` in whole numbers.

    Attributes:
        flow: int16 (2, H/n, W/n), in steps.
        visibility: uint8 (1, H/n, W/n), of 255.
        distance: as the carried key has it.
        size: height and width of the frame, pixels.
    """

    flow: Tensor
    visibility: Tensor
    distance: int
    size: tuple[int, int]


def pack(carried: CarriedKey) -> PackedKey:
    """Round a carried key. What lies farther away than the picture is long counts as that far: it is out of frame."""
    height, width = carried.flow.shape[-2:]
    stride = math.ceil(math.sqrt(height * width / FULL_SIZE_PIXELS))
    steps = (carried.flow[:, ::stride, ::stride] * (STEPS / max(height, width))).round().clamp(-STEPS, STEPS)
    visible = (carried.visibility[:, ::stride, ::stride] * 255).round()
    return PackedKey(
        flow=steps.to(torch.int16),
        visibility=visible.to(torch.uint8),
        distance=carried.distance,
        size=(height, width),
    )


def unpack(packed: PackedKey) -> CarriedKey:
    """The carried key at the frame's size."""
    height, width = packed.size
    flow = packed.flow.float() * (max(height, width) / STEPS)
    visible = packed.visibility.float() / 255
    if tuple(flow.shape[-2:]) != packed.size:
        flow, visible = _enlarged(flow, visible, packed.size)
    return CarriedKey(flow=flow, visibility=visible, distance=packed.distance)


def _enlarged(flow: Tensor, visible: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Both at a frame's size: bilinear on one surface, the nearest pixel's where two meet."""
    height, width = size
    stride = math.ceil(height / flow.shape[-2])
    y = torch.arange(height, dtype=torch.float32, device=flow.device)[:, None].expand(height, width)
    x = torch.arange(width, dtype=torch.float32, device=flow.device)[None].expand(height, width)
    # `warp` maps corners to corners, whatever the size of the picture that is sampled.
    across = max(width - 1, 1) / max(flow.shape[-1] - 1, 1) / stride
    down = max(height - 1, 1) / max(flow.shape[-2] - 1, 1) / stride
    into = torch.stack([x * across - x, y * down - y])
    field = sample_surfaces(torch.cat([flow, visible]), into)
    return field[:2], field[2:]
