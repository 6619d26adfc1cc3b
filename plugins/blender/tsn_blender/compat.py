"""Every branch between Blender's versions: 3.4 (legacy add-on), 4.2, 4.5 and 5.0."""

import contextlib
import os

import bpy

V5 = bpy.app.version >= (5, 0, 0)

RELATIVE_PATH = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()
"""Options of a path's property that may begin with //, which 4.5 began to ask for."""
ATTRIBUTES = bpy.app.version >= (4, 0, 0)
"""Whether a mesh is all in its attributes."""
COLOUR_SPACES = {"Linear Rec.709": "lin_rec709", "Linear Rec.2020": "lin_rec2020"}
"""What Blender's own config calls otherwise than OpenColorIO's studio config, which tsn falls back to."""


def own_tree(scene):
    """The compositor's tree of a scene, used or not, or None."""
    return scene.compositing_node_group if V5 else scene.node_tree


def scene_tree(scene):
    """The compositor's tree that a scene uses, or None."""
    return own_tree(scene) if V5 or scene.use_nodes else None


def new_scene_tree(scene):
    """Give a scene a tree with an output to link to."""
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


def final_input(tree):
    """The socket that the rendered image is taken from, or None."""
    kind = "NodeGroupOutput" if V5 else "CompositorNodeComposite"
    outputs = [node for node in tree.nodes if node.bl_idname == kind and not node.mute and len(node.inputs)]
    if not outputs:
        return None
    active = next((node for node in outputs if getattr(node, "is_active_output", False)), outputs[0])
    return active.inputs[0]


def new_final(tree):
    """A node whose input is the rendered image, for a tree without one."""
    if V5 and not any(item.in_out == "OUTPUT" for item in tree.interface.items_tree if item.item_type == "SOCKET"):
        new_socket(tree, "Image", "NodeSocketColor", output=True)
    return tree.nodes.new("NodeGroupOutput" if V5 else "CompositorNodeComposite")


def new_socket(tree, name, kind, *, output=False, factor=False):
    """A socket of a group; a `factor` is a float from 0 to 1, 1 by default."""
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


def new_node(tree, *kinds):
    """The first of several node types that this Blender knows."""
    for kind in kinds:
        with contextlib.suppress(RuntimeError):
            return tree.nodes.new(kind)
    raise RuntimeError(f"This Blender has none of the nodes {', '.join(kinds)}")


def new_mix(tree):
    """A mix of two colours, clamped nowhere: (node, factor, a, b, result)."""
    if V5:
        node = tree.nodes.new("ShaderNodeMix")
        node.data_type = "RGBA"
        sockets = {socket.identifier: socket for socket in (*node.inputs, *node.outputs)}
        return (node, *(sockets[name] for name in ("Factor_Float", "A_Color", "B_Color", "Result_Color")))
    node = tree.nodes.new("CompositorNodeMixRGB")
    return node, node.inputs[0], node.inputs[1], node.inputs[2], node.outputs[0]


def colour_space():
    """The space Blender renders in, the scene-linear role of its config: (its name here, its name for tsn).

    With $OCIO the config is the show's: tsn reads the same one, and finds the space in it by the same name.
    """
    name = bpy.data.colorspace.working_space if V5 else _scene_linear()
    if name == "Linear" and not os.environ.get("OCIO"):  # of Blender 3.4's own config
        return name, "lin_rec709"
    return name, COLOUR_SPACES.get(name, name)


def _scene_linear():
    """The role's space. Before Blender 5 nothing tells it, but a new node that converts spaces starts from it."""
    tree = bpy.data.node_groups.new("TSN colour space", "CompositorNodeTree")
    try:
        return tree.nodes.new("CompositorNodeConvertColorSpace").from_color_space
    finally:
        bpy.data.node_groups.remove(tree)


def set_multilayer(image_format):
    """Half float EXR with all layers, as one part."""
    if hasattr(image_format, "media_type"):
        image_format.media_type = "MULTI_LAYER_IMAGE"
    image_format.file_format = "OPEN_EXR_MULTILAYER"
    image_format.color_mode, image_format.color_depth, image_format.exr_codec = "RGBA", "16", "ZIP"
    if hasattr(image_format, "use_exr_interleave"):
        image_format.use_exr_interleave = True


def literal(path):
    """A path to write to, letter by letter: from 4.5 on braces in one would be filled in."""
    return path.replace("{", "{{").replace("}", "}}") if bpy.app.version >= (4, 5, 0) else path


def curves(owner):
    """The F-curves of a data-block's action."""
    data = owner.animation_data
    return _of_action(data.action, getattr(data, "action_slot", None)) if data else []


def all_curves(data):
    """All F-curves that move something: of an action, of the strips of its tracks, and with a driver."""
    found = _of_action(data.action, getattr(data, "action_slot", None)) + list(data.drivers)
    strips = [strip for track in data.nla_tracks for strip in track.strips]
    while strips:
        strip = strips.pop()
        strips += strip.strips
        found += _of_action(strip.action, getattr(strip, "action_slot", None))
    return found


def _of_action(action, slot):
    if action is None:
        return []
    if not getattr(action, "layers", None):  # before 4.4, or of a file from then
        return list(getattr(action, "fcurves", ()))
    bags = [strip.channelbag(slot) for layer in action.layers for strip in layer.strips] if slot else []
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]


@contextlib.contextmanager
def kept_animation(owner, prefix):
    """Removing a node removes its F-curves and drivers: lead the action past it, and put copies of the drivers back.

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
    kept = holder.animation_data_create().drivers
    for curve in data.drivers:
        if curve.data_path.startswith(prefix):
            kept.from_existing(src_driver=curve)
    if action is not None:
        data.action = None
    try:
        yield
    finally:
        data = owner.animation_data or owner.animation_data_create()  # gone with the last of its drivers
        if action is not None:
            data.action = action
            if slot is not None:
                data.action_slot = slot
        there = {(curve.data_path, curve.array_index) for curve in data.drivers}
        for curve in kept:
            if (curve.data_path, curve.array_index) not in there:
                data.drivers.from_existing(src_driver=curve)
        bpy.data.node_groups.remove(holder)


def progress(layout, factor, text):
    """A progress bar, or before Blender 4.0 one in letters over the text."""
    if hasattr(layout, "progress"):
        layout.progress(factor=factor, text=text)
        return
    done = round(24 * factor)
    layout.label(text="█" * done + "░" * (24 - done))
    layout.label(text=text)
