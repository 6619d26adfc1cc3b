"""What the node looks like, and where it is found."""

import bpy

from . import compat, frames, job, state, styles, tree


def draw_node(node, context, layout):
    """The body of a TSN node."""
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
    _draw_work(node, context, layout.column(align=True))


def _draw_painting(settings, column):
    column.prop(settings, "painting", text="")
    picture = styles.painting_icon(bpy.path.abspath(settings.painting))
    if picture:
        column.template_icon(picture, scale=5)
    column.prop(settings, "colours")


def _draw_work(node, context, column):
    settings = node.node_tree.tsn
    work = job.running.get(settings.uid)
    if work is not None:
        compat.progress(column, work.factor, str(work))
        if work.note:
            for line in _wrapped(work.note, node.width):
                column.label(text=line)
        column.operator("tsn.cancel", icon="CANCEL").uid = settings.uid
        return
    column.operator_context = "INVOKE_DEFAULT"
    button = column.operator("tsn.render", text="Preview This Frame", icon="RENDER_STILL")
    button.uid, button.preview = settings.uid, True
    button = column.operator("tsn.render", icon="RENDER_ANIMATION")
    button.uid, button.preview = settings.uid, False
    column.operator("tsn.shot_file", icon="TEXT").uid = settings.uid
    scene = tree.scene_of(node.id_data, context.scene)
    if scene is None:
        column.label(text="Works in a scene's own tree only", icon="ERROR")
        return
    there, wanted, stale = state.standing(node, scene)
    column.label(text=frames.status(there=there, wanted=wanted, stale=stale), icon="TIME" if stale else "NONE")
    if settings.shown == "PREVIEW":
        column.label(text=f"Showing a preview of frame {settings.shown_frame}")
    if there and settings.shown != "RANGE":
        column.operator("tsn.reload", icon="FILE_REFRESH").uid = settings.uid
    for line in _wrapped(settings.message, node.width):
        column.label(text=line, icon="ERROR")


def _wrapped(text, width):
    """A sentence in lines that fit a node: labels don't wrap."""
    line, room = "", max(20, int(width / 7))
    for word in text.split():
        if line and len(line) + len(word) >= room:
            yield line
            line = ""
        line = f"{line} {word}".strip()
    if line:
        yield line


def _add(self, context):
    if context.space_data.tree_type == "CompositorNodeTree":
        button = self.layout.operator("node.add_node", text="TSN Stylize", icon="BRUSH_DATA")
        button.type, button.use_transform = tree.NODE, True


def register():
    bpy.types.NODE_MT_add.append(_add)


def unregister():
    bpy.types.NODE_MT_add.remove(_add)
