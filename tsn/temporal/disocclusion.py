"""Silhouettes that move: where two surfaces meet, and what one of them uncovers.

Paint beside a silhouette belongs to two surfaces: the outline and the halo that a style draws around an object lie
partly on what is behind it. Averaged along the motion of the background, they stay there as echoes of the contour
when the object has moved on. So what a frame painted beside a silhouette counts for little wherever another frame
saw the same place free of it; where none did, it is all there is, and nothing changes.

What was just uncovered opens with its own frame's paint and settles into the window's mean within a few
frames. Without that, a place that nobody has seen yet would show paint of frames to come.
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

# A step in the flow of under SLIGHT pixels is one surface that bends; from SHARP on, two surfaces.
ONE_SURFACE_PX, TWO_SURFACES_PX = 0.3, 1.0
SILHOUETTE_REACH = 1
"""Reduced pixels around a silhouette (4 to 8 of the picture) in which a style's outlines and halos lie."""
SILHOUETTE_WEIGHT = 0.1
"""Weight of paint beside a silhouette, against 1 elsewhere."""
DISOCCLUSION_WEIGHT, DISOCCLUSION_FADE_FRAMES = 1.3, 1.4
"""Weight of the frame that uncovered a place, in sigmas of the window (about that of all others together), and the
frames in which it falls to 1/e. Slower leaves echoes of the contour, faster boils; docs/temporal.md has the figures."""


@dataclass(frozen=True, kw_only=True)
class MotionStep:
    """Motion between a frame and its follower, with what the passes derive from it, once.

    Attributes:
        motion: both ways, with visibility.
        beside_first: how near a silhouette, on the frame's grid at a quarter of the size, (1, H/4, W/4) in [0, 1].
        beside_second: the same on its follower's grid.
        disoccluded: on its follower's grid, (1, H, W): 1 where the frame does not see it, though it lies within its
            picture.
    """

    motion: Motion
    near_silhouette_first: Tensor
    near_silhouette_second: Tensor
    disoccluded: Tensor


def derive_step(motion: Motion) -> MotionStep:
    """What the passes need of the motion between two frames."""
    return MotionStep(
        motion=motion,
        near_silhouette_first=_near_silhouette(motion.forward),
        near_silhouette_second=_near_silhouette(motion.backward),
        disoccluded=(1 - motion.visibility_backward) * in_frame(motion.backward),
    )


def silhouette_mask(flow: Tensor) -> Tensor:
    """(1, H, W) in [0, 1]: 1 where the 3x3 pixels around hold two motions."""
    jump = (local_max(flow, 3) - local_min(flow, 3)).square().sum(0, keepdim=True).sqrt()
    return ((jump - ONE_SURFACE_PX) / (TWO_SURFACES_PX - ONE_SURFACE_PX)).clamp(0, 1)


def frame_silhouettes(before: Sequence[MotionStep], after: Sequence[MotionStep], like: Tensor) -> Tensor:
    """Silhouettes of frame t by its motion to both sides, (1, H, W)."""
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
    """The weight of frame t's own paint, (1, H, W), and the taps with theirs.

    Args:
        around: taps by visibility and distance.
        flows: `window.reduce_flow` of their flows.
        before: steps (t-1, t), (t-2, t-1), ...; `after`: (t, t+1), (t+1, t+2), ...
        like: any picture of frame t, (C, H, W).
        sigma: of the window, frames.
    """
    beside = [s.near_silhouette_second for s in before[:1]] + [s.near_silhouette_first for s in after[:1]]
    here = torch.stack(beside).amax(0) if beside else downsample(torch.zeros_like(like[:1]), REDUCTION)
    own = upsample(_trust(here), like)
    if before:
        own = own + DISOCCLUSION_WEIGHT * sigma * before[0].disoccluded

    def of(tap: Tap, flow: Tensor) -> Tap:
        distance = abs(tap.offset)
        there = (
            after[distance - 1].near_silhouette_second if tap.offset > 0 else before[distance - 1].near_silhouette_first
        )
        trust = upsample(_trust(warp(there, flow)), like)
        boost = DISOCCLUSION_WEIGHT * sigma * math.exp(-distance / DISOCCLUSION_FADE_FRAMES)
        # What the window does not reach is long settled. A place can't be seen now and be uncovered later.
        if tap.offset < 0 and distance < len(before):
            trust = trust + boost * warp(before[distance].disoccluded, tap.flow)
        return replace(tap, weight=tap.weight * trust)

    return own, [of(tap, flow) for tap, flow in zip(around, flows, strict=True)]


def _near_silhouette(flow: Tensor) -> Tensor:
    edges = F.max_pool2d(silhouette_mask(flow)[None], REDUCTION, ceil_mode=True)
    size = [max(1, side // REDUCTION) for side in flow.shape[-2:]]  # as `reduce` rounds
    return blur(local_max(edges[0, :, : size[0], : size[1]], 2 * SILHOUETTE_REACH + 1), 0.7)


def _trust(beside: Tensor) -> Tensor:
    return 1 - (1 - SILHOUETTE_WEIGHT) * beside
