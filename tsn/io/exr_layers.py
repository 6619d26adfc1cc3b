"""Names of channels and layers in an OpenEXR file, and the choice of the layer to paint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tsn.errors import InputError, near_miss
from tsn.io.exr_container import Part

SPELLINGS = (("R", "G", "B", "A"), ("r", "g", "b", "a"), ("red", "green", "blue", "alpha"))


def full_names(parts: Sequence[Part], *, flat: bool = True) -> dict[str, tuple[int, str]]:
    """Full name -> part and name in that part.

    A part's name goes in front of its channels where they don't begin with it already, and either the
    part is named like a layer ("ViewLayer.Vector", Blender) or another part has channels of these names.

    Args:
        flat: leave out parts whose channels are no plain (H, W) arrays: deep, mipmapped, subsampled.
    """
    names = [[channel.name for channel in part.channels] for part in parts]
    result = {}
    for index, part in enumerate(parts):
        rivals = [row for other, row in enumerate(names) if other != index and (part.deep or not parts[other].deep)]
        others = {name for row in rivals for name in row}
        named = len(parts) > 1 and ("." in part.name or not others.isdisjoint(names[index]))
        if flat and part.oddity is not None:
            continue
        front = f"{part.name}." if named and part.name else ""
        for name in names[index]:
            result[name if name.startswith(front) else front + name] = (index, name)
    return result


def _layers(parts: Sequence[Part]) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Layers with RGB -> part and channel names. "" is the layer of plain R, G, B."""
    result: dict[str, tuple[int, tuple[str, ...]]] = {}
    names = full_names(parts, flat=False)
    own_names = [{channel.name for channel in part.channels} for part in parts]
    for full, (index, name) in names.items():
        stem, _, last = full.rpartition(".")
        for spelling in SPELLINGS:
            if last != spelling[0] or "crypto" in stem.lower():  # ids, not colours
                continue
            base = name[: len(name) - len(last)]
            own = own_names[index]
            members = tuple(base + letter for letter in spelling if base + letter in own)
            if {base + letter for letter in spelling[:3]} <= own:
                result[stem] = (index, members)
    return result


def choose(path: Path, parts: Sequence[Part], layer: str | None) -> tuple[int, tuple[str, ...]]:
    """The part to paint and the names in it of R, G, B and, where there is one, A.

    Args:
        layer: "ViewLayer.Combined" or the name of a part, or None: plain R, G, B; else the one layer that
            ends in ".Combined" (Blender); else the only layer with R, G and B.

    Raises:
        InputError: no such layer, several to choose from, or one that can't be painted.
    """
    layers = _layers(parts)
    if layer is None:
        combined = [name for name in layers if name.endswith(".Combined") or name == "Combined"]
        usable = [name for name in layers if parts[layers[name][0]].oddity is None]
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
        part = [(index, members) for index, members in layers.values() if parts[index].name == layer]
        if len(part) != 1:  # otherwise the name of a part whose channels are plain R, G, B
            listing = ", ".join(name or "R, G, B without a layer" for name in layers) or "none"
            raise InputError(
                f"{path} has no layer {layer!r} with R, G, B; it has: {listing}",
                hint=near_miss(layer, [*filter(None, layers), *(part.name for part in parts if part.name)]),
            )
        layers[layer] = part[0]
    index, members = layers[layer]
    if parts[index].oddity:
        raise InputError(f"{path}: the part that holds {', '.join(members)} {parts[index].oddity} and can't be painted")
    return index, members
