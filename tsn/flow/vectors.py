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
from tsn.io.spellings import VECTORS, role, split

Channels = Mapping[str, np.ndarray]
Size = tuple[int, int]
"""Width and height."""
Scale = tuple[float, float]
"""Factors of the horizontal and the vertical part; a negative second one turns y up into y down."""
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
    (`forward.u`), so the names `motion`, `forward` and `backward` all mean those. One of the two directions is enough.

    Any other `layer` is a view of a stereo file, in front (`left.forward.u`) or, as OpenEXR has it, before the channel
    (`forward.left.u`).
    """
    return _both_ways(channels, layer, ("forward",), ("backward",), scale=(1, -1))


def renderman(channels: Channels, layer: str, frame: Size) -> Directions:
    """RenderMan's motionFore and motionBack: pixels, y down, to the frame after and to the frame before.

    The point at p is at (x + X, y + Y) of that frame, whatever the shutter. The denoiser's channels call them forward
    and backward. `layer` is any of these names, or `motion`, or what stands before them.
    """
    if split(layer)[1].lower() in ("dpdtime", "dpcameradtime"):
        raise InputError(
            f"layer {layer!r}: speeds in the camera's space are no motion on the screen",
            hint="Render motionFore and motionBack.",
        )
    return _both_ways(channels, layer, ("motionFore", "forward"), ("motionBack", "backward"), scale=(1, 1))


def normalised(channels: Channels, layer: str, frame: Size) -> Directions:
    """Unity's motion vectors: fractions of the width and height, y up, from the frame before to this one.

    The point at p was at (x - u width, y + v height), in image coordinates with y down. The channels are named
    X, Y or U, V or R, G. There is no direction to the frame after.
    """
    return _pair(channels, layer, scale=(-frame[0], frame[1])), None


def pixels_next(channels: Channels, layer: str, frame: Size) -> Directions:
    """Pixels, y up, to the frame after, as compositors blur along them: the point at p is at (x + X, y - Y) there."""
    return None, _pair(channels, layer, scale=(1, -1))


def pixels_previous(channels: Channels, layer: str, frame: Size) -> Directions:
    """Pixels, y up, to the frame before: the point at p was at (x + X, y - Y) there."""
    return _pair(channels, layer, scale=(1, -1)), None


def ndc_next(channels: Channels, layer: str, frame: Size) -> Directions:
    """Fractions of the width and height, y up, to the frame after: the point at p is at (x + X width, y - Y height)."""
    return None, _pair(channels, layer, scale=(frame[0], -frame[1]))


def vray(channels: Channels, layer: str, frame: Size) -> Directions:
    """V-Ray's velocity with Clamp velocity off: pixels, y up, to the frame after.

    Clamped, it is squeezed into [0, 1] with rest at 0.5, by a number that the file does not state.
    """
    flow = _pair(channels, layer, scale=(1, -1))
    parts = flow[0], -flow[1]
    if all(
        float(part.min()) >= 0 and float(part.max()) <= 1 and abs(float(part.median()) - 0.5) < 0.1 for part in parts
    ):
        raise InputError(
            f"layer {layer!r}: a clamped velocity, squeezed into 0 to 1 around 0.5; expected pixels",
            hint="Render the velocity element with Clamp velocity off.",
        )
    return None, flow


CONVENTIONS: dict[str, Callable[[Channels, str, Size], Directions]] = {
    "blender": blender,
    "nuke": nuke,
    "renderman": renderman,
    "arnold": pixels_next,
    "vray": vray,
    "karma": pixels_next,
    "normalised": normalised,
    "pixels-next": pixels_next,
    "pixels-previous": pixels_previous,
    "ndc-next": ndc_next,
}
_SHUTTER = (
    "{} counts motion vectors over the shutter: they are right where it is open for one whole frame"
    " and too short by as much as it is shorter."
)
CAUTIONS = {"arnold": _SHUTTER.format("Arnold"), "karma": _SHUTTER.format("Karma")}
"""What nothing in the file tells, and an artist should know."""


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


def _channel(channels: Channels, layer: str, wanted: str) -> np.ndarray | None:
    """A layer's channel in whatever spelling it is there; None where it isn't. Raises InputError where it is twice."""
    # Not their items: what isn't asked for need not be sound.
    found = [name for name in channels if split(name)[0] == layer and role(split(name)[1]) == wanted]
    if len(found) > 1:
        raise InputError(
            f"layer {layer!r}: {' and '.join(found)} are one channel in two spellings; expected one of them",
            hint="Write the motion vectors once.",
        )
    return channels[found[0]] if found else None


def _flow(channels: Channels, layer: str, x: str, y: str, *, scale: Scale) -> Tensor | None:
    """(2, H, W) float32 from two channels, each times its factor; None where one of them is missing."""
    found = [_channel(channels, layer, ending) for ending in (x, y)]
    parts = [torch.from_numpy(values.astype(np.float32)) for values in found if values is not None]
    if len(parts) < 2:
        return None
    return torch.stack(parts) * torch.tensor(scale, dtype=torch.float32).view(2, 1, 1)


def _any_pair(channels: Channels, layer: str, *, scale: Scale) -> Tensor | None:
    """(2, H, W) from the two channels of a layer of vectors, X, Y or U, V or R, G; None where it has none of them."""
    words = {role(split(name)[1]) for name in channels if split(name)[0] == layer}
    pairs = [pair for pair in VECTORS if words.issuperset(pair)]
    if len(pairs) > 1:
        raise InputError(
            f"layer {layer!r}: the motion could be {' or '.join(', '.join(pair).upper() for pair in pairs)}",
            hint="Write the motion vectors once.",
        )
    return _flow(channels, layer, *pairs[0], scale=scale) if pairs else None


def _pair(channels: Channels, layer: str, *, scale: Scale) -> Tensor:
    flow = _any_pair(channels, layer, scale=scale)
    if flow is None:
        raise _missing(channels, layer, "X, Y or U, V or R, G")
    return flow


def _both_ways(
    channels: Channels, layer: str, forward: tuple[str, ...], backward: tuple[str, ...], *, scale: Scale
) -> Directions:
    """Two layers, one for each direction, maybe of one view of a stereo file."""
    words = layer.split(".")
    ways = {"motion", *(name.lower() for name in forward + backward)}
    own = [place for place in (0, len(words) - 1) if words[place].lower() in ways]
    view = ".".join(word for place, word in enumerate(words) if place not in own[:1])

    def one_way(names: tuple[str, ...]) -> Tensor | None:
        stems = [stem for name in names for stem in ((f"{view}.{name}", f"{name}.{view}") if view else (name,))]
        found = [flow for stem in stems if (flow := _any_pair(channels, stem, scale=scale)) is not None]
        if len(found) > 1:
            raise InputError(
                f"layer {layer!r}: the motion could be any of {', '.join(stems)}", hint="Write the motion vectors once."
            )
        return found[0] if found else None

    to_previous, to_next = one_way(backward), one_way(forward)
    if to_previous is None and to_next is None:
        stems = {tuple(split(name)[0].split(".")) for name in channels}
        views = {".".join(word for word in stem if word.lower() not in ways) for stem in stems if ways & {*stem}} - {""}
        if views:
            raise InputError(
                f"no motion channels for {layer!r}, but for {', '.join(sorted(views))}",
                hint=f"Name one of those as the layer, such as {min(views)!r}.",
            )
        raise _missing(channels, layer, ", ".join(f"{way[0]}.{end}" for way in (forward, backward) for end in "uv"))
    return to_previous, to_next


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
    layers = sorted({split(name)[0] for name in channels} - {""})
    same_ending = [known for known in layers if known.lower().endswith(f".{layer.lower()}")]
    hint = f"Perhaps you meant {same_ending[0]!r}?" if same_ending else near_miss(layer, layers)
    return InputError(
        f"no layer {layer!r} with motion channels {expected} in the frame, found {', '.join(layers) or 'none'}",
        hint=hint,
    )
