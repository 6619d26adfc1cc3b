"""Every difference between Blender's versions: 3.4 (legacy add-on), 4.2, 4.5 and 5.0."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import bpy

V5 = bpy.app.version >= (5, 0, 0)

RELATIVE_PATH = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()
"""Options of a property for a path that may begin with //, which are needed since 4.5."""
MESH_ATTRIBUTES = bpy.app.version >= (4, 0, 0)
"""Whether all mesh data is stored as attributes."""
COLOUR_SPACES = {"Linear Rec.709": "lin_rec709", "Linear Rec.2020": "lin_rec2020"}
"""Names in Blender's own config -> names in OpenColorIO's studio config, which tsn uses without $OCIO."""


def own_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """The compositor's tree of a scene, whether the scene uses it or not, or None."""
    return scene.compositing_node_group if V5 else scene.node_tree


def scene_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """The compositor's tree that a scene uses, or None."""
    return own_tree(scene) if V5 or scene.use_nodes else None


def new_scene_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """Give a scene a tree that contains only an output node."""
    if V5:
        tree = bpy.data.node_groups.new("Compositing", "CompositorNodeTree")
        new_socket(tree, "Image", "NodeSocketColor", output=True)
        tree.nodes.new("NodeGroupOutput")
        scene.compositing_node_group = tree
        return tree
    scene.use_nodes = True
    scene.node_tree.nodes.clear()
    scene.node_tree.nodes.new("CompositorNodeComposite")
    return scene.node_tree


def final_input(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket | None:
    """The input socket of the active output node, from which the rendered image is taken, or None."""
    kind = "NodeGroupOutput" if V5 else "CompositorNodeComposite"
    outputs = [node for node in tree.nodes if node.bl_idname == kind and not node.mute and len(node.inputs)]
    if not outputs:
        return None
    active = next((node for node in outputs if getattr(node, "is_active_output", False)), outputs[0])
    return active.inputs[0]


def new_output_node(tree: bpy.types.NodeTree) -> bpy.types.Node:
    """Add an output node to a tree without one; its first input becomes the rendered image."""
    if V5 and not any(item.in_out == "OUTPUT" for item in tree.interface.items_tree if item.item_type == "SOCKET"):
        new_socket(tree, "Image", "NodeSocketColor", output=True)
    return tree.nodes.new("NodeGroupOutput" if V5 else "CompositorNodeComposite")


def new_socket(tree: bpy.types.NodeTree, name: str, kind: str, *, output: bool = False, factor: bool = False) -> Any:
    """Add a socket to a group; a `factor` is a float from 0 to 1, 1 by default."""
    if hasattr(tree, "interface"):
        socket = tree.interface.new_socket(name, in_out="OUTPUT" if output else "INPUT", socket_type=kind)
        if factor:
            socket.subtype = "FACTOR"
    else:
        kind = kind + "Factor" if factor else kind
        socket = (tree.outputs if output else tree.inputs).new(kind, name)
    if factor:
        socket.min_value, socket.max_value, socket.default_value = 0.0, 1.0, 1.0
    return socket


def new_node(tree: bpy.types.NodeTree, *kinds: str) -> bpy.types.Node:
    """Add a node of the first of several types that this Blender has. Raises RuntimeError where it has none."""
    for kind in kinds:
        with contextlib.suppress(RuntimeError):
            return tree.nodes.new(kind)
    raise RuntimeError(f"This Blender has none of the nodes {', '.join(kinds)}")


def new_mix(tree: bpy.types.NodeTree) -> tuple[Any, Any, Any, Any, Any]:
    """Add a mix of two colours that clamps nothing: (node, factor, first colour, second colour, result)."""
    if V5:
        node = tree.nodes.new("ShaderNodeMix")
        node.data_type = "RGBA"
        sockets = {socket.identifier: socket for socket in (*node.inputs, *node.outputs)}
        return node, sockets["Factor_Float"], sockets["A_Color"], sockets["B_Color"], sockets["Result_Color"]
    node = tree.nodes.new("CompositorNodeMixRGB")
    return node, node.inputs[0], node.inputs[1], node.inputs[2], node.outputs[0]


def colour_space() -> tuple[str, str]:
    """The space Blender renders in, its config's scene-linear role, as (Blender's name, tsn's name).

    With $OCIO tsn reads the same config, where the space has the same name.
    """
    name = bpy.data.colorspace.working_space if V5 else _scene_linear()
    if name == "Linear" and not os.environ.get("OCIO"):  # of Blender 3.4's own config
        return name, "lin_rec709"
    return name, COLOUR_SPACES.get(name, name)


def _scene_linear() -> str:
    """The space of the scene-linear role. Before Blender 5 only a new Convert Colorspace node starts with its name."""
    tree = bpy.data.node_groups.new("TSN colour space", "CompositorNodeTree")
    try:
        return str(tree.nodes.new("CompositorNodeConvertColorSpace").from_color_space)
    finally:
        bpy.data.node_groups.remove(tree)


def set_multilayer(image_settings: bpy.types.ImageFormatSettings) -> None:
    """Set the format to half-float EXR with all layers in one part."""
    if hasattr(image_settings, "media_type"):
        image_settings.media_type = "MULTI_LAYER_IMAGE"
    image_settings.file_format = "OPEN_EXR_MULTILAYER"
    image_settings.color_mode, image_settings.color_depth, image_settings.exr_codec = "RGBA", "16", "ZIP"
    if hasattr(image_settings, "use_exr_interleave"):
        image_settings.use_exr_interleave = True


def escape_braces(path: str) -> str:
    """An output path whose braces stay as they are: Blender 4.5 and later replace variables in braces."""
    return path.replace("{", "{{").replace("}", "}}") if bpy.app.version >= (4, 5, 0) else path


def curves(owner: bpy.types.ID) -> list[Any]:
    """The F-curves of a data-block's action."""
    data = owner.animation_data
    return _curves_of_action(data.action, getattr(data, "action_slot", None)) if data else []


def all_curves(data: bpy.types.AnimData) -> list[Any]:
    """All F-curves that animate something: those of the action, of NLA strips, and of drivers."""
    found = _curves_of_action(data.action, getattr(data, "action_slot", None)) + list(data.drivers)
    strips = [strip for track in data.nla_tracks for strip in track.strips]
    while strips:
        strip = strips.pop()
        strips += strip.strips
        found += _curves_of_action(strip.action, getattr(strip, "action_slot", None))
    return found


def _curves_of_action(action: bpy.types.Action | None, slot: Any) -> list[Any]:
    if action is None:
        return []
    if not getattr(action, "layers", None):  # Blender before 4.4, or a file of one
        return list(getattr(action, "fcurves", ()))
    bags = [strip.channelbag(slot) for layer in action.layers for strip in layer.strips] if slot else []
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]


def own_action(owner: bpy.types.ID) -> None:
    """Give a copied data-block an action of its own, where it has one: Blender lets the copy share the original's."""
    data = owner.animation_data
    if data is not None and data.action is not None:
        slot = getattr(data, "action_slot", None)
        identifier = slot.identifier if slot is not None else ""
        data.action = data.action.copy()
        if identifier:
            data.action_slot = data.action.slots[identifier]


@contextlib.contextmanager
def kept_animation(owner: bpy.types.NodeTree, prefix: str) -> Iterator[None]:
    """Keep a node's F-curves and drivers while the node is removed in the block, which would remove them too.

    The action is detached meanwhile, and copies of the drivers are put back.

    Args:
        owner: the tree.
        prefix: how the data paths of the node begin.
    """
    data = owner.animation_data
    if data is None:
        yield
        return
    action, slot = data.action, getattr(data, "action_slot", None)
    holder = bpy.data.node_groups.new("TSN drivers", owner.bl_idname)
    copies = holder.animation_data_create().drivers
    for curve in data.drivers:
        if curve.data_path.startswith(prefix):
            copies.from_existing(src_driver=curve)
    if action is not None:
        data.action = None
    try:
        yield
    finally:
        data = owner.animation_data or owner.animation_data_create()  # it is removed with the last of its drivers
        if action is not None:
            data.action = action
            if slot is not None:
                data.action_slot = slot
        left = {(curve.data_path, curve.array_index) for curve in data.drivers}
        for curve in copies:
            if (curve.data_path, curve.array_index) not in left:
                data.drivers.from_existing(src_driver=curve)
        bpy.data.node_groups.remove(holder)


def absolute_path(path: str) -> str:
    """The absolute path of a property that may begin with //, its .. kept; "" stays empty."""
    path = bpy.path.abspath(path)
    return os.path.abspath(path) if path and not os.path.isabs(path) else path


def relative_path(path: str) -> str:
    """A path as a property has it: from the saved file's folder, where there is one on the same drive."""
    same_drive = os.path.splitdrive(path)[0] == os.path.splitdrive(bpy.data.filepath)[0]
    return str(bpy.path.relpath(path)) if bpy.data.filepath and same_drive else path


def progress(layout: bpy.types.UILayout, factor: float, text: str) -> None:
    """Draw a progress bar; before Blender 4.0, one of 24 letters above the text."""
    if hasattr(layout, "progress"):
        layout.progress(factor=factor, text=text)
        return
    done = round(24 * factor)
    layout.label(text="█" * done + "░" * (24 - done))
    layout.label(text=text)
