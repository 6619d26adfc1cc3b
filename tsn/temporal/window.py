"""Motion-compensated mean of the paint over a window of frames.

For output frame t, every frame t+k with |k| <= K is carried to t by one resample along the composed flow
t -> t+k, weighted by a Gaussian in k and by how surely its point is seen there, and averaged. One
bicubic resample a tap loses less grain than k resamples in a row. The support is exactly +-K, so a chunk
with K handles equals the whole shot to the bit; a recursion never would (Ruder et al. 2016 carry
frame to frame and drift; a window does not).
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

REDUCTION = 4  # what is smooth (energies, tone, light) is made at a quarter of the size


@dataclass(frozen=True, kw_only=True)
class Tap:
    """How frame t sees frame t + offset.

    Attributes:
        offset: in frames of the shot's list.
        flow: (2, H, W), composed from neighbour to neighbour.
        weight: (1, H, W): Gaussian in the offset times visibility, see also `openings.weighed`.
    """

    offset: int
    flow: Tensor
    weight: Tensor


def gaussian_weight(offset: int, sigma: float) -> float:
    """Weight of a frame so far away."""
    return math.exp(-(offset**2) / (2 * sigma**2))


def _walk(steps: Sequence[tuple[Tensor, Tensor]], sign: int, sigma: float) -> list[Tap]:
    """Taps in one direction from the (flow, seen) of every step away from t, nearest first."""
    taps: list[Tap] = []
    flow, seen = steps[0]
    for distance, step in enumerate(steps, start=1):
        if distance > 1:
            carried = warp(torch.cat(step), flow)
            flow, seen = flow + carried[:2], seen * carried[2:]
        taps.append(Tap(offset=sign * distance, flow=flow, weight=gaussian_weight(distance, sigma) * seen))
    return taps


def window_taps(before: Sequence[Motion], after: Sequence[Motion], sigma: float) -> list[Tap]:
    """Taps of frame t from the motions around it.

    Args:
        before: motions (t-1, t), (t-2, t-1), ..., nearest first; as many as there are frames to read.
        after: motions (t, t+1), (t+1, t+2), ...
        sigma: of the Gaussian in frames.
    """
    back = [(m.backward, m.visibility_backward) for m in before]
    forth = [(m.forward, m.visibility_forward) for m in after]
    return (_walk(back, -1, sigma) if back else []) + (_walk(forth, 1, sigma) if forth else [])


def reduce_flow(flow: Tensor) -> Tensor:
    """The flow between pictures at a quarter of the size: (2, H, W) -> (2, H/4, W/4)."""
    height, width = flow.shape[-2:]
    small = downsample(flow, REDUCTION)
    return small * torch.tensor([small.shape[2] / width, small.shape[1] / height], device=flow.device).view(2, 1, 1)


def reduce_tap(tap: Tap, flow: Tensor) -> Tap:
    """The tap between pictures at a quarter of the size, `flow` being its flow there."""
    return Tap(offset=tap.offset, flow=flow, weight=downsample(tap.weight, REDUCTION))


def weighted_mean(
    own: Tensor, paint: Tensor, around: Sequence[Tap], at: Callable[[int], Tensor], *, mode: str = "bicubic"
) -> Tensor:
    """Weighted mean of frame t's own picture and its taps: (C, H, W).

    Args:
        own: weight of frame t, (1, H, W).
        paint: its picture, (C, H, W).
        at: picture at an offset, (C, H, W).
    """
    total, weight = paint * own, own.clone()
    for tap in around:
        total.addcmul_(tap.weight, warp(at(tap.offset), tap.flow, mode=mode))
        weight += tap.weight
    return total / weight
