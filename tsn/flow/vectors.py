"""The renderer's own motion vectors: true motion, wherever the layer holds it.

Renderers agree neither on the unit nor on the direction nor on the sign, and nothing in the file tells them
apart. So the shot file declares a convention per layer, and each convention is one small function here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from tsn.errors import InputError, UsageError, near_miss
from tsn.flow.base import FlowSource, RenderedVectors, View, told
from tsn.flow.visibility import warp

Channels = Mapping[str, np.ndarray]
Size = tuple[int, int]
"""Width and height."""
Directions = tuple[Tensor | None, Tensor | None]
"""Flow to the frame before and to the frame after, each (2, H, W) in our contract, None where not in the layer."""

HALF_BACKGROUND, FLOAT_BACKGROUND = 6e4, 1e10
"""Blender's depth of the world: 1e10, which a half channel clamps to 65504."""
CLAMPED = 65504.0
"""... as which it comes back where a half channel was made a float one."""


def blender(channels: Channels, layer: str, frame: Size) -> Directions:
    """Blender's Vector pass: pixels, y up; X, Y to the frame before; Z, W from the frame after.

    The point at p was at (x + X, y - Y) and will be at (x - Z, y + W), in image coordinates with y down.
    Z and W are optional: Blender 3.4 and 4.2 lose W when a File Output node writes the pass at 16 bit.
    """
    to_previous = _flow(channels, layer, "x", "y", scale=(1, -1))
    to_next = _flow(channels, layer, "z", "w", scale=(-1, 1))
    if to_previous is None:
        raise _missing(channels, layer, "X, Y, Z, W")
    return to_previous, to_next


def nuke(channels: Channels, layer: str, frame: Size) -> Directions:
    """Nuke's motion layers: pixels, y up; `forward` leads to the frame after, `backward` to the frame before.

    The point at p is at (x + u, y - v) of that frame. Nuke writes the channels without a layer of their own
    (`forward.u`), so the names `motion`, `forward` and `backward` all mean those; any other `layer` is a
    prefix (`left.forward.u`). One of the two directions is enough.
    """
    root = "" if layer.lower() in ("motion", "forward", "backward") else f"{layer}."
    to_previous = _flow(channels, f"{root}backward", "u", "v", scale=(1, -1))
    to_next = _flow(channels, f"{root}forward", "u", "v", scale=(1, -1))
    if to_previous is None and to_next is None:
        raise _missing(channels, layer, "forward.u, forward.v, backward.u, backward.v")
    return to_previous, to_next


def normalised(channels: Channels, layer: str, frame: Size) -> Directions:
    """Unity's motion vectors: fractions of the width and height, y up, from the frame before to this one.

    The point at p was at (x - u width, y + v height), in image coordinates with y down. The channels are named
    X, Y or U, V or R, G. There is no direction to the frame after.
    """
    for first, second in (("x", "y"), ("u", "v"), ("r", "g")):
        unit = _flow(channels, layer, first, second, scale=(-1, 1))
        if unit is not None:
            return unit * torch.tensor(frame, dtype=torch.float32).view(2, 1, 1), None
    raise _missing(channels, layer, "X, Y or U, V or R, G")


CONVENTIONS: dict[str, Callable[[Channels, str, Size], Directions]] = {
    "blender": blender,
    "nuke": nuke,
    "normalised": normalised,
}


def decode(channels: Channels, layer: str, convention: str, *, frame: Size, still: bool = False) -> RenderedVectors:
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
        estimates: asked for pairs of which the renderer says nothing at all, see `base.told`.
    """

    name = "vectors"

    def __init__(self, fills: FlowSource, estimates: FlowSource) -> None:
        self.fills, self.estimates = fills, estimates
        self.fingerprint = f"vectors-3 over {fills.fingerprint}, else {estimates.fingerprint}"

    def pair(self, a: View, b: View) -> tuple[Tensor, Tensor]:
        """Flow a->b and b->a, each (2, H, W), pixels."""
        if not told(a, b):
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
            return invert(backward, start=guess_forward), backward
        return forward, invert(forward, start=guess_backward) if backward is None else backward


def invert(flow: Tensor, *, start: Tensor) -> Tensor:
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


def _channel(channels: Channels, layer: str, ending: str) -> np.ndarray | None:
    prefix = f"{layer}."
    for name in channels:  # not their items: what isn't asked for need not be sound
        if name.startswith(prefix) and name[len(prefix) :].lower() == ending:
            return channels[name]
    return None


def _flow(channels: Channels, layer: str, x: str, y: str, *, scale: tuple[int, int]) -> Tensor | None:
    """(2, H, W) float32 from two channels, each times its factor; None where one of them is missing."""
    found = [_channel(channels, layer, ending) for ending in (x, y)]
    parts = [torch.from_numpy(values.astype(np.float32)) for values in found if values is not None]
    if len(parts) < 2:
        return None
    return torch.stack(parts) * torch.tensor(scale, dtype=torch.float32).view(2, 1, 1)


def _world(channels: Channels, layer: str, *, like: Tensor) -> Tensor | None:
    """Bool (1, H, W), True on the world background by the view layer's depth; None where there is no such depth."""
    view_layer, dot, _ = layer.rpartition(".")
    for ending in ("z", "v"):
        depth = _channel(channels, f"{view_layer}{dot}Depth", ending)
        if depth is not None and depth.shape == like.shape[1:]:
            limit = HALF_BACKGROUND if depth.dtype == np.float16 else FLOAT_BACKGROUND
            return torch.from_numpy(~(depth < limit) | (depth == CLAMPED))[None]
    return None


def _missing(channels: Channels, layer: str, expected: str) -> InputError:
    present = sorted(name for name in channels if name.startswith(f"{layer}."))
    if present:
        return InputError(
            f"layer {layer!r}: expected the motion channels {expected}, found {', '.join(present)}",
            hint="Name the layer that holds the motion vectors, and its convention, under flow.vectors.",
        )
    layers = sorted({name.rpartition(".")[0] for name in channels} - {""})
    same_ending = [known for known in layers if known.lower().endswith(f".{layer.lower()}")]
    hint = f"Perhaps you meant {same_ending[0]!r}?" if same_ending else near_miss(layer, layers)
    return InputError(
        f"no layer {layer!r} with motion channels {expected} in the frame, found {', '.join(layers) or 'none'}",
        hint=hint,
    )
