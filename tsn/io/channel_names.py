"""The spellings of a channel: one table for RGB, Cryptomatte ranks, mattes and motion vectors.

OpenEXR's own names are R, G, B, A. Renderers and compositors also write r, g, b, a, and red, green, blue, alpha, in
upper or lower case. The channel is what follows the last dot of a full name; what precedes it is the layer, which has
one spelling only. Where a file has one channel in two spellings, `AmbiguousChannel` is raised: none is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

RGBA = ("r", "g", "b", "a")
"""The canonical names of colour channels."""
_LONG = {"red": "r", "green": "g", "blue": "b", "alpha": "a"}
VIEWER_RGBA = ("R", "G", "B", "A")
"""The names of the OpenEXR format, which every viewer shows."""
VECTOR_CHANNELS = (("x", "y"), ("u", "v"), ("r", "g"))
"""Canonical names of the horizontal and vertical component in a layer of motion vectors."""


class AmbiguousChannel(Exception):
    """A channel has several spellings in one layer: `names`."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(" or ".join(names))
        self.names = tuple(names)


def split_name(name: str) -> tuple[str, str]:
    """Split a full name into its layer ("" for none) and its channel."""
    layer, _, channel = name.rpartition(".")
    return layer, channel


def canonical_channel(channel: str) -> str:
    """r, g, b or a for any spelling of these, else the channel's name in lower case."""
    small = channel.lower()
    return _LONG.get(small, small)


def canonical_name(name: str) -> tuple[str, str]:
    """Layer and canonical channel: equal for two spellings of the same full name."""
    layer, channel = split_name(name)
    return layer, canonical_channel(channel)


def colour_channels(channels: Iterable[str]) -> dict[str, str]:
    """Canonical name -> spelling, of those of r, g, b, a that a layer has.

    R, G, B win over other spellings, as in every viewer; of several alphas, the one in the style of the colours wins.

    Raises:
        AmbiguousChannel: the layer has a colour in two spellings.
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
    """Whether a channel's name is long, upper case, and capitalised."""
    return len(channel) > 1, channel.isupper(), channel.istitle()


def match_names(name: str, known: Collection[str]) -> list[str]:
    """The known names that match a name: one is an answer, several are ambiguous, none is an error.

    The name itself; else every name that ends in it after a dot (Blender puts the view layer first) and every other
    spelling of it; else every name that ends in another spelling of it.
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
