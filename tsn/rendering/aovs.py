"""AOVs of a plate frame on the canvas, by the names that a shot gives them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from tsn import io, matte
from tsn.errors import InputError, near_miss
from tsn.io.channel_names import canonical_channel, match_names, split_name
from tsn.io.frame import Box, Frame

COMPONENTS = (("x", "y", "z"), ("r", "g", "b"), ("u", "v"), ("x", "y"), ("r", "g"))
"""Names of the components of a layer with two or three, in the order in which they are looked for."""
SOLID = 254 / 255
"""Alpha from which on a pixel shows nothing but its element."""


def read_channel(frame: Frame, key: str, name: str, canvas: Box) -> np.ndarray:
    """A channel, float32 (H, W); NaN outside the data window.

    Args:
        key: of the shot file that names it, for messages.

    Raises:
        InputError: the frame has no such channel, or several that could be meant.
    """
    found = match_names(name, list(frame.channels))
    if len(found) != 1:
        raise _not_found(f"style.{key}", "channel", name, found, frame.channels)
    return _on_canvas(frame.channels[found[0]], frame, canvas)


def read_layer(frame: Frame, key: str, name: str, canvas: Box) -> np.ndarray:
    """A layer with two or three components, float32 (C, H, W); otherwise as `read_channel`."""
    components = _components(key, name, frame.channels)
    return np.stack([_on_canvas(frame.channels[each], frame, canvas) for each in components])


def read_surface(frame: Frame, key: str, name: str, canvas: Box) -> np.ndarray:
    """Coordinates on a surface (C, H, W), NaN where there is none: renderers write 0 into all of them there.

    At the rim of an element they are means of something and nothing, so they count where alpha is 1, within a code.
    """
    found = read_layer(frame, key, name, canvas)
    nowhere = (found == 0).all(0)
    if frame.alpha is not None:
        nowhere |= ~(io.place(frame.alpha.astype(np.float32), frame.data_window, canvas) > SOLID)
    found[:, nowhere] = np.nan
    return found


def read_ids(frame: Frame, layer: str, canvas: Box) -> np.ndarray:
    """The object that covers most of each pixel, uint32 (H, W); 0 where none does."""
    return io.place(matte.dominant_ids(frame.channels, layer=layer, lossy=frame.lossy), frame.data_window, canvas)


def _on_canvas(pixels: np.ndarray, frame: Frame, canvas: Box) -> np.ndarray:
    return io.place(pixels.astype(np.float32), frame.data_window, canvas, fill=np.nan)


def _components(key: str, name: str, channels: Collection[str]) -> list[str]:
    """The channels of a layer with two or three components."""
    layers: dict[str, dict[str, str]] = {}
    for full in channels:
        layer, word = split_name(full)
        layers.setdefault(layer, {})[canonical_channel(word)] = full
    found = [name] if name in layers else [layer for layer in layers if layer.endswith(f".{name}")]
    if len(found) != 1:
        raise _not_found(f"style.{key}", "layer", name, found, [layer for layer in layers if layer])
    words: Mapping[str, str] = layers[found[0]]
    for wanted in COMPONENTS:
        if set(wanted) <= words.keys():
            return [words[word] for word in wanted]
    raise InputError(
        f"style.{key}: the layer {found[0]!r} needs two or three of X, Y, Z, or of U, V, or of R, G, B;"
        f" found {', '.join(words.values())}."
    )


def _not_found(key: str, kind: str, name: str, found: Collection[str], known: Collection[str]) -> InputError:
    if found:
        first, *_ = found
        return InputError(
            f"{key}: the {kind} {name!r} could be any of {', '.join(found)}.",
            hint=f"Give the whole name, such as {first!r}.",
        )
    return InputError(
        f"{key}: the plate has no {kind} {name!r}; it has {', '.join(known) or 'none at all'}.",
        hint=near_miss(name, known) or "Render it with the plate, or take it out of the shot.",
    )
