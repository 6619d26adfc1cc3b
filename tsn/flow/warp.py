"""Warping by flow, composition of flows, and visibility by the forward-backward check.

Flow contract: float32 (2, H, W), pixels, x right, y down; the point at p in frame a is at
p + flow(p) in frame b. Thresholds after Sundaram, Brox, Keutzer, "Dense point trajectories by
GPU-accelerated large displacement optical flow", ECCV 2010, as Ruder et al. 2016 use them.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor


@lru_cache(maxsize=8)
def _pixel_grid(height: int, width: int, device: torch.device) -> Tensor:
    """Pixel coordinates (2, H, W), x then y."""
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float32, device=device),
        torch.arange(width, dtype=torch.float32, device=device),
        indexing="ij",
    )
    return torch.stack([x, y])


def warp(image: Tensor, flow: Tensor, *, mode: str = "bilinear") -> Tensor:
    """Backward warping: sample `image`, on frame b's grid, at p + flow(p), which aligns it with frame a.

    Args:
        image: (C, H, W).
        flow: (2, H, W), from a to b.
        mode: "bilinear" or "bicubic" (sharper: paint keeps 0.9 of its gradient energy in one resampling).

    Returns:
        (C, H, W). Samples outside the frame repeat its border.
    """
    _, height, width = flow.shape
    position = _pixel_grid(height, width, flow.device) + flow
    scale = torch.tensor([2 / max(width - 1, 1), 2 / max(height - 1, 1)], device=flow.device).view(2, 1, 1)
    grid = (position * scale - 1).permute(1, 2, 0)
    return F.grid_sample(image[None], grid[None], mode=mode, padding_mode="border", align_corners=True)[0]


def warp_batch(x: Tensor, flow: Tensor, *, mode: str = "bilinear", padding: str = "border") -> Tensor:
    """As `warp`, for a batch, in nets and their losses. The last bits differ from those of `warp`.

    Args:
        x: (N, C, H, W), each side at least 2 pixels.
        flow: (N, 2, H, W).
        mode: see `warp`.
        padding: values outside the frame: "border" repeats its border, "zeros".
    """
    height, width = x.shape[-2:]
    y, x0 = torch.meshgrid(torch.arange(height, device=x.device), torch.arange(width, device=x.device), indexing="ij")
    grid = torch.stack([(x0 + flow[:, 0]) * 2 / (width - 1) - 1, (y + flow[:, 1]) * 2 / (height - 1) - 1], dim=-1)
    return F.grid_sample(x, grid, mode=mode, padding_mode=padding, align_corners=True)


def compose(ab: Tensor, bc: Tensor) -> Tensor:
    """Flow a->c from a->b and b->c, both (2, H, W)."""
    return ab + warp(bc, ab)


def in_frame(flow: Tensor) -> Tensor:
    """Bool (1, H, W): whether p + flow(p) lies inside the frame."""
    _, height, width = flow.shape
    x, y = _pixel_grid(height, width, flow.device) + flow
    return ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))[None]


def _squared_norm(flow: Tensor) -> Tensor:
    return (flow * flow).sum(0, keepdim=True)


def consistent(flow: Tensor, reverse: Tensor) -> Tensor:
    """Forward-backward consistency, bool (1, H, W): where it fails, the point is occluded or the flow is wrong.

    |w + w'|^2 <= 0.01 (|w|^2 + |w'|^2) + 0.5, with w' the reverse flow sampled at p + w(p).
    """
    back = warp(reverse, flow)
    return _squared_norm(flow + back) <= 0.01 * (_squared_norm(flow) + _squared_norm(back)) + 0.5


def visibility(flow: Tensor, reverse: Tensor) -> Tensor:
    """Float32 (1, H, W): 1 where the point at p is visible in the other frame, 0 where occluded or out of frame.

    Motion boundaries count as visible: otherwise a temporal pass would lose every silhouette.
    """
    return (consistent(flow, reverse) & in_frame(flow)).float()
