"""Names of channels and layers in an OpenEXR file, and the choice of the layer to paint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tsn.errors import InputError, near_miss
from tsn.io.channel_names import VIEWER_RGBA, AmbiguousChannel, canonical_channel, colour_channels, split_name
from tsn.io.exr_container import ExrPart

DCT = ("R", "G", "B", "Y", "RY", "BY")
"""Channels that dwaa and dwab compress with loss; they keep all others exactly (OpenEXR 3.5)."""
FLOAT = 2
"""Pixel type of a float32 channel."""


@dataclass(frozen=True, kw_only=True)
class _RgbLayer:
    """A layer with RGB: the index of its part, and that part's names of R, G, B and, if any, A.

    `ambiguous` are the spellings of a channel that has several; `members` is empty then.
    """

    part: int
    members: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()


def full_names(parts: Sequence[ExrPart], *, flat: bool = True) -> dict[str, tuple[int, str]]:
    """Full name -> index of the part, and the name in that part.

    A part's name is put before its channels' names, unless they begin with it, where the part is named like a layer
    ("ViewLayer.Vector", Blender) or another part has channels of the same names.

    Args:
        flat: leave out parts whose channels are not plain (H, W) arrays: deep, mipmapped, subsampled.
    """
    names = [[channel.name for channel in part.channels] for part in parts]
    result = {}
    for index, part in enumerate(parts):
        rivals = [row for other, row in enumerate(names) if other != index and (part.deep or not parts[other].deep)]
        others = {name for row in rivals for name in row}
        named = len(parts) > 1 and ("." in part.name or not others.isdisjoint(names[index]))
        if flat and part.unsupported_reason is not None:
            continue
        front = f"{part.name}." if named and part.name else ""
        for name in names[index]:
            result[name if name.startswith(front) else front + name] = (index, name)
    return result


def lossy_floats(parts: Sequence[ExrPart]) -> frozenset[str]:
    """Full names of the float32 channels that a lossy compression has changed: ids in them are lost."""
    kept = {"pxr24": lambda word: False, "dwaa": lambda word: word not in DCT, "dwab": lambda word: word not in DCT}
    if not any(part.compression in kept for part in parts):  # most plates
        return frozenset()
    floats = [{channel.name for channel in part.channels if channel.type == FLOAT} for part in parts]
    return frozenset(
        full
        for full, (index, name) in full_names(parts).items()
        if name in floats[index]
        and parts[index].compression in kept
        and not kept[parts[index].compression](split_name(name)[1])
    )


# Ten thousand frames, and most of their layers, have the same names.
_colour_channels = lru_cache(maxsize=256)(colour_channels)


def _layers(parts: Sequence[ExrPart]) -> dict[str, list[_RgbLayer]]:
    """Layers with RGB by name, one for each part that has it; "" is the layer of plain R, G, B."""
    groups: dict[tuple[str, int], dict[str, str]] = {}
    for full, (index, name) in full_names(parts, flat=False).items():
        stem, word = split_name(full)
        groups.setdefault((stem, index), {})[word] = name
    result: dict[str, list[_RgbLayer]] = {}
    for (stem, index), words in groups.items():
        if "crypto" in stem.lower():  # ids, not colours
            continue
        try:
            found = _colour_channels(tuple(words))
        except AmbiguousChannel as error:
            if set("rgb") <= {canonical_channel(word) for word in words}:
                ambiguous = tuple(words[word] for word in error.names)
                result.setdefault(stem, []).append(_RgbLayer(part=index, ambiguous=ambiguous))
            continue
        if set("rgb") <= set(found):
            members = tuple(words[word] for word in found.values())
            result.setdefault(stem, []).append(_RgbLayer(part=index, members=members))
    return result


def choose_layer(path: Path, parts: Sequence[ExrPart], layer: str | None) -> tuple[int, tuple[str, ...]]:
    """Choose the part to paint: its index, and its names of R, G, B and, if any, A.

    Args:
        layer: "ViewLayer.Combined" or the name of a part, or None: plain R, G, B; else the only layer that ends in
            ".Combined" (Blender); else the only layer with R, G and B, in any spelling.

    Raises:
        InputError: no such layer, several to choose from, one with a channel in two spellings, or one that can't be
            painted.
    """
    layers = _layers(parts)
    if layer is None:
        combined = [name for name in layers if name.endswith(".Combined") or name == "Combined"]
        usable = [name for name in layers if any(parts[one.part].unsupported_reason is None for one in layers[name])]
        if "" in layers:
            layer = ""
        elif len(combined) == 1:
            layer = combined[0]
        elif len(usable) == 1:
            layer = usable[0]
        else:
            found = "several layers with R, G, B" if layers else "no layer with R, G, B"
            listing = ", ".join(layers) or ", ".join(full_names(parts, flat=False))
            raise InputError(
                f"{path} has {found}: {listing}" if layers else f"{path} has {found}; its channels: {listing}",
                hint="Name the one to paint with `layer:`." if layers else None,
            )
    elif layer not in layers:
        part = [one for several in layers.values() for one in several if parts[one.part].name == layer]
        if len(part) != 1:  # otherwise the name of a part whose channels are plain R, G, B
            listing = ", ".join(name or "R, G, B without a layer" for name in layers) or "none"
            raise InputError(
                f"{path} has no layer {layer!r} with R, G, B; it has: {listing}",
                hint=near_miss(layer, [*filter(None, layers), *(part.name for part in parts if part.name)]),
            )
        layers[layer] = part
    chosen = _shown_part(path, parts, layers[layer])
    if reason := parts[chosen.part].unsupported_reason:
        raise InputError(f"{path}: the part that holds {', '.join(chosen.members)} {reason} and can't be painted")
    return chosen.part, chosen.members


def _shown_part(path: Path, parts: Sequence[ExrPart], several: Sequence[_RgbLayer]) -> _RgbLayer:
    """The part whose channels viewers show, of several that hold a layer. Raises InputError where that is unclear."""
    if len(several) > 1:
        viewed = [one for one in several if tuple(split_name(name)[1] for name in one.members[:3]) == VIEWER_RGBA[:3]]
        if len(viewed) != 1:
            names = "; ".join(
                f"{', '.join(one.members or one.ambiguous)} in {parts[one.part].name!r}" for one in several
            )
            raise InputError(
                f"{path} has the picture in two spellings: {names}", hint="Name the part to paint with `layer:`."
            )
        several = viewed
    (chosen,) = several
    if chosen.ambiguous:
        raise InputError(
            f"{path} spells one channel of the picture twice: {' and '.join(chosen.ambiguous)}; expected one of them",
            hint="Keep one and rename the other. Where R, G and B are all there, those are painted.",
        )
    return chosen
