"""Values of RNA properties in a form whose hash is the same in every session and on every computer."""

from __future__ import annotations

import hashlib
import os
import re
from typing import Any

import bpy

from . import compat

AnimatedProperties = dict[tuple[int, str], set[int]]
"""(address of a struct, name of its property) -> array indices that keys or drivers animate."""


def hash_of(value: object) -> str:
    """16 hexadecimal digits of the value's repr; unlike hash() the same in every session."""
    return hashlib.sha256(repr(value).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def block_name(block: bpy.types.ID) -> str:
    """A data-block's type and name, which together are unique in a file and its libraries."""
    return f"{block.bl_rna.identifier} {block.name_full}"


def plain_value(value: Any) -> Any:
    """A property's value in types whose repr is the same in every session."""
    if isinstance(value, float):
        return value + 0.0  # -0.0, which edit mode makes, becomes 0.0
    if isinstance(value, (str, int, bytes)) or value is None:
        return int(value) if isinstance(value, bool) else value  # a file stores some booleans as numbers
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, bpy.types.ID):
        return block_name(value)
    if hasattr(value, "to_dict"):
        return plain_value(value.to_dict())
    if isinstance(value, dict):
        return sorted((str(name), plain_value(item)) for name, item in value.items())
    try:
        return [plain_value(item) for item in value]
    except TypeError:
        return str(type(value))


def animated_properties(block: bpy.types.ID) -> AnimatedProperties:
    """The properties of a data-block that keys or drivers animate."""
    data = getattr(block, "animation_data", None)
    animated: AnimatedProperties = {}
    for curve in compat.all_curves(data) if data else ():
        path = curve.data_path
        at = path.rfind('["') if path.endswith('"]') else path.rfind(".") + 1
        try:
            owner = block.path_resolve(path[:at].rstrip(".")) if path[:at] else block
            animated.setdefault((owner.as_pointer(), path[at:]), set()).add(curve.array_index)
        except (ValueError, AttributeError):  # the curve animates nothing, or something that was removed
            continue
    return animated


def file_stamp(path: str, owner: Any, library: bpy.types.Library | None) -> tuple[Any, ...] | None:
    """Name, size and time of a file that a property names; of a sequence, those of all its files.

    Without the folder: projects are moved, and files saved elsewhere.

    Args:
        path: the property's value; None is returned where it is empty.
        owner: the struct that has the property, such as an image.
        library: the library that the data-block comes from: // means its folder.
    """
    if not path:
        return None
    path = bpy.path.abspath(path, library=library)
    folder, name = os.path.split(path)
    if getattr(owner, "source", "") in {"SEQUENCE", "TILED"} or getattr(owner, "is_sequence", False):
        name = re.sub(r"\d+(?=\D*$)|<UDIM>|<UVTILE>", "#", name)
        pattern = re.compile(re.escape(name).replace(r"\#", "#").replace("#", r"-?\w+"))
        try:
            with os.scandir(folder) as entries:
                files = sorted(
                    (entry.name, *_size_and_time(entry.stat())) for entry in entries if pattern.fullmatch(entry.name)
                )
        except OSError:
            files = []
        return name, hash_of(files)
    try:
        return name, *_size_and_time(os.stat(path))
    except OSError:
        return (name,)


def _size_and_time(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_size, stat.st_mtime_ns  # nanoseconds: tools can write a texture twice within a second
