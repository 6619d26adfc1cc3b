"""Warping by flow, composing flows, and what can be seen of one frame in another.

Flow contract: float32 (2, H, W), pixels, x right, y down; the point seen at p in frame a is at
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
    """Sample `image`, given on frame b's grid, at p + flow(p): what frame a sees of it.

    Args:
        image: (C, H, W).
        flow: (2, H, W), from a to b.
        mode: "bilinear" or "bicubic" (sharper: paint keeps 0.9 of its gradient energy through one resample).

    Returns:
        (C, H, W). Samples outside the frame repeat its border.
    """
    _, height, width = flow.shape
    position = _pixel_grid(height, width, flow.device) + flow
    scale = torch.tensor([2 / max(width - 1, 1), 2 / max(height - 1, 1)], device=flow.device).view(2, 1, 1)
    grid = (position * scale - 1).permute(1, 2, 0)
    return F.grid_sample(image[None], grid[None], mode=mode, padding_mode="border", align_corners=True)[0]


def warp_batch(x: Tensor, flow: Tensor, *, mode: str = "bilinear", padding: str = "border") -> Tensor:
    """As `warp`, for a batch: what nets and their losses look up. Its last bits are others.

    Args:
        x: (N, C, H, W), no side of one pixel.
        flow: (N, 2, H, W).
        padding: what lies outside the frame: its "border", repeated, or "zeros".
    """
    height, width = x.shape[-2:]
    y, x0 = torch.meshgrid(torch.arange(height, device=x.device), torch.arange(width, device=x.device), indexing="ij")
    grid = torch.stack([(x0 + flow[:, 0]) * 2 / (width - 1) - 1, (y + flow[:, 1]) * 2 / (height - 1) - 1], dim=-1)
    return F.grid_sample(x, grid, mode=mode, padding_mode=padding, align_corners=True)


def compose(ab: Tensor, bc: Tensor) -> Tensor:
    """Flow a->c from a->b and b->c, both (2, H, W)."""
    return ab + warp(bc, ab)


def in_frame(flow: Tensor) -> Tensor:
    """Bool (1, H, W): p + flow(p) lies inside the frame."""
    _, height, width = flow.shape
    x, y = _pixel_grid(height, width, flow.device) + flow
    return ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))[None]


def _squared_norm(flow: Tensor) -> Tensor:
    return (flow * flow).sum(0, keepdim=True)


def consistent(flow: Tensor, reverse: Tensor) -> Tensor:
    """Bool (1, H, W): going there and back ends where it began, so the point is not occluded.

    |w + w'|^2 <= 0.01 (|w|^2 + |w'|^2) + 0.5, with w' the reverse flow sampled at p + w(p).
    """
    back = warp(reverse, flow)
    return _squared_norm(flow + back) <= 0.01 * (_squared_norm(flow) + _squared_norm(back)) + 0.5


def motion_boundary(flow: Tensor) -> Tensor:
    """Bool (1, H, W): |grad u|^2 + |grad v|^2 > 0.01 |w|^2 + 0.002, where flow mixes two motions."""
    gradient = torch.zeros_like(flow[:1])
    gradient[:, :, :-1] += _squared_norm(flow[:, :, 1:] - flow[:, :, :-1])
    gradient[:, :-1, :] += _squared_norm(flow[:, 1:, :] - flow[:, :-1, :])
    return gradient > 0.01 * _squared_norm(flow) + 0.002


def visibility(flow: Tensor, reverse: Tensor) -> Tensor:
    """Float32 (1, H, W), 1 where the point at p is seen in the other frame, 0 where occluded or out of frame.

    Motion boundaries stay visible: a temporal pass would lose every silhouette otherwise. Metrics that
    must not measure across them use `motion_boundary` as well.
    """
    return (consistent(flow, reverse) & in_frame(flow)).float()
