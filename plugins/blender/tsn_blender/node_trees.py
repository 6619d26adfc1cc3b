"""Search in node trees: which TSN nodes there are, and which nodes are upstream of one."""

from __future__ import annotations

import bpy

from . import compat

NODE_TYPE = "TSNStylizeNode"


def compositor_trees() -> list[bpy.types.NodeTree]:
    """Every compositor tree of the file, scenes' own ones too. Trees of libraries are left out: they are read-only."""
    trees = [tree for scene in bpy.data.scenes if (tree := compat.own_tree(scene)) is not None]
    trees += [tree for tree in bpy.data.node_groups if tree.bl_idname == "CompositorNodeTree"]
    return list({tree.as_pointer(): tree for tree in trees if tree.library is None}.values())


def tsn_nodes() -> list[tuple[bpy.types.NodeTree, bpy.types.Node]]:
    """Every TSN node of the file, as (tree, node)."""
    return [(tree, node) for tree in compositor_trees() for node in tree.nodes if is_tsn_node(node)]


def is_tsn_node(node: bpy.types.Node) -> bool:
    """Whether it is a TSN node that works, not one whose inner tree was lost."""
    return bool(node.bl_idname == NODE_TYPE and node.node_tree is not None)


def find_node(uid: str) -> tuple[bpy.types.NodeTree | None, bpy.types.Node | None]:
    """(tree, node) of a node's id, or (None, None) where it was removed."""
    return next(((tree, node) for tree, node in tsn_nodes() if node.node_tree.tsn.uid == uid), (None, None))


def nodes_of_scene(scene: bpy.types.Scene) -> list[bpy.types.Node]:
    """The TSN nodes of a scene, each after those that are upstream of it."""
    tree = compat.scene_tree(scene)
    nodes = [node for node in tree.nodes if is_tsn_node(node)] if tree else []
    return sorted(nodes, key=lambda node: sum(is_tsn_node(other) for other in upstream_nodes(node)))


def scene_of_tree(tree: bpy.types.NodeTree, preferred: bpy.types.Scene | None = None) -> bpy.types.Scene | None:
    """The scene that a tree belongs to, or None for the tree of a group. Of several scenes, the preferred one."""
    scenes = [*([preferred] if preferred else []), *bpy.data.scenes]
    return next((scene for scene in scenes if compat.own_tree(scene) == tree), None)


def linked_socket(node: bpy.types.Node) -> bpy.types.NodeSocket | None:
    """The socket that is linked to the node's Image, or None."""
    links = node.inputs["Image"].links
    return links[0].from_socket if links else None


def upstream_nodes(node: bpy.types.Node) -> list[bpy.types.Node]:
    """Every node that the node's Image depends on, nearest first, each once."""
    start = linked_socket(node)
    nodes: dict[str, bpy.types.Node] = {}
    waiting = [start.node] if start else []
    while waiting:
        one = waiting.pop(0)
        if one.name in nodes:
            continue
        nodes[one.name] = one
        waiting += [link.from_node for socket in one.inputs for link in socket.links]
    return list(nodes.values())


def render_layers_node(node: bpy.types.Node, scene: bpy.types.Scene) -> bpy.types.Node | None:
    """The nearest Render Layers node upstream that shows this scene, or None."""
    layers = (one for one in upstream_nodes(node) if one.bl_idname == "CompositorNodeRLayers")
    return next((one for one in layers if one.scene in (None, scene)), None)


def trees_with_groups(tree: bpy.types.NodeTree) -> list[bpy.types.NodeTree]:
    """A tree and the trees of all groups in it, each once."""
    trees: dict[int, bpy.types.NodeTree] = {}
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if one.as_pointer() not in trees:
            trees[one.as_pointer()] = one
            waiting += [node.node_tree for node in one.nodes if getattr(node, "node_tree", None) is not None]
    return list(trees.values())
