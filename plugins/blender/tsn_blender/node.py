"""The node, and its settings.

The settings belong to the inner tree, not to the node: a tree is what Blender copies, appends, undoes and saves as one
thing, and what is left of the node in a frozen file (see `freeze`).
"""

import contextlib
import os
import uuid

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, PointerProperty, StringProperty

from . import compat, looks, result, styles, tree

STILL = {"options": set()}
"""Not animatable: a shot has one value of each. Strength, which is a socket, can be keyed."""
PATH = {"options": compat.RELATIVE_PATH}
COPIED = "tsn_copied"
_adopted = []


def _style_items(self, context):
    return styles.items()


def _style_get(self):
    return styles.number(self.style_name)


def _style_set(self, number):
    self.style_name = styles.name(number)


class TSNSettings(bpy.types.PropertyGroup):
    """What a node asks of tsn, and what became of it."""

    uid: StringProperty(options={"HIDDEN"})
    basename: StringProperty(name="Name", description="What its shot file and frames are called", **STILL)
    source: EnumProperty(
        name="Style from",
        items=[
            ("STYLE", "Shipped", "A style that comes with tsn"),
            ("FILE", "File", "A .safetensors or .onnx file"),
            ("PAINTING", "Painting", "A picture to paint like"),
        ],
        **STILL,
    )
    style_name: StringProperty(default=styles.FIRST, **STILL)
    style: EnumProperty(name="Style", items=_style_items, get=_style_get, set=_style_set, **STILL)
    file: StringProperty(name="File", subtype="FILE_PATH", description="A .safetensors or .onnx file", **PATH)
    painting: StringProperty(name="Painting", subtype="FILE_PATH", description="A picture to paint like", **PATH)
    colours: EnumProperty(
        name="Colours",
        items=[
            ("PAINTING", "Painting's", "Colours of the painting"),
            ("PLATE", "Plate's", "Strokes of the painting in the plate's own colours"),
        ],
        **STILL,
    )
    scene_range: BoolProperty(
        name="Scene range", default=True, description="Paint the frames that the scene renders", **STILL
    )
    frame_start: IntProperty(name="Start", default=1, **STILL)
    frame_end: IntProperty(name="End", default=250, **STILL)
    window: IntProperty(
        name="Window",
        default=8,
        min=0,
        max=32,
        description="Frames to each side that steady the paint; 0 = none",
        **STILL,
    )
    matte_object: StringProperty(name="Matte", description="Paint only this object, by Cryptomatte", **STILL)
    matte_invert: BoolProperty(name="Invert", description="Paint everything but the object", **STILL)
    folder: StringProperty(
        name="Folder", default="//tsn", subtype="DIR_PATH", description="Where frames and shot file go", **PATH
    )
    shown: EnumProperty(items=[(name, name, "") for name in ("NOTHING", "PREVIEW", "RANGE")], options={"HIDDEN"})
    shown_frame: IntProperty(options={"HIDDEN"})
    scene_changed: IntProperty(
        options={"HIDDEN"}, description="Odd: what no digest can see changed since frames were exported"
    )
    digest: StringProperty(options={"HIDDEN"}, description="What the digest was when the file was saved")
    version: StringProperty(options={"HIDDEN"}, description="The Blender that it was saved by")
    renamed: StringProperty(options={"HIDDEN"}, description="Digests of older Blenders, and what they are now")
    message: StringProperty(options={"HIDDEN"})

    def frames(self, scene):
        """The frames to paint, ascending."""
        if self.scene_range:
            return range(scene.frame_start, scene.frame_end + 1, scene.frame_step)
        return range(self.frame_start, self.frame_end + 1)

    def painter(self):
        """(style as tsn calls it, whether it is a painting)."""
        if self.source == "STYLE":
            return self.style_name, False
        path = bpy.path.abspath(self.file if self.source == "FILE" else self.painting)
        if path and not os.path.isabs(path):
            path = os.path.abspath(path)
        return path, self.source == "PAINTING"

    def key(self):
        """All that the paint depends on; not the range, nor where it is written."""
        path = self.file if self.source == "FILE" else self.painting
        style = self.style_name if self.source == "STYLE" else looks.stamp(path, self, None)
        colours = self.colours if self.source == "PAINTING" else ""
        return (self.source, style, colours, self.window, self.matte_object, self.matte_invert, self.scene_changed)


class TSNStylizeNode(bpy.types.CompositorNodeCustomGroup):
    """Paints what comes in, in a style that sticks to what moves"""

    bl_idname = tree.NODE
    bl_label = "TSN Stylize"
    bl_icon = "BRUSH_DATA"
    bl_width_default = 260
    bl_width_min = 220

    @classmethod
    def poll(cls, node_tree):
        return node_tree.bl_idname == "CompositorNodeTree"

    def init(self, context):
        self.node_tree = _adopted[-1] if _adopted else result.new_tree()
        if not _adopted:
            _christen(self.node_tree.tsn)

    def copy(self, original):
        self[COPIED] = True
        if not bpy.app.background:
            bpy.app.timers.register(settle, first_interval=0)

    def draw_label(self):
        return self.label or self.bl_label

    def draw_buttons(self, context, layout):
        from . import ui

        ui.draw_node(self, context, layout)


def _christen(settings):
    settings.uid = uuid.uuid4().hex
    settings.basename = f"stylize_{settings.uid[:4]}"


def christen_copy(inner):
    """A copy has files of its own, so it shows nothing until it was rendered."""
    _christen(inner.tsn)
    inner.tsn.shown, inner.tsn.message = "NOTHING", ""
    result.hide(inner)
    inner.nodes["Result"].image = None


def settle():
    """Give copied nodes an inner tree and files of their own; one that was cut and pasted keeps what it had.

    Not while Blender copies: it counts an inner tree's users after a node's `copy`. Exchanged in there, the original's
    tree loses the user that the copy never was, and with it its place in the saved file.
    """
    ours = [one for _, one in tree.nodes()]
    taken = {one.node_tree.tsn.uid for one in ours if COPIED not in one}
    for one in ours:
        if COPIED in one:
            del one[COPIED]
            if one.node_tree.tsn.uid in taken:
                one.node_tree = one.node_tree.copy()
                christen_copy(one.node_tree)
            taken.add(one.node_tree.tsn.uid)


@contextlib.contextmanager
def adopting(inner):
    """New TSN nodes take this inner tree instead of one of their own."""
    _adopted.append(inner)
    try:
        yield
    finally:
        _adopted.pop()


CLASSES = (TSNSettings, TSNStylizeNode)


def register():
    for one in CLASSES:
        bpy.utils.register_class(one)
    bpy.types.NodeTree.tsn = PointerProperty(type=TSNSettings)


def unregister():
    if bpy.app.timers.is_registered(settle):
        bpy.app.timers.unregister(settle)
    del bpy.types.NodeTree.tsn
    for one in reversed(CLASSES):
        bpy.utils.unregister_class(one)
