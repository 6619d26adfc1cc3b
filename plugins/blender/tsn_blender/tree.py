"""Walks over node trees: which TSN nodes there are, and what is upstream of one."""

import bpy

from . import compat

NODE = "TSNStylizeNode"


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


def with_groups(tree):
    """A tree and those of all groups in it, each once."""
    found, waiting = {}, [tree]
    while waiting:
        one = waiting.pop()
        if one.as_pointer() not in found:
            found[one.as_pointer()] = one
            waiting += [node.node_tree for node in one.nodes if getattr(node, "node_tree", None) is not None]
    return list(found.values())
