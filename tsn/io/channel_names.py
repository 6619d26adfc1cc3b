"""How programs spell the same channel: one table for RGB, Cryptomatte ranks, mattes and motion vectors.

OpenEXR's own names are R, G, B, A. Renderers and compositors also write r, g, b, a, and red, green, blue, alpha, in
any case. A channel is what stands after the last dot of a full name; what stands before it, the layer, is never
guessed at. Where a file spells one channel twice, nobody can tell which is meant: that is a question, not a guess.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

RGBA = ("r", "g", "b", "a")
_LONG = {"red": "r", "green": "g", "blue": "b", "alpha": "a"}
VIEWER_RGBA = ("R", "G", "B", "A")
"""What the OpenEXR format names the picture, and what every viewer shows."""
VECTOR_CHANNELS = (("x", "y"), ("u", "v"), ("r", "g"))
"""Horizontal and vertical part of a 2D vector, as layers of motion call them."""


class AmbiguousChannel(Exception):
    """Several names for one channel; `names` are those."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(" or ".join(names))
        self.names = tuple(names)


def split_name(name: str) -> tuple[str, str]:
    """A full name's layer ("" for none) and its channel."""
    layer, _, channel = name.rpartition(".")
    return layer, channel


def canonical_channel(channel: str) -> str:
    """What a channel stands for: r, g, b, a for any spelling of these, else its name in lower case."""
    small = channel.lower()
    return _LONG.get(small, small)


def canonical_name(name: str) -> tuple[str, str]:
    """What two spellings of one full name have in common."""
    layer, channel = split_name(name)
    return layer, canonical_channel(channel)


def colour_channels(channels: Iterable[str]) -> dict[str, str]:
    """The spelling that one layer has of each of r, g, b, a; without those that it lacks.

    R, G, B go before anything else that is there, as in every viewer; and of several alphas the one that is
    spelled like the colours.

    Raises:
        Twice: a colour is there in two spellings.
    """
    names = list(channels)
    viewed = set(VIEWER_RGBA[:3]) <= set(names)
    result: dict[str, str] = {}
    for colour, viewer in zip(RGBA, VIEWER_RGBA, strict=True):
        found = [name for name in names if canonical_channel(name) == colour]
        if viewed and viewer in found:
            found = [viewer]
        if colour == "a" and len(found) > 1:
            found = [name for name in found if {_style(other) for other in result.values()} == {_style(name)}] or found
        if len(found) > 1:
            raise AmbiguousChannel(found)
        if found:
            result[colour] = found[0]
    return result


def _style(channel: str) -> tuple[bool, bool, bool]:
    return len(channel) > 1, channel.isupper(), channel.istitle()


def match_names(name: str, known: Collection[str]) -> list[str]:
    """Which of the known names somebody may mean: one is an answer, several are a question.

    The name itself; else every name that ends in it (Blender puts the view layer before the dot) and every other
    spelling of it; else every name that ends in another spelling.
    """
    if name in known:
        return [name]
    wanted = canonical_name(name)
    near = [one for one in known if one.endswith(f".{name}") or canonical_name(one) == wanted]
    if near:
        return near
    layer, channel = wanted
    end = f".{layer}" if layer else ""
    return [one for one in known if canonical_name(one)[1] == channel and canonical_name(one)[0].endswith(end)]
