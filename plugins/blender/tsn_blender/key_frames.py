"""The settings of a node whose style is key frames, and their markers on the timeline."""
# Blender reads properties from annotations, so these must not become strings: no `from __future__ import annotations`.
# mypy: disable-error-code="valid-type"

from typing import Any

import bpy
from bpy.props import CollectionProperty, IntProperty, StringProperty

from . import compat, rna_values
from .shared.key_style import DEFAULT_MINUTES, MOST_MINUTES

STATIC: dict[str, set[str]] = {"options": set()}
PATH = {"options": compat.RELATIVE_PATH}
MARKER = "key "
"""How the names of markers begin; the name of the node's files follows."""


def _moved(self: Any, context: bpy.types.Context) -> None:
    show_on_timeline(self.id_data, context.scene)


class TSNKey(bpy.types.PropertyGroup):
    """A painted frame."""

    frame: IntProperty(name="Frame", description="The frame that was painted", update=_moved, **STATIC)
    file: StringProperty(name="File", subtype="FILE_PATH", description="The painted frame", **PATH)


class TSNKeySettings(bpy.types.PropertyGroup):
    """What a node shows for key frames."""

    frames: CollectionProperty(type=TSNKey)
    painting: StringProperty(name="Painting", subtype="FILE_PATH", description="A picture to paint a key like", **PATH)
    minutes: IntProperty(
        name="Minutes to learn",
        default=DEFAULT_MINUTES,
        min=1,
        max=MOST_MINUTES,
        description="Time that learning the keys may take; more makes the paint crisper",
        **STATIC,
    )

    def files(self) -> dict[int, str]:
        """Frame -> absolute path of each key."""
        return {key.frame: compat.absolute_path(key.file) for key in self.frames}

    def painting_path(self) -> str:
        """The absolute path of the painting, or ""."""
        return compat.absolute_path(self.painting)

    def paint_key(self) -> tuple[Any, ...]:
        """Every setting that the paint depends on."""
        stamps = sorted((key.frame, rna_values.file_stamp(key.file, key, None)) for key in self.frames)
        return (stamps, self.minutes)


def add_key(tree: bpy.types.NodeTree, scene: bpy.types.Scene, frame: int, file: str) -> None:
    """Add a key to an inner tree, or give the one of this frame another file, and show it on the timeline."""
    keys = tree.tsn.key_frames.frames
    key = next((one for one in keys if one.frame == frame), None) or keys.add()
    key.frame = frame
    key.file = compat.relative_path(file) if file else ""
    show_on_timeline(tree, scene)


def remove_key(tree: bpy.types.NodeTree, scene: bpy.types.Scene, frame: int) -> None:
    """Take a key out of the list; its file stays."""
    keys = tree.tsn.key_frames.frames
    for index in reversed([i for i, one in enumerate(keys) if one.frame == frame]):
        keys.remove(index)
    show_on_timeline(tree, scene)


def show_on_timeline(tree: bpy.types.NodeTree, scene: bpy.types.Scene) -> None:
    """Make the scene's markers of a node those of its keys. Markers of others stay."""
    name = MARKER + tree.tsn.basename
    wanted = {key.frame for key in tree.tsn.key_frames.frames} if tree.tsn.source == "KEYS" else set()
    for marker in [one for one in scene.timeline_markers if one.name == name]:
        if marker.frame in wanted:
            wanted.remove(marker.frame)
        else:
            scene.timeline_markers.remove(marker)
    for frame in sorted(wanted):
        scene.timeline_markers.new(name, frame=frame)
