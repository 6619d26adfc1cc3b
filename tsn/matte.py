"""Alpha, mattes and Cryptomatte: which pixels the paint may touch, and how it goes over the plate.

Cryptomatte after the specification of Friedman and Jones, "Fully automatic ID mattes with support for motion blur
and transparency" (Psyop, 2015), version 1.2.0. Ids are bit patterns, so a matte is decoded at the plate's full size
from the stored floats, and only the matte may be resized.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tsn.errors import InputError, UsageError, near_miss

# Rank channels: a layer's name, two digits, then R/G and B/A as (id, coverage) pairs. Blender writes either case.
_RANK = re.compile(r"(?P<layer>.+?)(?P<rank>\d\d)\.(?P<channel>[RGBArgba])")


# --- alpha ---------------------------------------------------------------------------------------------------------


LEAST = 2.0**-24
"""The least that a half float holds. Float plates have less in the tails of blurs, which covers nothing; what shines
there would be divided by it to infinity."""


GLOW = 0.01
"""Plate values: what is brighter where alpha is 0 is a glow in full."""


def _covered(alpha: Tensor) -> Tensor:
    return (alpha >= LEAST) & torch.isfinite(alpha)


def nothing(rgb: Tensor, alpha: Tensor) -> Tensor:
    """Where there is neither an element nor a glow without coverage: (1, H, W) of premultiplied (3, H, W)."""
    return (alpha.abs() < LEAST) & (rgb.abs() < LEAST).all(0, keepdim=True)


def presence(rgb: Tensor, alpha: Tensor) -> Tensor:
    """How much of premultiplied (3, H, W) is there to be painted, (1, H, W) in [0, 1].

    All where alpha covers. A glow without coverage is painted too, but what a denoiser or a blur leaves behind in the
    void, a millionth, is none: as paint it would add light to whatever is comped below. So it counts by its
    brightness up to `GLOW`, and not at all where there is nothing.
    """
    glow = (rgb.abs().amax(0, keepdim=True) / GLOW).clamp(max=1)
    return torch.where(_covered(alpha), 1.0, glow.masked_fill(nothing(rgb, alpha), 0.0))


def unpremultiply(rgb: Tensor, alpha: Tensor) -> Tensor:
    """Divide (3, H, W) by alpha (1, H, W) where it covers; elsewhere emission without coverage stays as it is."""
    covered = _covered(alpha)
    return torch.where(covered, rgb / torch.where(covered, alpha, 1.0), rgb)


def premultiply(rgb: Tensor, alpha: Tensor) -> Tensor:
    """The way back from `unpremultiply`: multiply where alpha covers, leave the rest."""
    return torch.where(_covered(alpha), rgb * alpha, rgb)


def composite(source: Tensor, painted: Tensor, amount: Tensor | float) -> Tensor:
    """source + amount * (painted - source): (3, H, W) each, amount (1, H, W) or a number, in [0, 1].

    Exactly `source` where amount is 0, whatever was painted there, and exactly `painted` where it is 1: the plain sum
    would lose dark paint over a highlight to rounding.
    """
    amount = torch.as_tensor(amount, dtype=source.dtype, device=source.device)
    return torch.where(amount == 0, source, torch.lerp(source, painted, amount))


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
        names: names of the manifest.

    Returns:
        float32 (H, W) in [0, 1].

    Raises:
        UsageError: no names.
        InputError: no such layer or name, or the ids can't be read: another hash, half floats, a sidecar manifest.
    """
    if not names:
        raise UsageError(f"The matte from Cryptomatte {layer!r} lists no names.", hint="Add them under matte.names.")
    layers: dict[str, dict[str, dict[str, str]]] = {}
    for channel in channels:  # Names only: a frame decodes its channels when they are asked for.
        if part := _RANK.fullmatch(channel):
            layers.setdefault(part["layer"], {}).setdefault(part["rank"], {})[part["channel"].upper()] = channel
    layers = {name: ranks for name, ranks in layers.items() if all(len(rank) == 4 for rank in ranks.values())}
    found = _by_ending(layer, layers)
    if len(found) != 1:
        _refuse("Cryptomatte layer", layer, found, layers)

    wanted = np.array(_ids(found[0], _attributes(found[0], header), names), dtype=np.uint32)
    coverage: np.ndarray | None = None
    for rank, four in sorted(layers[found[0]].items()):
        for pair in ("RG", "BA"):
            ids, weights = (channels[four[end]] for end in pair)
            if ids.dtype != np.float32:
                raise InputError(
                    f"Cryptomatte {found[0]}{rank}: ids must be float32, found {ids.dtype}, which destroys them.",
                    hint="Render or convert the Cryptomatte layers at 32 bits.",
                )
            hit = np.isin(np.ascontiguousarray(ids).view(np.uint32), wanted)
            share = np.where(hit, weights.astype(np.float32), np.float32(0))
            coverage = share if coverage is None else coverage + share
    assert coverage is not None  # A layer has at least one rank.
    return _clipped(coverage)


def _attributes(layer: str, header: Mapping[str, Any]) -> dict[str, str]:
    """The header's `cryptomatte/<key>/...` of a layer, by their last word; empty where it has none."""
    for key, value in header.items():
        if re.fullmatch(r"cryptomatte/[^/]+/name", key) and (value == layer or layer.endswith("." + str(value))):
            prefix = key.removesuffix("name")
            return {other.removeprefix(prefix): str(text) for other, text in header.items() if other.startswith(prefix)}
    return {}


def _ids(layer: str, attributes: Mapping[str, str], names: Sequence[str]) -> list[int]:
    for key, expected in (("hash", "MurmurHash3_32"), ("conversion", "uint32_to_float32")):
        if attributes.get(key, expected) != expected:
            raise InputError(f"Cryptomatte {layer}: {key} is {attributes[key]!r}, expected {expected!r}.")
    if "manifest" not in attributes:
        if sidecar := attributes.get("manif_file"):
            raise InputError(
                f"Cryptomatte {layer}: the manifest is in the sidecar {sidecar!r}, expected in the header.",
                hint="Render with the manifest embedded.",
            )
        return [cryptomatte_id(name) for name in names]
    try:
        manifest = {str(name): int(digits, 16) for name, digits in json.loads(attributes["manifest"]).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"Cryptomatte {layer}: the manifest in the header is damaged: {error}") from error
    if not manifest:
        return [cryptomatte_id(name) for name in names]
    for name in names:
        if name not in manifest:
            raise InputError(
                f"Cryptomatte {layer} has no {name!r} among its {len(manifest)} names.",
                hint=near_miss(name, manifest) or f"It has {', '.join(sorted(manifest)[:12])} ...",
            )
    # Blender's manifest holds the plain hash, others the float's bits: the fix changes only the former.
    return [_usable_float(manifest[name]) for name in names]
