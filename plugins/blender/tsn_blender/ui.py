"""Draw the node, and add it to the Add menu."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from . import compat, frame_status, node_render, node_trees, styles
from .shared import frame_numbers


def draw_node(node: bpy.types.Node, context: bpy.types.Context, layout: bpy.types.UILayout) -> None:
    """Draw the body of a TSN node."""
    if node.node_tree is None:
        layout.label(text="The inner tree is gone: add a new node", icon="ERROR")
        return
    settings = node.node_tree.tsn
    column = layout.column()
    column.prop(settings, "source", text="")
    if settings.source == "STYLE":
        column.template_icon_view(settings, "style", show_labels=True, scale_popup=5)
        column.label(text=settings.style_name)
    elif settings.source == "FILE":
        column.prop(settings, "file", text="")
    elif settings.source == "STROKES":
        _draw_strokes(settings.strokes, column)
    elif settings.source == "KEYS":
        _draw_keys(settings, column)
    else:
        _draw_painting(settings, column)
    column.prop(settings, "window")
    column.prop(settings, "scene_range")
    if not settings.scene_range:
        row = column.row(align=True)
        row.prop(settings, "frame_start")
        row.prop(settings, "frame_end")
    row = column.row(align=True)
    row.prop_search(settings, "matte_object", bpy.data, "objects", text="Matte")
    if settings.matte_object:
        row.prop(settings, "matte_invert", text="", icon="ARROW_LEFTRIGHT")
    column.prop(settings, "folder", text="")
    column.prop(settings, "basename")
    _draw_render(node, context, layout.column(align=True))


def _draw_painting(settings: Any, column: bpy.types.UILayout) -> None:
    column.prop(settings, "painting", text="")
    _draw_thumbnail(settings.painting, column)
    column.prop(settings, "colours")


def _draw_thumbnail(path: str, column: bpy.types.UILayout) -> None:
    icon = styles.painting_icon(bpy.path.abspath(path))
    if icon:
        column.template_icon(icon, scale=5)


def _draw_keys(settings: Any, column: bpy.types.UILayout) -> None:
    keys = settings.key_frames
    rows = column.column(align=True)
    for key in sorted(keys.frames, key=lambda one: one.frame):
        row = rows.row(align=True)
        frame = row.row(align=True)
        frame.scale_x = 0.5
        frame.prop(key, "frame", text="")
        row.prop(key, "file", text="")
        for name, icon in (("tsn.key_edit", "GREASEPENCIL"), ("tsn.key_remove", "X")):
            button = row.operator(name, text="", icon=icon)
            button.uid, button.frame = settings.uid, key.frame
    if settings.uid not in node_render.running:
        buttons = column.column(align=True)
        buttons.operator_context = "INVOKE_DEFAULT"
        buttons.operator("tsn.key_export", icon="EXPORT").uid = settings.uid
        buttons.operator("tsn.key_add", icon="ADD").uid = settings.uid
        buttons.operator("tsn.key_paint", icon="BRUSH_DATA").uid = settings.uid
        column.prop(keys, "painting")
        _draw_thumbnail(keys.painting, column)
        buttons = column.column(align=True)
        buttons.operator_context = "INVOKE_DEFAULT"
        buttons.operator("tsn.learn", icon="PLAY").uid = settings.uid
        buttons.prop(keys, "minutes")


def _draw_strokes(strokes: Any, column: bpy.types.UILayout) -> None:
    if not strokes.file:
        column.template_icon_view(strokes, "preset", show_labels=True, scale_popup=5)
        column.label(text=strokes.preset_name)
    column.prop(strokes, "file")
    column.prop(strokes, "palette")
    _draw_thumbnail(strokes.palette, column)
    numbers = column.column(align=True)
    for name in ("size", "detail", "length", "density", "opacity", "jitter"):
        numbers.prop(strokes, name, slider=True)
    row = column.row(align=True)
    row.prop(strokes, "own_relief", text="")
    relief = row.row(align=True)
    relief.active = strokes.own_relief
    relief.prop(strokes, "relief", slider=True)
    column.prop(strokes, "light")
    column.prop(strokes, "hold")
    column.prop(strokes, "ground")
    if strokes.ground == "COLOUR":
        column.prop(strokes, "ground_colour", text="")
    column.prop(strokes, "surface")
    column.prop(strokes, "borders")
    column.label(text="Layers beside the paint")
    column.grid_flow(columns=2, align=True).prop(strokes, "layers")


def _draw_render(node: bpy.types.Node, context: bpy.types.Context, column: bpy.types.UILayout) -> None:
    """The progress bar while the node is rendered, else the buttons and the status."""
    settings = node.node_tree.tsn
    render = node_render.running.get(settings.uid)
    if render is not None:
        compat.progress(column, render.factor, str(render))
        for line in _wrap(render.note, node.width):
            column.label(text=line)
        column.operator("tsn.cancel", icon="CANCEL").uid = settings.uid
        return
    column.operator_context = "INVOKE_DEFAULT"
    button = column.operator("tsn.render", text="Preview This Frame", icon="RENDER_STILL")
    button.uid, button.preview = settings.uid, True
    button = column.operator("tsn.render", icon="RENDER_ANIMATION")
    button.uid, button.preview = settings.uid, False
    column.operator("tsn.shot_file", icon="TEXT").uid = settings.uid
    scene = node_trees.scene_of_tree(node.id_data, context.scene)
    if scene is None:
        column.label(text="Works in a scene's own tree only", icon="ERROR")
        return
    painted, requested, stale = frame_status.frame_sets(node, scene)
    status = frame_numbers.status_line(painted=painted, requested=requested, stale=stale)
    column.label(text=status, icon="TIME" if stale else "NONE")
    if settings.shown == "PREVIEW":
        column.label(text=f"Showing a preview of frame {settings.shown_frame}")
    if painted and settings.shown != "RANGE":
        column.operator("tsn.reload", icon="FILE_REFRESH").uid = settings.uid
    for line in _wrap(settings.message, node.width):
        column.label(text=line, icon="ERROR")


def _wrap(text: str, width: float) -> Iterator[str]:
    """A text in lines that fit a node of a width in pixels, at 7 pixels a letter: labels don't wrap."""
    line, letters = "", max(20, int(width / 7))
    for word in text.split():
        if line and len(line) + len(word) >= letters:
            yield line
            line = ""
        line = f"{line} {word}".strip()
    if line:
        yield line


def _add(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    if context.space_data.tree_type == "CompositorNodeTree":
        button = self.layout.operator("node.add_node", text="TSN Stylize", icon="BRUSH_DATA")
        button.type, button.use_transform = node_trees.NODE_TYPE, True


def register() -> None:
    """Add the node to the Add menu."""
    bpy.types.NODE_MT_add.append(_add)


def unregister() -> None:
    """Remove it."""
    bpy.types.NODE_MT_add.remove(_add)
