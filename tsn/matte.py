"""Mattes, from a channel or from Cryptomatte: which pixels are painted. Without torch, since planning uses it, too.

Cryptomatte after the specification of Friedman and Jones, "Fully automatic ID mattes with support for motion blur
and transparency" (Psyop, 2015), version 1.2.0. Ids are bit patterns, so a matte is decoded at the plate's full size
from the stored floats, and only the resulting matte may be resized.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from tsn.errors import InputError, UsageError
from tsn.io import cryptomatte as stored
from tsn.io.channel_names import match_names
from tsn.io.cryptomatte import Manifest

TRUNCATIONS = ((13, 0x1FFF), (8, 0xFF))
"""The number of low bits of a float32 that conversion to 16 and to 24 bits sets to zero, with their mask."""
CERTAIN_ZERO_BITS, CERTAIN_ZERO_BITS_WITH_MANIFEST = 24, 12
"""Zero bits, counted over all ids, that cannot be chance: 24 are one chance in sixteen million. With a manifest that
contains none of the ids, fewer prove it."""
NO_PIXEL_ID = 0x7FC00000
"""Bits of NaN, which fills what lies outside of a part's data window."""
RERENDER_HINT = "Render the Cryptomatte layers again at 32 bits, in a lossless compression (ZIP, ZIPS, PIZ)."


# --- mattes in a channel -------------------------------------------------------------------------------------------


def channel_matte(channels: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """A channel as a matte, float32 (H, W), clipped to [0, 1], with 0 for NaN.

    `name` is the full channel name or its end after a dot, in any spelling (`mask.A`, `mask.alpha`). It must match one
    channel only.

    Raises:
        InputError: no such channel, or several.
    """
    found = match_names(name, list(channels))
    if len(found) != 1:
        stored.raise_unmatched("matte channel", name, found, channels)
    return _clipped(channels[found[0]])


def _clipped(values: np.ndarray) -> np.ndarray:
    return np.clip(np.nan_to_num(values.astype(np.float32), nan=0.0), 0.0, 1.0)


# --- Cryptomatte ---------------------------------------------------------------------------------------------------


def murmur3(data: bytes) -> int:
    """MurmurHash3_x86_32 with seed 0 (Austin Appleby, public domain), from which Cryptomatte makes ids."""
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
    """The 32 bits of the float that represents a name in the id channels."""
    return _usable_float(murmur3(name.encode("utf-8", "surrogateescape")))


def _usable_float(bits: int) -> int:
    """The exponent fix: all-zero or all-one exponents are denormals, infinities or NaN, which image files may lose."""
    return bits ^ 1 << 23 if (bits >> 23) & 255 in (0, 255) else bits


def cryptomatte(
    channels: Mapping[str, np.ndarray],
    header: Mapping[str, Any],
    *,
    layer: str,
    names: Sequence[str],
    folder: Path | None = None,
    lossy: Collection[str] = (),
) -> np.ndarray:
    """The summed coverage of named objects, materials or assets.

    Args:
        channels: every channel of the frame by full name, at full size; ids as stored (float32).
        header: the part's attributes; `cryptomatte/<key>/name`, `/manifest` and so on. If a layer has no readable
            manifest, or an empty one, the names are hashed; then a misspelt name gives an empty matte.
        layer: such as `CryptoObject`; matches `ViewLayer.CryptoObject`, too, if that is the only one.
        names: a name that this frame's manifest lacks is not in the picture and covers nothing. Whether any frame of
            the plate has it is checked by `tsn.rendering.inspect`.
        folder: the frame's folder, in case the manifest is a file of its own.
        lossy: channels whose stored bits are not those that were rendered, see `tsn.io.frame.Frame`.

    Returns:
        float32 (H, W) in [0, 1].

    Raises:
        UsageError: no names.
        InputError: no such layer, or the ids cannot be decoded: another hash, half floats, lossy compression.
    """
    if not names:
        raise UsageError(f"The matte from Cryptomatte {layer!r} lists no names.", hint="Add them under matte.names.")
    found = stored.find_layer(layer, channels)
    known = stored.read_manifest(found.name, header, folder).names
    wanted = np.array(sorted(_ids(known, names)), dtype=np.uint32)
    intact, suspect = False, set[int]()
    coverage: np.ndarray | None = None
    for id_channel, weight_channel in found.pairs:
        ids, weights = channels[id_channel], channels[weight_channel]
        _require_floats(id_channel, ids, lossy)
        bits = np.ascontiguousarray(ids).view(np.uint32)
        intact = intact or bool((bits & 0xFF).any())
        if not intact and bits.any():
            suspect.update(np.unique(bits).tolist())
        share = np.where(np.isin(bits, wanted), weights.astype(np.float32), np.float32(0))
        coverage = share if coverage is None else coverage + share
    assert coverage is not None  # A layer has at least one rank.
    if not intact:
        _require_intact(found.name, suspect - {0, NO_PIXEL_ID}, wanted, known)
    return _clipped(coverage)


def dominant_ids(channels: Mapping[str, np.ndarray], *, layer: str, lossy: Collection[str] = ()) -> np.ndarray:
    """Which object covers most of a pixel.

    Args:
        channels, layer, lossy: as in `cryptomatte`.

    Returns:
        uint32 (H, W), the bits of the ids as stored; 0 where nothing covers more than any object does.

    Raises:
        InputError: no such layer, half floats, or a lossy compression.
    """
    best: np.ndarray | None = None
    for id_channel, weight_channel in stored.find_layer(layer, channels).pairs:
        ids = channels[id_channel]
        _require_floats(id_channel, ids, lossy)
        bits = np.ascontiguousarray(ids).view(np.uint32)
        share = np.where((bits == 0) | (bits == NO_PIXEL_ID), np.float32(0), _clipped(channels[weight_channel]))
        if best is None:
            best, most, nothing = np.where(share > 0, bits, np.uint32(0)), share, 1 - share
            continue
        best = np.where(share > most, bits, best)
        most = np.maximum(most, share)
        nothing = nothing - share
    assert best is not None  # A layer has at least one rank.
    return np.where(nothing > most, np.uint32(0), best)


def _require_floats(id_channel: str, ids: np.ndarray, lossy: Collection[str]) -> None:
    """Raise InputError for ids that the file's compression or the type of its channels destroys."""
    if id_channel in lossy:
        raise InputError(
            f"Cryptomatte {id_channel}: the file's compression is lossy and destroys ids.", hint=RERENDER_HINT
        )
    if ids.dtype != np.float32:
        raise InputError(
            f"Cryptomatte {id_channel}: ids must be float32, found {ids.dtype}, which destroys them.",
            hint=RERENDER_HINT,
        )


def manifest(channels: Iterable[str], header: Mapping[str, Any], *, layer: str, folder: Path | None = None) -> Manifest:
    """A Cryptomatte layer's manifest, from the header or from a file beside the frame.

    Raises:
        InputError: as `cryptomatte` does.
    """
    return stored.read_manifest(stored.find_layer(layer, channels).name, header, folder)


def _require_intact(layer: str, there: Set[int], wanted: np.ndarray, known: Mapping[str, int] | None) -> None:
    """Raise InputError if the ids have lost bits before, in another file or in a program.

    Then every id ends in zero bits. By chance one id in 256 ends in 8 of them, so several ids are needed as proof, or
    fewer if the manifest contains none of them.

    Args:
        there: the ids in the layer's pixels, each of which ends in at least 8 zero bits.
        wanted: ids of the matte's names.
        known: the manifest, or None.
    """
    zeros = next(count for count, mask in TRUNCATIONS if not any(bits & mask for bits in there))
    expected = {*wanted.tolist(), *map(_usable_float, (known or {}).values())}
    if expected & there or len(there) * zeros < (CERTAIN_ZERO_BITS_WITH_MANIFEST if known else CERTAIN_ZERO_BITS):
        return
    raise InputError(
        f"Cryptomatte {layer}: every id ends in {zeros} zero bits, as after a trip through"
        f" {16 if zeros > 8 else 24} bits, which destroys them.",
        hint=RERENDER_HINT,
    )


def _ids(known: Mapping[str, int] | None, names: Sequence[str]) -> set[int]:
    """Ids that the names may have in the pixels: with and without the exponent fix, which some writers leave out."""
    if known:
        # Blender's manifest holds the plain hash, others the float's bits: the fix changes only the former.
        plain = {known[form] for name in names for form in _forms(name) if form in known}
    else:
        plain = {murmur3(name.encode("utf-8", "surrogateescape")) for name in names}
    return (plain | set(map(_usable_float, plain))) - {0}  # 0 means no object


def _forms(name: str) -> tuple[str, ...]:
    """A name as given, and in both Unicode normal forms (é as one character or as two): programs write either."""
    return name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)


def in_manifest(name: str, known: Collection[str]) -> bool:
    """Whether a manifest contains a name, in any of the Unicode forms of the same text."""
    return any(form in known for form in _forms(name))
