"""Motion-compensated mean of the paint over a window of frames.

For output frame t, every frame t+k with |k| <= K is warped to t by one resampling along the composed flow t -> t+k,
weighted by a Gaussian in k and by the visibility of its points there, and averaged. One bicubic resampling a tap loses
less grain than k resamplings in a row. No frame further than K away has any weight, so that a chunk with K handles
equals the whole shot to the bit. A recursion never would (Ruder et al. 2016 carry paint from frame to frame, and
drift).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tsn.flow.base import Motion
from tsn.flow.warp import warp
from tsn.temporal.filters import downsample

REDUCTION = 4
"""Smooth quantities (energies, tone, light) are computed at 1/4 of the size."""


@dataclass(frozen=True, kw_only=True)
class Tap:
    """Frame t + offset as it is warped to frame t.

    Attributes:
        offset: position in the shot's list of frames, relative to t.
        flow: from frame t to it, (2, H, W), composed from neighbour to neighbour.
        weight: (1, H, W): Gaussian in the offset times visibility; `disocclusion.weight_taps` changes it.
    """

    offset: int
    flow: Tensor
    weight: Tensor


def gaussian_weight(offset: int, sigma: float) -> float:
    """Weight of a frame by its distance, 1 at offset 0; both in frames."""
    return math.exp(-(offset**2) / (2 * sigma**2))


def _walk(steps: Sequence[tuple[Tensor, Tensor]], sign: int, sigma: float) -> list[Tap]:
    """Taps in one direction from the (flow, visibility) of every step away from t, nearest first."""
    taps: list[Tap] = []
    flow, visible = steps[0]
    for distance, step in enumerate(steps, start=1):
        if distance > 1:
            carried = warp(torch.cat(step), flow)
            flow, visible = flow + carried[:2], visible * carried[2:]
        taps.append(Tap(offset=sign * distance, flow=flow, weight=gaussian_weight(distance, sigma) * visible))
    return taps


def window_taps(before: Sequence[Motion], after: Sequence[Motion], sigma: float) -> list[Tap]:
    """Taps of frame t from the motions around it.

    Args:
        before: motions (t-1, t), (t-2, t-1), ..., nearest first; as many as there are frames to read.
        after: motions (t, t+1), (t+1, t+2), ...
        sigma: of the Gaussian, in frames.
    """
    back = [(m.backward, m.visibility_backward) for m in before]
    forth = [(m.forward, m.visibility_forward) for m in after]
    return (_walk(back, -1, sigma) if back else []) + (_walk(forth, 1, sigma) if forth else [])


def reduce_flow(flow: Tensor) -> Tensor:
    """The flow at a quarter of the size, in pixels of that size: (2, H, W) -> (2, H/4, W/4)."""
    height, width = flow.shape[-2:]
    small = downsample(flow, REDUCTION)
    return small * torch.tensor([small.shape[2] / width, small.shape[1] / height], device=flow.device).view(2, 1, 1)


def reduce_tap(tap: Tap, flow: Tensor) -> Tap:
    """The tap at a quarter of the size; `flow` is `reduce_flow` of its flow."""
    return Tap(offset=tap.offset, flow=flow, weight=downsample(tap.weight, REDUCTION))


def weighted_mean(
    own: Tensor, paint: Tensor, around: Sequence[Tap], at: Callable[[int], Tensor], *, mode: str = "bicubic"
) -> Tensor:
    """Weighted mean of frame t's own picture and its taps: (C, H, W).

    Args:
        own: weight of frame t, (1, H, W).
        paint: its picture, (C, H, W).
        around: taps of the other frames.
        at: returns the picture at an offset, (C, H, W).
        mode: interpolation, see `warp`.
    """
    total, weight = paint * own, own.clone()
    for tap in around:
        total.addcmul_(tap.weight, warp(at(tap.offset), tap.flow, mode=mode))
        weight += tap.weight
    return total / weight
