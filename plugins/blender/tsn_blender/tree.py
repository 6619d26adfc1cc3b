"""Walks over node trees: which TSN nodes there are, and what is upstream of one."""

import hashlib

import bpy

from . import compat

NODE = "TSNStylizeNode"
UNSEEN = {"name", "label", "location", "location_absolute", "width", "height", "select", "parent", "color", "hide"}
UNSEEN |= {"use_custom_color", "show_options", "show_preview", "show_texture", "color_tag", "warning_propagation"}
UNSEEN |= {"inputs", "outputs", "internal_links", "dimensions", "rna_type", "type", "is_active_output"}


def trees():
    """Every compositor tree of the file, scenes' own ones too; those of libraries can't be changed and are left out."""
    found = [tree for scene in bpy.data.scenes if (tree := compat.own_tree(scene)) is not None]
    found += [tree for tree in bpy.data.node_groups if tree.bl_idname == "CompositorNodeTree"]
    return list({tree.as_pointer(): tree for tree in found if tree.library is None}.values())


def nodes():
    """Every TSN node of the file, with its tree."""
    return [(tree, node) for tree in trees() for node in tree.nodes if is_ours(node)]


def is_ours(node):
    """Whether it is a TSN node that works, not one whose inner tree got lost."""
    return node.bl_idname == NODE and node.node_tree is not None


def find(uid):
    """(tree, node) of a node's id, or (None, None) where it is gone."""
    return next(((tree, node) for tree, node in nodes() if node.node_tree.tsn.uid == uid), (None, None))


def of_scene(scene):
    """The TSN nodes of a scene, each after those that are upstream of it."""
    tree = compat.scene_tree(scene)
    ours = [node for node in tree.nodes if is_ours(node)] if tree else []
    return sorted(ours, key=lambda node: sum(is_ours(other) for other in upstream(node)))


def scene_of(tree, preferred=None):
    """The scene whose own tree it is, or None for a tree inside a group."""
    scenes = [*([preferred] if preferred else []), *bpy.data.scenes]
    return next((scene for scene in scenes if compat.own_tree(scene) == tree), None)


def source(node):
    """The socket linked to the node's Image, or None."""
    links = node.inputs["Image"].links
    return links[0].from_socket if links else None


def upstream(node):
    """Every node that feeds a node's Image, nearest first, each once."""
    start = source(node)
    found, waiting = {}, [start.node] if start else []
    while waiting:
        one = waiting.pop(0)
        if one.name in found:
            continue
        found[one.name] = one
        waiting += [link.from_node for socket in one.inputs for link in socket.links]
    return list(found.values())


def render_layers(node, scene):
    """The nearest Render Layers node upstream that shows this scene, or None."""
    return next(
        (n for n in upstream(node) if n.bl_idname == "CompositorNodeRLayers" and n.scene in (None, scene)), None
    )


def digest(node, scene):
    """Changes whenever what is upstream does: nodes, values, links, keyframes, picture size, camera."""
    parts = [scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage]
    parts += [scene.render.engine, scene.render.film_transparent, scene.camera.name if scene.camera else None]
    tree = node.id_data
    for one in sorted(upstream(node), key=lambda each: each.name):
        parts += _described(one, tree)
    start = source(node)
    parts.append((start.node.name, start.identifier) if start else None)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _described(node, tree):
    """What a node does, without where it stands on the screen. A TSN node stands for its settings."""
    if is_ours(node):
        return [node.name, node.node_tree.tsn.key(), _links(node)]
    here = f'nodes["{bpy.utils.escape_identifier(node.name)}"]'
    moving = _moving(tree, here)
    parts = [node.name, node.bl_idname, _links(node), sorted(moving.items())]
    parts += _values(node, here, moving)
    for index, socket in enumerate(node.inputs):
        path = f"{here}.inputs[{index}].default_value"
        if not socket.is_linked and path not in moving and hasattr(socket, "default_value"):
            parts.append((index, _plain(socket.default_value)))
    inner = getattr(node, "node_tree", None)
    if inner is not None:
        for one in sorted(inner.nodes, key=lambda each: each.name):
            parts += _described(one, inner)
    return parts


def _links(node):
    return [
        (link.from_node.name, link.from_socket.identifier, socket.identifier)
        for socket in node.inputs
        for link in socket.links
    ]


def _moving(tree, prefix):
    """Data path -> keys or expression. Their values of this frame say nothing about the shot."""
    moving = {}
    for curve in compat.curves(tree):
        if curve.data_path.startswith(prefix):
            keys = [(tuple(key.co), key.interpolation) for key in curve.keyframe_points]
            moving[curve.data_path] = f"{moving.get(curve.data_path, '')}{curve.array_index}{keys}"
    for driver in tree.animation_data.drivers if tree.animation_data else ():
        if driver.data_path.startswith(prefix):
            moving[driver.data_path] = driver.driver.expression
    return moving


def _values(owner, path, moving):
    parts = []
    for prop in owner.bl_rna.properties:
        name = prop.identifier
        if name in UNSEEN or name.startswith("bl_") or f"{path}.{name}" in moving:
            continue
        value = getattr(owner, name, None)
        if isinstance(value, bpy.types.ID):
            parts.append((name, value.name, getattr(value, "filepath", "")))
        elif isinstance(value, (bpy.types.ColorRamp, bpy.types.CurveMapping)):
            parts.append((name, _ramp(value)))
        elif prop.type in {"BOOLEAN", "INT", "FLOAT", "STRING", "ENUM"} and not prop.is_readonly:
            parts.append((name, _plain(value)))
    return parts


def _ramp(value):
    if isinstance(value, bpy.types.ColorRamp):
        return [value.interpolation, *((stop.position, tuple(stop.color)) for stop in value.elements)]
    return [(tuple(point.location), point.handle_type) for curve in value.curves for point in curve.points]


def _plain(value):
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if isinstance(value, bpy.types.ID):
        return value.name
    try:
        return [_plain(one) for one in value]
    except TypeError:
        return str(value)
