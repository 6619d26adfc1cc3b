"""Mattes, out of one channel or Cryptomatte: which pixels the paint may touch. Planning asks too, so without torch.

Cryptomatte after the specification of Friedman and Jones, "Fully automatic ID mattes with support for motion blur
and transparency" (Psyop, 2015), version 1.2.0. Ids are bit patterns, so a matte is decoded at the plate's full size
from the stored floats, and only the matte may be resized.
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
"""How many low bits of a float32 a trip through 16 and through 24 bits sets to zero, and their mask."""
CERTAIN_ZERO_BITS, CERTAIN_ZERO_BITS_WITH_MANIFEST = 24, 12
"""Zero bits in all ids together that are no accident: one chance in sixteen million. A manifest tells the rest."""
NO_PIXEL_ID = 0x7FC00000
"""NaN, which stands where a part of the file has no pixels."""
RERENDER_HINT = "Render the Cryptomatte layers again at 32 bits, in a lossless compression (ZIP, ZIPS, PIZ)."


# --- mattes in a channel -------------------------------------------------------------------------------------------


def channel_matte(channels: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """A channel as a matte, float32 (H, W), clipped to [0, 1], NaN as 0.

    `name` is the full channel name or its end after a dot, in any spelling (`mask.A`, `mask.alpha`), where that is
    one channel only.

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
    return _usable_float(murmur3(name.encode("utf-8", "surrogateescape")))


def _usable_float(bits: int) -> int:
    """The exponent fix: all-zero or all-one exponents would be denormals, infinities or NaN, which images lose."""
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
        header: the part's attributes; `cryptomatte/<key>/name`, `/manifest` and so on. A layer without a manifest that
            can be read, or with an empty one, is decoded by hashing the names; a misspelt one gives an empty matte.
        layer: such as `CryptoObject`; matches `ViewLayer.CryptoObject` too where that is the only one.
        names: those that this frame's manifest lacks are not in the picture and cover nothing: whether any frame
            of the plate has them, `tsn.rendering.inspect` asks.
        folder: of the frame, where a manifest in a file of its own lies.
        lossy: channels whose stored bits are not those that were rendered, see `tsn.io.frame.Frame`.

    Returns:
        float32 (H, W) in [0, 1].

    Raises:
        UsageError: no names.
        InputError: no such layer, or the ids can't be read: another hash, half floats, a lossy compression.
    """
    if not names:
        raise UsageError(f"The matte from Cryptomatte {layer!r} lists no names.", hint="Add them under matte.names.")
    found = stored.find_layer(layer, channels)
    known = stored.read_manifest(found.name, header, folder).names
    wanted = np.array(sorted(_ids(known, names)), dtype=np.uint32)
    whole, rounded = False, set[int]()
    coverage: np.ndarray | None = None
    for id_channel, weight_channel in found.pairs:
        if id_channel in lossy:
            raise InputError(
                f"Cryptomatte {id_channel}: the file's compression is lossy and destroys ids.", hint=RERENDER_HINT
            )
        ids, weights = channels[id_channel], channels[weight_channel]
        if ids.dtype != np.float32:
            raise InputError(
                f"Cryptomatte {id_channel}: ids must be float32, found {ids.dtype}, which destroys them.",
                hint=RERENDER_HINT,
            )
        bits = np.ascontiguousarray(ids).view(np.uint32)
        whole = whole or bool((bits & 0xFF).any())
        if not whole and bits.any():
            rounded.update(np.unique(bits).tolist())
        share = np.where(np.isin(bits, wanted), weights.astype(np.float32), np.float32(0))
        coverage = share if coverage is None else coverage + share
    assert coverage is not None  # A layer has at least one rank.
    if not whole:
        _require_whole(found.name, rounded - {0, NO_PIXEL_ID}, wanted, known)
    return _clipped(coverage)


def manifest(channels: Iterable[str], header: Mapping[str, Any], *, layer: str, folder: Path | None = None) -> Manifest:
    """What a Cryptomatte layer's manifest says, out of a header and maybe a file beside the frame.

    Raises:
        InputError: as `cryptomatte` does.
    """
    return stored.read_manifest(stored.find_layer(layer, channels).name, header, folder)


def _require_whole(layer: str, there: Set[int], wanted: np.ndarray, known: Mapping[str, int] | None) -> None:
    """Raise InputError where ids have lost bits before, in another file or on the way through a program.

    Those end in zeros, one and all. By accident one id in 256 ends in 8 of them, so it takes several, or a manifest
    that knows none of them.

    Args:
        there: the ids of the layer, each of which ends in 8 zero bits at least.
    """
    zeros = next(count for count, mask in TRUNCATIONS if not any(bits & mask for bits in there))
    sound = {*wanted.tolist(), *map(_usable_float, (known or {}).values())}
    if sound & there or len(there) * zeros < (CERTAIN_ZERO_BITS_WITH_MANIFEST if known else CERTAIN_ZERO_BITS):
        return
    raise InputError(
        f"Cryptomatte {layer}: every id ends in {zeros} zero bits, as after a trip through"
        f" {16 if zeros > 8 else 24} bits, which destroys them.",
        hint=RERENDER_HINT,
    )


def _ids(known: Mapping[str, int] | None, names: Sequence[str]) -> set[int]:
    """Bits that the names may have in the pixels, as some writers leave out the exponent fix."""
    if known:
        # Blender's manifest holds the plain hash, others the float's bits: the fix changes only the former.
        plain = {known[form] for name in names for form in _forms(name) if form in known}
    else:
        plain = {murmur3(name.encode("utf-8", "surrogateescape")) for name in names}
    return (plain | set(map(_usable_float, plain))) - {0}  # 0 is nothing at all


def _forms(name: str) -> tuple[str, ...]:
    """A name, and with its accents in one character and in two: which of these a program writes is chance."""
    return name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)


def in_manifest(name: str, known: Collection[str]) -> bool:
    """Whether a manifest has a name, in any of the forms that mean the same text."""
    return any(form in known for form in _forms(name))
