"""The renderer's own motion vectors: true motion, where the layer has it. See `tsn.flow.conventions`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tsn.errors import UsageError, near_miss
from tsn.flow.base import FlowSource, RenderedVectors, View, has_rendered_motion
from tsn.flow.conventions import CONVENTIONS, ChannelArrays, FrameSize, channel_of
from tsn.flow.warp import warp

HALF_BACKGROUND, FLOAT_BACKGROUND = 6e4, 1e10
"""Least depth of the world background. Blender writes 1e10, which a half-float channel clamps to 65504."""
CLAMPED_BACKGROUND = 65504.0
"""Depth of the background in a float channel that was converted from a half-float one."""


def decode(
    channels: ChannelArrays, layer: str, convention: str, *, frame: FrameSize, still: bool = False
) -> RenderedVectors:
    """Motion vectors of one frame in our contract.

    Not valid are pixels with a vector that is not finite, and the background, where renderers write zero however the
    camera moves. Background is where the view layer's Depth (`<view layer>.Depth.Z` or `.V`) is that of Blender's world
    or NaN; in files without Depth, where every component is exactly zero. The flow of pixels that are not valid is 0.

    Args:
        channels: every channel of the frame by its full name, each (H, W).
        layer: name of the layer as in the file, such as `ViewLayer.Vector`. Its channels (`.X`) may be in either case.
        convention: a key of `CONVENTIONS`.
        frame: width and height of the display window, even if the channels cover a part of it.
        still: the background does not move, so that its zeros are valid.

    Raises:
        UsageError: an unknown convention.
        InputError: no such layer, or it lacks channels that the convention needs.
    """
    if convention not in CONVENTIONS:
        raise UsageError(
            f"flow.vectors.convention: {convention!r} is not known, expected one of {', '.join(CONVENTIONS)}",
            hint=near_miss(convention, CONVENTIONS),
        )
    to_previous, to_next = CONVENTIONS[convention](channels, layer, frame)
    known = torch.cat([flow for flow in (to_previous, to_next) if flow is not None])
    finite = torch.isfinite(known).all(0, keepdim=True)
    background = _world(channels, layer, like=known)
    if background is None:
        background = (known == 0).all(0, keepdim=True)
    valid = finite if still else finite & ~background

    def only_valid(flow: Tensor | None) -> Tensor | None:
        return None if flow is None else torch.where(valid, flow, torch.zeros_like(flow))

    return RenderedVectors(to_previous=only_valid(to_previous), to_next=only_valid(to_next), valid=valid.float())


class VectorSource:
    """Rendered vectors, completed by other sources where there are none.

    Args:
        background: estimates the background, and the start for inverting the other direction if the layer has only one.
            It does not run if the vectors of both directions cover the whole picture.
        fallback: estimates pairs without any rendered motion, see `base.has_rendered_motion`.
    """

    name = "vectors"

    def __init__(self, background: FlowSource, fallback: FlowSource) -> None:
        self.background, self.fallback = background, fallback
        self.fingerprint = f"vectors-3 over {background.fingerprint}, else {fallback.fingerprint}"

    def pair(self, a: View, b: View) -> tuple[Tensor, Tensor]:
        """Flow a->b and b->a, each (2, H, W), pixels."""
        if not has_rendered_motion(a, b):
            return self.fallback.pair(a, b)
        assert a.vectors is not None and b.vectors is not None
        forward, backward = a.vectors.to_next, b.vectors.to_previous
        covered = bool(a.vectors.valid.all()) and bool(b.vectors.valid.all())
        if forward is not None and backward is not None and covered:
            return forward, backward

        guess_forward, guess_backward = self.background.pair(a, b)
        if forward is not None:
            forward = torch.where(a.vectors.valid > 0, forward, guess_forward)
        if backward is not None:
            backward = torch.where(b.vectors.valid > 0, backward, guess_backward)
        if forward is None:
            assert backward is not None  # by `has_rendered_motion`
            return invert_flow(backward, start=guess_forward), backward
        return forward, invert_flow(forward, start=guess_backward) if backward is None else backward


def invert_flow(flow: Tensor, *, start: Tensor) -> Tensor:
    """The inverse of a flow, (2, H, W), by fixed-point iteration g <- -flow(p + g).

    Chen, Lu, Chen, Ruan, "A simple fixed-point approach to invert a deformation field", Medical Physics 2008.
    Where there is no inverse (disoccluded, or out of frame) the iteration does not converge, and `start` stays.

    Args:
        flow: (2, H, W), from a to b.
        start: (2, H, W), an estimate of b to a.
    """
    inverse = start
    for _ in range(5):
        inverse = -warp(flow, inverse)
    converged = ((inverse + warp(flow, inverse)).square().sum(0, keepdim=True)) < 0.25
    return torch.where(converged, inverse, start)


def _world(channels: ChannelArrays, layer: str, *, like: Tensor) -> Tensor | None:
    """Bool (1, H, W), True on the world background by the view layer's depth; None if there is no depth channel."""
    view_layer, dot, _ = layer.rpartition(".")
    for ending in ("z", "v"):
        depth = channel_of(channels, f"{view_layer}{dot}Depth", ending)
        if depth is not None and depth.shape == like.shape[1:]:
            limit = HALF_BACKGROUND if depth.dtype == np.float16 else FLOAT_BACKGROUND
            return torch.from_numpy(~(depth < limit) | (depth == CLAMPED_BACKGROUND))[None]
    return None
