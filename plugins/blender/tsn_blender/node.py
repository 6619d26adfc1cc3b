"""The node's class, and its settings.

The settings belong to the inner tree, not to the node: Blender copies, appends, undoes and saves a tree as a whole, and
the tree is what a saved file keeps of the node (see `saved_groups`).
"""
# Blender reads properties from annotations, so these must not become strings: no `from __future__ import annotations`.
# mypy: disable-error-code="valid-type"

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, PointerProperty, StringProperty

from . import compat, inner_tree, node_trees, rna_values, styles
from .key_frames import TSNKey, TSNKeySettings, show_on_timeline
from .strokes import TSNStrokeSettings

STATIC: dict[str, set[str]] = {"options": set()}
"""Not animatable: a shot has one value of each setting. Strength, which is a socket, and numbers of strokes can be."""
PATH = {"options": compat.RELATIVE_PATH}
COPIED = "tsn_copied"
"""Custom property that marks a node as a copy until it has files of its own."""
_adopted_trees: list[bpy.types.NodeTree] = []


def _source_changed(self: Any, context: bpy.types.Context) -> None:
    if context.scene is not None:
        show_on_timeline(self.id_data, context.scene)


def _style_items(self: Any, context: bpy.types.Context) -> list[tuple[str, str, str, int, int]]:
    return styles.MODELS.enum_items()


def _get_style(self: Any) -> int:
    return styles.MODELS.index_of(self.style_name)


def _set_style(self: Any, index: int) -> None:
    self.style_name = styles.MODELS.name_at(index)


class TSNSettings(bpy.types.PropertyGroup):
    """The settings of a node, and the state of its result."""

    uid: StringProperty(options={"HIDDEN"})
    basename: StringProperty(name="Name", description="Name of the shot file and of the frames", **STATIC)
    source: EnumProperty(
        name="Style from",
        items=[
            ("STYLE", "Shipped", "A style that comes with tsn"),
            ("FILE", "File", "A .safetensors or .onnx file"),
            ("PAINTING", "Painting", "A picture to paint like"),
            ("STROKES", "Brush strokes", "Strokes that stick to what moves"),
            ("KEYS", "Key frames", "A few frames that somebody painted"),
        ],
        update=_source_changed,
        **STATIC,
    )
    style_name: StringProperty(default=styles.DEFAULT_STYLE, **STATIC)
    style: EnumProperty(name="Style", items=_style_items, get=_get_style, set=_set_style, **STATIC)
    file: StringProperty(name="File", subtype="FILE_PATH", description="A .safetensors or .onnx file", **PATH)
    painting: StringProperty(name="Painting", subtype="FILE_PATH", description="A picture to paint like", **PATH)
    colours: EnumProperty(
        name="Colours",
        items=[
            ("PAINTING", "Painting's", "Colours of the painting"),
            ("PLATE", "Plate's", "Strokes of the painting in the plate's own colours"),
        ],
        **STATIC,
    )
    strokes: PointerProperty(type=TSNStrokeSettings)
    key_frames: PointerProperty(type=TSNKeySettings)
    scene_range: BoolProperty(
        name="Scene range", default=True, description="Paint the frames that the scene renders", **STATIC
    )
    frame_start: IntProperty(name="Start", default=1, **STATIC)
    frame_end: IntProperty(name="End", default=250, **STATIC)
    window: IntProperty(
        name="Window",
        default=8,
        min=0,
        max=32,
        description="Frames on each side that stabilise the paint; 0 = none",
        **STATIC,
    )
    matte_object: StringProperty(name="Matte", description="Paint only this object, by Cryptomatte", **STATIC)
    matte_invert: BoolProperty(name="Invert", description="Paint everything but the object", **STATIC)
    folder: StringProperty(
        name="Folder", default="//tsn", subtype="DIR_PATH", description="Where frames and shot file go", **PATH
    )
    shown: EnumProperty(items=[(name, name, "") for name in ("NOTHING", "PREVIEW", "RANGE")], options={"HIDDEN"})
    shown_frame: IntProperty(options={"HIDDEN"})
    scene_changed: IntProperty(
        options={"HIDDEN"}, description="Odd: something that no digest covers changed since frames were exported"
    )
    digest: StringProperty(options={"HIDDEN"}, description="The digest when the file was saved")
    version: StringProperty(options={"HIDDEN"}, description="The version of Blender that saved the file")
    renamed: StringProperty(options={"HIDDEN"}, description="Digests of older Blenders -> present ones")
    message: StringProperty(options={"HIDDEN"})

    def frames(self, scene: bpy.types.Scene) -> range:
        """The frames to paint, ascending."""
        if self.scene_range:
            return range(scene.frame_start, scene.frame_end + 1, scene.frame_step)
        return range(self.frame_start, self.frame_end + 1)

    def style_argument(self) -> tuple[str, bool]:
        """(style as the shot file has it, whether it is a painting)."""
        if self.source == "STYLE":
            return self.style_name, False
        if self.source == "STROKES":
            return self.strokes.style_argument(), False
        if self.source == "KEYS":
            return "", False
        path = self.file if self.source == "FILE" else self.painting
        return compat.absolute_path(path), self.source == "PAINTING"

    def paint_key(self, engine: str) -> tuple[Any, ...]:
        """Every setting that the paint depends on; the range and the folder are none of them.

        Args:
            engine: the engine that renders.
        """
        path = self.file if self.source == "FILE" else self.painting
        style: Any = self.style_name if self.source == "STYLE" else rna_values.file_stamp(path, self, None)
        if self.source == "STROKES":
            style = self.strokes.paint_key(engine)
        if self.source == "KEYS":
            style = self.key_frames.paint_key()
        colours = self.colours if self.source == "PAINTING" else ""
        return (self.source, style, colours, self.window, self.matte_object, self.matte_invert, self.scene_changed)


class TSNStylizeNode(bpy.types.CompositorNodeCustomGroup):
    """Paints its input in a style that sticks to what moves"""

    bl_idname = node_trees.NODE_TYPE
    bl_label = "TSN Stylize"
    bl_icon = "BRUSH_DATA"
    bl_width_default = 260
    bl_width_min = 220

    @classmethod
    def poll(cls, node_tree: bpy.types.NodeTree) -> bool:
        """Whether the node may be added to a tree. Called by Blender, as are all methods here."""
        return bool(node_tree.bl_idname == "CompositorNodeTree")

    def init(self, context: bpy.types.Context) -> None:
        """Give a new node its inner tree."""
        self.node_tree = _adopted_trees[-1] if _adopted_trees else inner_tree.new_inner_tree()
        if not _adopted_trees:
            _assign_id(self.node_tree.tsn)

    def copy(self, original: bpy.types.Node) -> None:
        """Mark a copy, for `separate_copies`."""
        self[COPIED] = True
        if not bpy.app.background:
            bpy.app.timers.register(separate_copies, first_interval=0)

    def draw_label(self) -> str:
        """The node's title."""
        return self.label or self.bl_label

    def draw_buttons(self, context: bpy.types.Context, layout: bpy.types.UILayout) -> None:
        """Draw the node's body."""
        from . import ui

        ui.draw_node(self, context, layout)


def _assign_id(settings: TSNSettings) -> None:
    settings.uid = uuid.uuid4().hex
    settings.basename = f"stylize_{settings.uid[:4]}"


def reset_copy(tree: bpy.types.NodeTree) -> None:
    """Give a copied inner tree an id and a name of its own; it shows its input until it is rendered."""
    _assign_id(tree.tsn)
    tree.tsn.shown, tree.tsn.message = "NOTHING", ""
    inner_tree.pass_through(tree)
    tree.nodes["Result"].image = None
    compat.own_action(tree)


def separate_copies() -> None:
    """Give copied nodes an inner tree and files of their own; a node that was cut and pasted keeps what it had.

    Not done in a node's `copy`: Blender counts the users of an inner tree after that call. If the copy had another tree
    by then, the original's tree would lose a user that it never had, and would be missing in the saved file.
    """
    nodes = [node for _, node in node_trees.tsn_nodes()]
    taken = {node.node_tree.tsn.uid for node in nodes if COPIED not in node}
    for node in nodes:
        if COPIED in node:
            del node[COPIED]
            if node.node_tree.tsn.uid in taken:
                node.node_tree = node.node_tree.copy()
                reset_copy(node.node_tree)
            taken.add(node.node_tree.tsn.uid)


@contextlib.contextmanager
def adopting_tree(tree: bpy.types.NodeTree) -> Iterator[None]:
    """New TSN nodes take this inner tree instead of making one."""
    _adopted_trees.append(tree)
    try:
        yield
    finally:
        _adopted_trees.pop()


CLASSES = (TSNStrokeSettings, TSNKey, TSNKeySettings, TSNSettings, TSNStylizeNode)


def register() -> None:
    """Register the classes, and give every node tree the settings as `tsn`."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.NodeTree.tsn = PointerProperty(type=TSNSettings)


def unregister() -> None:
    """Undo `register`."""
    if bpy.app.timers.is_registered(separate_copies):
        bpy.app.timers.unregister(separate_copies)
    del bpy.types.NodeTree.tsn
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
