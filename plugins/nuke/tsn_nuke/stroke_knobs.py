"""The knobs for brush strokes, read: at every frame, since their numbers may have keys or expressions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .group_node import KNOB_PREFIX, STROKE_PREFIX
from .shared import shot_yaml, stroke_style
from .shared.tsn_process import PluginError


def preset(node: Any) -> str:
    """The preset as the shot file has it: a name, or an artist's own file."""
    return _path(node, "file") or str(_knob(node, "preset").value())


def check(node: Any, frames: Sequence[int]) -> None:
    """Raise PluginError where tsn could not use a knob, before anything is rendered."""
    file, palette = _path(node, "file"), _path(node, "palette")
    error = stroke_style.preset_file_error(file) if file else None
    if palette:
        error = error or shot_yaml.style_file_error(palette, painting=True)
    error = error or stroke_style.range_error(_numbers(node, frames))
    if _knob(node, "ground").value() == "colour":
        error = error or stroke_style.colour_error(str(_knob(node, "colour").value()))
    surface, channels = _surface(node), node.input(0).channels()
    if surface and not any(channel.startswith(f"{surface}.") for channel in channels):
        error = error or f"The input has no layer {surface!r} for the strokes' surface."
    if error:
        raise PluginError(error)


def style(node: Any, frames: Sequence[int]) -> stroke_style.StrokeStyle:
    """All that the knobs say beside the preset, for the shot file."""
    ground = str(_knob(node, "ground").value())
    channels = node.input(0).channels()
    return stroke_style.StrokeStyle(
        numbers=_numbers(node, frames),
        palette=_path(node, "palette") or "plate",
        ground={"preset": None, "colour": str(_knob(node, "colour").value())}.get(ground, ground),
        ids=cryptomatte_layer(channels) if _knob(node, "borders").value() else None,
        surface=_surface(node) or None,
        aovs=[name for name in stroke_style.LAYERS if _knob(node, name).value()],
    )


def cryptomatte_layer(channels: Iterable[str]) -> str | None:
    """The Cryptomatte layer of objects among an input's channels, or its first one, or None.

    The channels of a layer CryptoObject are CryptoObject00.red and so on.
    """
    layers = {channel.rsplit(".", 1)[0] for channel in channels}
    found = sorted(layer[:-2] for layer in layers if layer.endswith("00") and "crypto" in layer.lower())
    return next((layer for layer in found if "object" in layer.lower()), found[0] if found else None)


def _numbers(node: Any, frames: Sequence[int]) -> dict[str, dict[int, float]]:
    names = [name for name in stroke_style.NUMBERS if name != "relief" or _knob(node, "own_relief").value()]
    return {name: {frame: _knob(node, name).getValueAt(frame) for frame in frames} for name in names if frames}


def _surface(node: Any) -> str:
    return str(_knob(node, "surface").value()).strip()


def _path(node: Any, name: str) -> str:
    return _knob(node, name).evaluate() or ""


def _knob(node: Any, name: str) -> Any:
    return node[KNOB_PREFIX + STROKE_PREFIX + name]
