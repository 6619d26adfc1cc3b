"""Mattes, out of one channel or Cryptomatte: which pixels the paint may touch. Planning asks too, so without torch.

Cryptomatte after the specification of Friedman and Jones, "Fully automatic ID mattes with support for motion blur
and transparency" (Psyop, 2015), version 1.2.0. Ids are bit patterns, so a matte is decoded at the plate's full size
from the stored floats, and only the matte may be resized.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tsn.errors import InputError, UsageError, near_miss

# Rank channels: a layer's name, two digits, then R/G and B/A as (id, coverage) pairs. Blender writes either case.
_RANK = re.compile(r"(?P<layer>.+?)(?P<rank>\d\d)\.(?P<channel>[RGBArgba])")


# --- mattes in a channel -------------------------------------------------------------------------------------------


def channel_matte(channels: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """A channel as a matte, float32 (H, W), clipped to [0, 1], NaN as 0.

    `name` is the full channel name or its end after a dot, where that is the end of one channel only.

    Raises:
        InputError: no such channel, or several.
    """
    found = _by_ending(name, channels)
    if len(found) != 1:
        _refuse("matte channel", name, found, channels)
    return _clipped(channels[found[0]])


def _clipped(values: np.ndarray) -> np.ndarray:
    return np.clip(np.nan_to_num(values.astype(np.float32), nan=0.0), 0.0, 1.0)


def _by_ending(name: str, known: Mapping[str, Any]) -> list[str]:
    """The name itself where it is known, else all that end in it: Blender puts the view layer before the dot."""
    return [name] if name in known else [one for one in known if one.endswith("." + name)]


def _refuse(kind: str, name: str, found: Sequence[str], known: Mapping[str, Any]) -> None:
    if found:
        raise InputError(
            f"The {kind} {name!r} could be any of {', '.join(found)}.",
            hint=f"Give the whole name, such as {found[0]!r}.",
        )
    # The endings too, since that is what an artist typed.
    words = [one.split(".") for one in known]
    ends = [".".join(parts[start:]) for parts in words for start in range(1, len(parts))]
    raise InputError(
        f"The plate has no {kind} {name!r}; it has {', '.join(known) or 'none at all'}.",
        hint=near_miss(name, [*known, *ends]) or "Render the layer with the plate, or take the matte out of the shot.",
    )


# --- Cryptomatte ---------------------------------------------------------------------------------------------------


def murmur3(data: bytes) -> int:
    """MurmurHash3_x86_32 with seed 0 (Austin Appleby, public domain), the hash that Cryptomatte ids are made of."""
    mask, result = 0xFFFFFFFF, 0
    tail = len(data) % 4
    blocks = [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]
    for number, block in enumerate(blocks):
        block = block * 0xCC9E2D51 & mask
        block = (block << 15 | block >> 17) & mask
        result ^= block * 0x1B873593 & mask
        if number < len(blocks) - 1 or not tail:  # An incomplete last block is not mixed further.
            result = (result << 13 | result >> 19) & mask
            result = (result * 5 + 0xE6546B64) & mask
    result ^= len(data)
    result = (result ^ result >> 16) * 0x85EBCA6B & mask
    result = (result ^ result >> 13) * 0xC2B2AE35 & mask
    return result ^ result >> 16


def cryptomatte_id(name: str) -> int:
    """The 32 bits of the float that stands for a name in the id channels."""
    return _usable_float(murmur3(name.encode("utf-8")))


def _usable_float(bits: int) -> int:
    """The exponent fix: all-zero or all-one exponents would be denormals, infinities or NaN, which images lose."""
    return bits ^ 1 << 23 if (bits >> 23) & 255 in (0, 255) else bits


def cryptomatte(
    channels: Mapping[str, np.ndarray], header: Mapping[str, Any], *, layer: str, names: Sequence[str]
) -> np.ndarray:
    """The summed coverage of named objects, materials or assets.

    Args:
        channels: every channel of the frame by full name, at full size; ids as stored (float32).
        header: the part's attributes; `cryptomatte/<key>/name`, `/manifest` and so on. A layer without a manifest, or
            with an empty one, is decoded by hashing the names, and then a misspelt one gives an empty matte.
        layer: such as `CryptoObject`; matches `ViewLayer.CryptoObject` too where that is the only one.
        names: those that this frame's manifest lacks are not in the picture and cover nothing: whether any frame
            of the plate has them, `tsn.shot.inspect` asks.

    Returns:
        float32 (H, W) in [0, 1].

    Raises:
        UsageError: no names.
        InputError: no such layer, or the ids can't be read: another hash, half floats, a sidecar manifest.
    """
    if not names:
        raise UsageError(f"The matte from Cryptomatte {layer!r} lists no names.", hint="Add them under matte.names.")
    full, ranks = _layer(layer, channels)
    wanted = np.array(_ids(_manifest(full, header), names), dtype=np.uint32)
    coverage: np.ndarray | None = None
    for rank, four in sorted(ranks.items()):
        for pair in ("RG", "BA"):
            ids, weights = (channels[four[end]] for end in pair)
            if ids.dtype != np.float32:
                raise InputError(
                    f"Cryptomatte {full}{rank}: ids must be float32, found {ids.dtype}, which destroys them.",
                    hint="Render or convert the Cryptomatte layers at 32 bits.",
                )
            hit = np.isin(np.ascontiguousarray(ids).view(np.uint32), wanted)
            share = np.where(hit, weights.astype(np.float32), np.float32(0))
            coverage = share if coverage is None else coverage + share
    assert coverage is not None  # A layer has at least one rank.
    return _clipped(coverage)


def manifest(channels: Iterable[str], header: Mapping[str, Any], *, layer: str) -> Mapping[str, int] | None:
    """What a Cryptomatte layer's manifest says, name -> hash, out of a header alone; None where there is none.

    Raises:
        InputError: as `cryptomatte` does.
    """
    return _manifest(_layer(layer, channels)[0], header)


def _layer(layer: str, channels: Iterable[str]) -> tuple[str, Mapping[str, Mapping[str, str]]]:
    """The full name of a Cryptomatte layer, and its channels: rank -> R, G, B, A -> name."""
    layers: dict[str, dict[str, dict[str, str]]] = {}
    for channel in channels:  # Names only: a frame decodes its channels when they are asked for.
        if part := _RANK.fullmatch(channel):
            layers.setdefault(part["layer"], {}).setdefault(part["rank"], {})[part["channel"].upper()] = channel
    layers = {name: ranks for name, ranks in layers.items() if all(len(rank) == 4 for rank in ranks.values())}
    found = _by_ending(layer, layers)
    if len(found) != 1:
        _refuse("Cryptomatte layer", layer, found, layers)
    return found[0], layers[found[0]]


def _attributes(layer: str, header: Mapping[str, Any]) -> dict[str, str]:
    """The header's `cryptomatte/<key>/...` of a layer, by their last word; empty where it has none."""
    for key, value in header.items():
        if re.fullmatch(r"cryptomatte/[^/]+/name", key) and (value == layer or layer.endswith("." + str(value))):
            prefix = key.removesuffix("name")
            return {other.removeprefix(prefix): str(text) for other, text in header.items() if other.startswith(prefix)}
    return {}


def _manifest(layer: str, header: Mapping[str, Any]) -> Mapping[str, int] | None:
    attributes = _attributes(layer, header)
    for key, expected in (("hash", "MurmurHash3_32"), ("conversion", "uint32_to_float32")):
        if attributes.get(key, expected) != expected:
            raise InputError(f"Cryptomatte {layer}: {key} is {attributes[key]!r}, expected {expected!r}.")
    if "manifest" not in attributes:
        if sidecar := attributes.get("manif_file"):
            raise InputError(
                f"Cryptomatte {layer}: the manifest is in the sidecar {sidecar!r}, expected in the header.",
                hint="Render with the manifest embedded.",
            )
        return None
    try:
        return {str(name): int(digits, 16) for name, digits in json.loads(attributes["manifest"]).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"Cryptomatte {layer}: the manifest in the header is damaged: {error}") from error


def _ids(known: Mapping[str, int] | None, names: Sequence[str]) -> list[int]:
    if not known:
        return [cryptomatte_id(name) for name in names]
    # Blender's manifest holds the plain hash, others the float's bits: the fix changes only the former.
    return [_usable_float(known[name]) for name in names if name in known]
