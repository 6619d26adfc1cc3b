"""The knobs for key frames. The keyframes of one of them are the keys, so that Nuke's timeline shows them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from . import stroke_knobs
from .group_node import KEY_PREFIX, KNOB_PREFIX
from .node_folder import base_name, node_folder
from .shared import key_style
from .shared.tsn_process import PluginError

KEY = 1
"""The value that every keyframe has; nothing reads it."""


def style(node: Any, frames: list[int]) -> key_style.KeyStyle:
    """The keys for the shot file. Raises PluginError where one is missing or outside of the frames."""
    files = {frame: str(key_file(node, frame)) for frame in key_frames(node)}
    if error := key_style.error(files, frames):
        raise PluginError(error)
    ids = stroke_knobs.cryptomatte_layer(node.input(0).channels())
    return key_style.KeyStyle(files=files, minutes=int(_knob(node, "minutes").value()), ids=ids)


def key_frames(node: Any) -> list[int]:
    """The frames of the keys, ascending."""
    curve = _knob(node, "marks").animation(0)
    return sorted({round(key.x) for key in curve.keys()}) if curve is not None else []  # noqa: SIM118 (no dict)


def add_key(node: Any, frame: int) -> None:
    """Set a keyframe, which is a key."""
    marks = _knob(node, "marks")
    if marks.animation(0) is None:
        marks.setAnimated()
    marks.setValueAt(KEY, frame)


def key_file(node: Any, frame: int) -> Path:
    """The file of a key: the artist's own pattern, or where *Export frame to paint* writes it."""
    pattern = _knob(node, "file").evaluate() or ""
    if not pattern:
        return key_style.key_file(node_folder(node, preview=False), base_name(node), frame)
    return Path(re.sub(r"#+|%(0\d+)?d", lambda found: f"{frame:0{_digits(found[0])}d}", pattern))


def painting(node: Any) -> str:
    """The painting to paint a key like, or ""."""
    return _knob(node, "painting").evaluate() or ""


def _digits(number: str) -> int:
    return len(number) if number.startswith("#") else int(number[1:-1] or 1)


def _knob(node: Any, name: str) -> Any:
    return node[KNOB_PREFIX + KEY_PREFIX + name]
