"""Estimation at a reduced size: scales the image down, and the flow back up to pixels of the full size."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def scaled_image(image: Tensor, scale: float) -> Tensor:
    """`image` (C, H, W) at `scale` times its size, antialiased; the same tensor at scale 1."""
    _, height, width = image.shape
    size = max(1, round(height * scale)), max(1, round(width * scale))
    if size == (height, width):
        return image
    return F.interpolate(image[None], size=size, mode="bilinear", align_corners=False, antialias=True)[0]


def scaled_flow(flow: Tensor, height: int, width: int) -> Tensor:
    """`flow` (2, h, w) on a grid of `height` x `width`, in pixels of that grid."""
    _, small_height, small_width = flow.shape
    if (small_height, small_width) == (height, width):
        return flow
    ratio = flow.new_tensor([width / small_width, height / small_height]).view(2, 1, 1)
    return F.interpolate(flow[None], size=(height, width), mode="bilinear", align_corners=False)[0] * ratio
