"""The renderer's own motion vectors: true motion, wherever the layer holds it. See `tsn.flow.conventions`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tsn.errors import UsageError, near_miss
from tsn.flow.base import FlowSource, RenderedVectors, View, has_rendered_motion
from tsn.flow.conventions import CONVENTIONS, ChannelArrays, FrameSize, channel_of
from tsn.flow.warp import warp

HALF_BACKGROUND, FLOAT_BACKGROUND = 6e4, 1e10
"""Blender's depth of the world: 1e10, which a half channel clamps to 65504."""
CLAMPED_BACKGROUND = 65504.0
"""... as which it comes back where a half channel was made a float one."""


def decode(
    channels: ChannelArrays, layer: str, convention: str, *, frame: FrameSize, still: bool = False
) -> RenderedVectors:
    """Motion vectors of one frame in our contract.

    Not valid are pixels with a vector that is not finite, and the background, where renderers write zero whatever
    the camera does: there the view layer's Depth (`<view layer>.Depth.Z` or `.V`) is that of Blender's world, or no
    number, or, in files without it, every component is exactly zero. What is not valid is zero in the flow.

    Args:
        channels: every channel of the frame by full name, each (H, W).
        layer: name of the layer as in the file, `ViewLayer.Vector`. The endings (`.X`) may be of any case.
        convention: a key of `CONVENTIONS`.
        frame: width and height of the display window, whatever part of it the channels cover.
        still: the background stands still, so that its zeros are true.

    Raises:
        UsageError: an unknown convention.
        InputError: no such layer, or one without the channels that the convention needs.
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
    """Rendered vectors, with other sources wherever the renderer has nothing to say.

    Args:
        fills: asked for the background, and for where to begin with a direction that the layer lacks. It is not run
            at all where the vectors cover the whole picture.
        estimates: asked for pairs of which the renderer says nothing at all, see `base.has_rendered_motion`.
    """

    name = "vectors"

    def __init__(self, fills: FlowSource, estimates: FlowSource) -> None:
        self.fills, self.estimates = fills, estimates
        self.fingerprint = f"vectors-3 over {fills.fingerprint}, else {estimates.fingerprint}"

    def pair(self, a: View, b: View) -> tuple[Tensor, Tensor]:
        """Flow a->b and b->a, each (2, H, W), pixels."""
        if not has_rendered_motion(a, b):
            return self.estimates.pair(a, b)
        assert a.vectors is not None and b.vectors is not None
        forward, backward = a.vectors.to_next, b.vectors.to_previous
        covered = bool(a.vectors.valid.all()) and bool(b.vectors.valid.all())
        if forward is not None and backward is not None and covered:
            return forward, backward

        guess_forward, guess_backward = self.fills.pair(a, b)
        if forward is not None:
            forward = torch.where(a.vectors.valid > 0, forward, guess_forward)
        if backward is not None:
            backward = torch.where(b.vectors.valid > 0, backward, guess_backward)
        if forward is None:
            assert backward is not None  # `told`: one way at least
            return invert_flow(backward, start=guess_forward), backward
        return forward, invert_flow(forward, start=guess_backward) if backward is None else backward


def invert_flow(flow: Tensor, *, start: Tensor) -> Tensor:
    """The flow back, from the flow there, by fixed-point iteration g <- -flow(p + g) from an estimate.

    Chen, Lu, Chen, Ruan, "A simple fixed-point approach to invert a deformation field", Medical Physics 2008.
    Where no path leads back (uncovered, or out of frame) the iteration does not settle, and `start` stays.

    Args:
        flow: (2, H, W), from a to b.
        start: (2, H, W), an estimate of b to a.
    """
    inverse = start
    for _ in range(5):
        inverse = -warp(flow, inverse)
    settled = ((inverse + warp(flow, inverse)).square().sum(0, keepdim=True)) < 0.25
    return torch.where(settled, inverse, start)


def _world(channels: ChannelArrays, layer: str, *, like: Tensor) -> Tensor | None:
    """Bool (1, H, W), True on the world background by the view layer's depth; None where there is no such depth."""
    view_layer, dot, _ = layer.rpartition(".")
    for ending in ("z", "v"):
        depth = channel_of(channels, f"{view_layer}{dot}Depth", ending)
        if depth is not None and depth.shape == like.shape[1:]:
            limit = HALF_BACKGROUND if depth.dtype == np.float16 else FLOAT_BACKGROUND
            return torch.from_numpy(~(depth < limit) | (depth == CLAMPED_BACKGROUND))[None]
    return None
