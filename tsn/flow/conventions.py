"""How programs write motion vectors: in which channels, unit and direction, and with which sign.

Renderers agree on none of it, and nothing in the file distinguishes them. So the shot file names a convention for
the layer, and each convention is one small function here. docs/guide/motion.md gives the source of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from tsn.errors import InputError, near_miss
from tsn.io.channel_names import VECTOR_CHANNELS, canonical_channel, split_name

ChannelArrays = Mapping[str, np.ndarray]
"""Every channel of a frame by its full name, each (H, W)."""
FrameSize = tuple[int, int]
"""Width and height."""
AxisFactors = tuple[float, float]
"""Factors of the horizontal and the vertical component; a negative second one turns y up into y down."""
Directions = tuple[Tensor | None, Tensor | None]
"""Flow to the previous frame and to the next, each (2, H, W) in our contract, None if the layer does not have it."""


def blender(channels: ChannelArrays, layer: str, frame: FrameSize) -> Directions:
    """Blender's Vector pass: pixels, y up; X, Y to the frame before; Z, W from the frame after.

    The point at p was at (x + X, y - Y) and will be at (x - Z, y + W), in image coordinates with y down.
    Z and W are optional: Blender 3.4 and 4.2 lose W when a File Output node writes the pass at 16 bit.
    """
    to_previous = _flow(channels, layer, "x", "y", scale=(1, -1))
    to_next = _flow(channels, layer, "z", "w", scale=(-1, 1))
    if to_previous is None:
        raise _missing(channels, layer, "X, Y, Z, W")
    return to_previous, to_next


def nuke(channels: ChannelArrays, layer: str, frame: FrameSize) -> Directions:
    """Nuke's motion layers: pixels, y up; `forward` leads to the frame after, `backward` to the frame before.

    The point at p is at (x + u, y - v) of that frame. Nuke writes the channels without a layer of their own
    (`forward.u`), so the names `motion`, `forward` and `backward` all mean those. One of the two directions is enough.

    Any other `layer` is a view of a stereo file, in front (`left.forward.u`) or, as OpenEXR has it, before the channel
    (`forward.left.u`).
    """
    return _both_ways(channels, layer, ("forward",), ("backward",), scale=(1, -1))


def renderman(channels: ChannelArrays, layer: str, frame: FrameSize) -> Directions:
    """RenderMan's motionFore and motionBack: pixels, y down, to the frame after and to the frame before.

    The point at p is at (x + X, y + Y) of that frame, whatever the shutter. The denoiser's channels are called forward
    and backward. `layer` is any of these names, or `motion`, or the part before them.
    """
    if split_name(layer)[1].lower() in ("dpdtime", "dpcameradtime"):
        raise InputError(
            f"layer {layer!r}: speeds in the camera's space are no motion on the screen",
            hint="Render motionFore and motionBack.",
        )
    return _both_ways(channels, layer, ("motionFore", "forward"), ("motionBack", "backward"), scale=(1, 1))


def normalised(channels: ChannelArrays, layer: str, frame: FrameSize) -> Directions:
    """Unity's motion vectors: fractions of the width and height, y up, from the frame before to this one.

    The point at p was at (x - u width, y + v height), in image coordinates with y down. The channels are named
    X, Y or U, V or R, G. There is no direction to the frame after.
    """
    return _pair(channels, layer, scale=(-frame[0], frame[1])), None


def pixels_next(channels: ChannelArrays, layer: str, frame: FrameSize) -> Directions:
    """Pixels, y up, to the frame after, as compositors blur along them: the point at p is at (x + X, y - Y) there."""
    return None, _pair(channels, layer, scale=(1, -1))


def pixels_previous(channels: ChannelArrays, layer: str, frame: FrameSize) -> Directions:
    """Pixels, y up, to the frame before: the point at p was at (x + X, y - Y) there."""
    return _pair(channels, layer, scale=(1, -1)), None


def ndc_next(channels: ChannelArrays, layer: str, frame: FrameSize) -> Directions:
    """Fractions of the width and height, y up, to the frame after: the point at p is at (x + X width, y - Y height)."""
    return None, _pair(channels, layer, scale=(frame[0], -frame[1]))


def vray(channels: ChannelArrays, layer: str, frame: FrameSize) -> Directions:
    """V-Ray's velocity with Clamp velocity off: pixels, y up, to the frame after.

    With Clamp velocity on, V-Ray maps it to [0, 1] with rest at 0.5, by a factor that is not in the file.
    """
    flow = _pair(channels, layer, scale=(1, -1))
    if all(_looks_clamped(part) for part in (flow[0], -flow[1])):
        raise InputError(
            f"layer {layer!r}: a clamped velocity, mapped to 0 to 1 around 0.5; expected pixels",
            hint="Render the velocity element with Clamp velocity off.",
        )
    return None, flow


def _looks_clamped(part: Tensor) -> bool:
    return float(part.min()) >= 0 and float(part.max()) <= 1 and abs(float(part.median()) - 0.5) < 0.1


CONVENTIONS: dict[str, Callable[[ChannelArrays, str, FrameSize], Directions]] = {
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
    "{} counts motion vectors over the shutter: they are right if it is open for one whole frame,"
    " and too short in proportion if it is open for less."
)
CAUTIONS = {"arnold": _SHUTTER.format("Arnold"), "karma": _SHUTTER.format("Karma")}
"""By convention, a warning for the artist about what the file itself cannot show."""


def channel_of(channels: ChannelArrays, layer: str, wanted: str) -> np.ndarray | None:
    """A layer's channel in any spelling, or None. Raises InputError if it is there in two spellings."""
    # By name only: reading the arrays of other channels could fail, and they need not be sound.
    found = [
        name for name in channels if split_name(name)[0] == layer and canonical_channel(split_name(name)[1]) == wanted
    ]
    if len(found) > 1:
        raise InputError(
            f"layer {layer!r}: {' and '.join(found)} are one channel in two spellings; expected one of them",
            hint="Write the motion vectors once.",
        )
    return channels[found[0]] if found else None


def _flow(channels: ChannelArrays, layer: str, x: str, y: str, *, scale: AxisFactors) -> Tensor | None:
    """Flow (2, H, W), float32, from two channels, each times its factor; None if one of them is missing."""
    found = [channel_of(channels, layer, ending) for ending in (x, y)]
    parts = [torch.from_numpy(values.astype(np.float32)) for values in found if values is not None]
    if len(parts) < 2:
        return None
    return torch.stack(parts) * torch.tensor(scale, dtype=torch.float32).view(2, 1, 1)


def _any_pair(channels: ChannelArrays, layer: str, *, scale: AxisFactors) -> Tensor | None:
    """Flow (2, H, W) from the channels X, Y or U, V or R, G of a layer; None if it has none of these pairs."""
    present = {canonical_channel(split_name(name)[1]) for name in channels if split_name(name)[0] == layer}
    pairs = [pair for pair in VECTOR_CHANNELS if present.issuperset(pair)]
    if len(pairs) > 1:
        raise InputError(
            f"layer {layer!r}: the motion could be {' or '.join(', '.join(pair).upper() for pair in pairs)}",
            hint="Write the motion vectors once.",
        )
    return _flow(channels, layer, *pairs[0], scale=scale) if pairs else None


def _pair(channels: ChannelArrays, layer: str, *, scale: AxisFactors) -> Tensor:
    """As `_any_pair`. Raises InputError if the layer has none."""
    flow = _any_pair(channels, layer, scale=scale)
    if flow is None:
        raise _missing(channels, layer, "X, Y or U, V or R, G")
    return flow


def _both_ways(
    channels: ChannelArrays, layer: str, forward: tuple[str, ...], backward: tuple[str, ...], *, scale: AxisFactors
) -> Directions:
    """Both directions from two layers, which may belong to one view of a stereo file."""
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
        stems = {tuple(split_name(name)[0].split(".")) for name in channels}
        views = {".".join(word for word in stem if word.lower() not in ways) for stem in stems if ways & {*stem}} - {""}
        if views:
            raise InputError(
                f"no motion channels for {layer!r}, but for {', '.join(sorted(views))}",
                hint=f"Name one of those as the layer, such as {min(views)!r}.",
            )
        raise _missing(channels, layer, ", ".join(f"{way[0]}.{end}" for way in (forward, backward) for end in "uv"))
    return to_previous, to_next


def _missing(channels: ChannelArrays, layer: str, expected: str) -> InputError:
    """The error for a layer that is not there or lacks the expected channels."""
    present = sorted(name for name in channels if name.startswith(f"{layer}."))
    if present:
        return InputError(
            f"layer {layer!r}: expected the motion channels {expected}, found {', '.join(present)}",
            hint="Name the layer that holds the motion vectors, and its convention, under flow.vectors.",
        )
    layers = sorted({split_name(name)[0] for name in channels} - {""})
    same_ending = [known for known in layers if known.lower().endswith(f".{layer.lower()}")]
    hint = f"Perhaps you meant {same_ending[0]!r}?" if same_ending else near_miss(layer, layers)
    return InputError(
        f"no layer {layer!r} with motion channels {expected} in the frame, found {', '.join(layers) or 'none'}",
        hint=hint,
    )
