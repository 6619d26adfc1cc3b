"""Cryptomatte in a file: the channels that are the ranks of a layer, and its manifest.

After the specification of Friedman and Jones (Psyop, 2015), version 1.2.0: a header has
`cryptomatte/<key>/name`, `hash`, `conversion`, and `manifest` (JSON, name -> hash in hex) or `manif_file` (the same
in a file beside the frame). `tsn.matte` makes mattes of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from tsn.errors import InputError, near_miss
from tsn.io.channel_names import RGBA, AmbiguousChannel, canonical_channel, colour_channels, split_name

_RANKED = re.compile(r"(?P<layer>.+?)(?P<rank>\d\d)")
"""Layer of a rank: a name and two digits, `crypto_object00`; its channels are pairs (id, coverage), R, G and B, A."""


@dataclass(frozen=True, kw_only=True)
class CryptomatteLayer:
    """A Cryptomatte layer: its full name, and the channels (id, coverage) of its ranks in order."""

    name: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The names of a layer's objects.

    Attributes:
        names: name -> hash; None without a manifest, where ids can only be made by hashing names.
        note: a sentence why a manifest that the header names can't be used; None where there is no fault.
    """

    names: Mapping[str, int] | None
    note: str | None = None


def find_layer(wanted: str, channels: Iterable[str]) -> CryptomatteLayer:
    """Find a Cryptomatte layer by its name.

    Args:
        wanted: its full name, or the end of it after a dot (Blender puts the view layer first); else another spelling
            of that (`crypto_object` for `ViewLayer.CryptoObject`), or with the two digits of a rank.
        channels: full names of all channels.

    Raises:
        InputError: no such layer, several of them, or one that lacks channels of a rank.
    """
    ranks: dict[str, dict[str, dict[str, str]]] = {}
    for channel in channels:
        stem, word = split_name(channel)
        if canonical_channel(word) in RGBA and (part := _RANKED.fullmatch(stem)):
            ranks.setdefault(part["layer"], {}).setdefault(part["rank"], {})[word] = channel
    whole = {name: pairs for name in ranks if (pairs := _pairs(ranks[name])) is not None}
    found = match_ending(wanted, whole) or [name for name in whole if _same_letters(wanted, name)]
    if len(found) == 1:
        return CryptomatteLayer(name=found[0], pairs=whole[found[0]])
    if not found and (broken := match_ending(wanted, ranks)):
        names = [channel for rank in ranks[broken[0]].values() for channel in rank.values()]
        raise InputError(
            f"The Cryptomatte layer {broken[0]!r} is not whole:"
            f" each rank needs R, G, B, A once, found {', '.join(names)}.",
            hint="Render the layer with all its channels.",
        )
    raise_unmatched("Cryptomatte layer", wanted, found, whole)
    raise AssertionError("raise_unmatched raises")


def match_ending(name: str, known: Iterable[str]) -> list[str]:
    """The name itself where it is known, else all known names that end in it after a dot."""
    names = list(known)
    return [name] if name in names else [one for one in names if one.endswith(f".{name}")]


def raise_unmatched(kind: str, name: str, found: Sequence[str], known: Iterable[str]) -> None:
    """Raise InputError for a name that is unknown, or that matches several names."""
    if found:
        raise InputError(
            f"The {kind} {name!r} could be any of {', '.join(found)}.",
            hint=f"Give the whole name, such as {found[0]!r}.",
        )
    names = list(known)
    # Near-misses among the endings too: artists leave out the view layer.
    words = [one.split(".") for one in names]
    ends = [".".join(parts[start:]) for parts in words for start in range(1, len(parts))]
    raise InputError(
        f"The plate has no {kind} {name!r}; it has {', '.join(names) or 'none at all'}.",
        hint=near_miss(name, [*names, *ends]) or "Render the layer with the plate, or take the matte out of the shot.",
    )


def _pairs(ranks: Mapping[str, Mapping[str, str]]) -> tuple[tuple[str, str], ...] | None:
    """(id, coverage) of every rank in order; None where a pair is incomplete, as in RGB layers with digits."""
    result = []
    for _, rank in sorted(ranks.items()):
        try:
            words = colour_channels(rank)
        except AmbiguousChannel:
            return None
        if set(words) not in ({*"rgba"}, {*"rg"}):
            return None
        four = [rank[word] for word in words.values()]
        result += [(four[0], four[1]), *([(four[2], four[3])] if len(four) == 4 else [])]
    return tuple(result)


def _same_letters(end: str, name: str) -> bool:
    """Whether a name, or its end after a dot, has the same letters: crypto_object, ViewLayer.CryptoObject."""
    words = name.split(".")
    letters = _letters(end)
    return letters != "" and any(letters == _letters("".join(words[start:])) for start in range(len(words)))


def _letters(name: str) -> str:
    return "".join(char for char in re.sub(r"\d\d$", "", name) if char.isalnum()).casefold()


def layer_metadata(name: str, header: Mapping[str, Any]) -> dict[str, str]:
    """The header's `cryptomatte/<key>/...` of a layer, by their last word; empty where it has none.

    The key is the one whose `name` is the layer's, or its end after a dot, or another spelling of that.
    """
    groups: dict[str, dict[str, str]] = {}
    for key, value in header.items():
        if (part := re.fullmatch(r"cryptomatte/([^/]+)/([^/]+)", key)) and isinstance(value, str):
            groups.setdefault(part[1], {})[part[2]] = value
    names = {key: group["name"] for key, group in groups.items() if "name" in group}
    exact = [key for key, value in names.items() if value == name]
    ending = [key for key, value in names.items() if name.endswith(f".{value}")]
    alike = [key for key, value in names.items() if _same_letters(value, name) or _same_letters(name, value)]
    found = exact[:1] or ending[:1] or alike
    return groups[found[0]] if len(found) == 1 else {}


def read_manifest(name: str, header: Mapping[str, Any], folder: Path | None = None) -> Manifest:
    """Read the manifest of a layer: the embedded one, else the sidecar file.

    Args:
        name: the layer's full name.
        folder: of the frame, in which a sidecar lies.

    Raises:
        InputError: the ids are made by another hash or conversion than tsn knows.
    """
    metadata = layer_metadata(name, header)
    for key, expected in (("hash", "MurmurHash3_32"), ("conversion", "uint32_to_float32")):
        if metadata.get(key, expected) != expected:
            raise InputError(f"Cryptomatte {name}: {key} is {metadata[key]!r}, expected {expected!r}.")
    notes = []
    if "manifest" in metadata:
        names = _parsed(metadata["manifest"])
        if names is not None:
            return Manifest(names=names)
        notes.append("the manifest in the header is damaged")
    if sidecar := metadata.get("manif_file"):
        names, fault = _beside(sidecar, folder)
        if names is not None:
            return Manifest(names=names)
        notes.append(f"the manifest {sidecar!r} beside the frame {fault}")
    if not notes:
        return Manifest(names=None)
    why = " and ".join(notes)
    return Manifest(
        names=None, note=f"Cryptomatte {name}: {why}; ids are hashed from the names, so check how they are spelt."
    )


def _beside(sidecar: str, folder: Path | None) -> tuple[Mapping[str, int] | None, str]:
    """The names in a sidecar file, and what is wrong with it."""
    path = PurePosixPath(sidecar.replace("\\", "/"))
    if folder is None:
        return None, "can't be looked for"
    for place in (folder / path, folder / path.name):  # a copied plate may have its sidecar beside it
        try:
            return _read(place, place.stat().st_mtime_ns), "is damaged"
        except (OSError, ValueError):
            continue
    return None, "is not there"


@lru_cache(maxsize=4)  # all frames of a plate may share one, of many megabytes; the date is for the cache only
def _read(path: Path, _modified_ns: int) -> Mapping[str, int] | None:
    return _parsed(path.read_bytes().decode("utf-8", "surrogateescape"))


def _parsed(text: str) -> Mapping[str, int] | None:
    """Name -> 32 bits, from JSON; None where it is damaged."""
    try:
        names = {str(name): int(digits, 16) for name, digits in json.loads(text.removeprefix("\ufeff")).items()}
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None
    return names if all(0 <= number < 1 << 32 for number in names.values()) else None
