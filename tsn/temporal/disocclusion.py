"""Silhouettes that move: paint beside them, and what they disocclude.

Paint beside a silhouette belongs to two surfaces: the outline and the halo that a style draws around an object lie
partly on what is behind it. Averaged along the motion of the background, they stay there as echoes of the contour
when the object has moved on. So what a frame painted beside a silhouette has little weight wherever another frame
shows the same place away from any silhouette; where none does, all frames have little weight, and nothing changes.

What was just disoccluded begins with its own frame's paint, and settles into the window's mean within a few frames.
Otherwise a place that was not visible before would show paint of later frames.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.flow.base import Motion
from tsn.flow.warp import in_frame, warp
from tsn.temporal.filters import blur, downsample, local_max, local_min, upsample
from tsn.temporal.window import REDUCTION, Tap

ONE_SURFACE_PX, TWO_SURFACES_PX = 0.3, 1.0
"""A step in the flow below the first belongs to one surface that bends; from the second on, to two surfaces."""
SILHOUETTE_REACH = 1
"""Pixels at 1/4 size around a silhouette (4 to 8 of the picture) that hold a style's outlines and halos."""
SILHOUETTE_WEIGHT = 0.1
"""Weight of paint beside a silhouette, against 1 elsewhere."""
DISOCCLUSION_WEIGHT, DISOCCLUSION_FADE_FRAMES = 1.3, 1.4
"""Weight of the frame that disoccluded a place, in sigmas of the window (about that of all others together), and the
frames in which it falls to 1/e. Slower leaves echoes of the contour, faster boils; docs/research/temporal.md has the
figures."""


@dataclass(frozen=True, kw_only=True)
class MotionStep:
    """Motion between a frame and its follower, with what the passes derive from it once.

    Attributes:
        motion: in both directions, with visibility.
        near_silhouette_first: nearness to a silhouette on the frame's grid, (1, H/4, W/4) in [0, 1].
        near_silhouette_second: the same on its follower's grid.
        disoccluded: on its follower's grid, (1, H, W) in [0, 1]: 1 where a place inside the frame's picture is not
            visible in the frame.
    """

    motion: Motion
    near_silhouette_first: Tensor
    near_silhouette_second: Tensor
    disoccluded: Tensor


def derive_step(motion: Motion) -> MotionStep:
    """Derive from a motion what the passes need of it."""
    return MotionStep(
        motion=motion,
        near_silhouette_first=_near_silhouette(motion.forward),
        near_silhouette_second=_near_silhouette(motion.backward),
        disoccluded=(1 - motion.visibility_backward) * in_frame(motion.backward),
    )


def silhouette_mask(flow: Tensor) -> Tensor:
    """(1, H, W) in [0, 1]: 1 where the 3x3 pixels around contain two motions."""
    jump = (local_max(flow, 3) - local_min(flow, 3)).square().sum(0, keepdim=True).sqrt()
    return ((jump - ONE_SURFACE_PX) / (TWO_SURFACES_PX - ONE_SURFACE_PX)).clamp(0, 1)


def frame_silhouettes(before: Sequence[MotionStep], after: Sequence[MotionStep], like: Tensor) -> Tensor:
    """Silhouettes of frame t, by its motion to the frames on both sides, (1, H, W) in [0, 1].

    Args:
        before: steps (t-1, t), (t-2, t-1), ...; `after`: (t, t+1), (t+1, t+2), ...
        like: any picture of frame t, (C, H, W).
    """
    edges = torch.zeros_like(like[:1])
    for flow in [s.motion.backward for s in before[:1]] + [s.motion.forward for s in after[:1]]:
        edges = torch.maximum(edges, silhouette_mask(flow))
    return edges


def weight_taps(
    around: Sequence[Tap],
    flows: Sequence[Tensor],
    before: Sequence[MotionStep],
    after: Sequence[MotionStep],
    like: Tensor,
    sigma: float,
) -> tuple[Tensor, list[Tap]]:
    """The weight of frame t's own paint, (1, H, W), and the taps with their final weights.

    Args:
        around: taps weighted by visibility and distance, from `window.window_taps`.
        flows: `window.reduce_flow` of their flows.
        before: steps (t-1, t), (t-2, t-1), ...; `after`: (t, t+1), (t+1, t+2), ...
        like: any picture of frame t, (C, H, W).
        sigma: of the window, in frames.
    """
    near = [s.near_silhouette_second for s in before[:1]] + [s.near_silhouette_first for s in after[:1]]
    here = torch.stack(near).amax(0) if near else downsample(torch.zeros_like(like[:1]), REDUCTION)
    own = upsample(_trust(here), like)
    if before:
        own = own + DISOCCLUSION_WEIGHT * sigma * before[0].disoccluded

    def weighted(tap: Tap, flow: Tensor) -> Tap:
        distance = abs(tap.offset)
        there = (
            after[distance - 1].near_silhouette_second if tap.offset > 0 else before[distance - 1].near_silhouette_first
        )
        trust = upsample(_trust(warp(there, flow)), like)
        boost = DISOCCLUSION_WEIGHT * sigma * math.exp(-distance / DISOCCLUSION_FADE_FRAMES)
        # Beyond the window's reach all has settled. A place that is visible now cannot be disoccluded later.
        if tap.offset < 0 and distance < len(before):
            trust = trust + boost * warp(before[distance].disoccluded, tap.flow)
        return replace(tap, weight=tap.weight * trust)

    return own, [weighted(tap, flow) for tap, flow in zip(around, flows, strict=True)]


def _near_silhouette(flow: Tensor) -> Tensor:
    """Nearness to a silhouette at a quarter of the size, (1, H/4, W/4) in [0, 1]."""
    edges = F.max_pool2d(silhouette_mask(flow)[None], REDUCTION, ceil_mode=True)
    size = [max(1, side // REDUCTION) for side in flow.shape[-2:]]  # as `downsample` rounds
    return blur(local_max(edges[0, :, : size[0], : size[1]], 2 * SILHOUETTE_REACH + 1), 0.7)


def _trust(near: Tensor) -> Tensor:
    """Weight of paint by its nearness to a silhouette."""
    return 1 - (1 - SILHOUETTE_WEIGHT) * near
