"""Saved files contain ordinary groups instead of TSN nodes.

Blender 4.5 and 5.0 crash when they render a custom node whose class is not registered. So before a file is saved, each
TSN node is replaced by an ordinary group with the same inner tree, and afterwards by a TSN node again, with its links,
keys and drivers. A farm without the add-on renders the saved file as it is. Groups in an opened or appended file become
TSN nodes too.
"""

from __future__ import annotations

import atexit
from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import compat, frame_status, node, node_render, node_trees
from .shared.tsn_process import PluginError

GROUP_TYPE = "CompositorNodeGroup"
KEPT = ("parent", "location", "width", "label", "mute", "hide", "show_options", "select", "use_custom_color", "color")
"""Properties to copy, in this order: a location is relative to the frame node, and setting `parent` changes it."""


def replace_node(tree: bpy.types.NodeTree, old: bpy.types.Node, kind: str) -> bpy.types.Node:
    """Replace a node by one of another type with the same inner tree, and return the new one."""
    prefix = f'nodes["{bpy.utils.escape_identifier(old.name)}"]'
    with compat.kept_animation(tree, prefix), node.adopting_tree(old.node_tree):
        new = tree.nodes.new(kind)
        new.node_tree = old.node_tree
        for name in KEPT:
            setattr(new, name, getattr(old, name))
        for name, value in old.items():
            new[name] = value
        for before, after in zip(old.inputs, new.inputs, strict=True):
            after.default_value, after.hide = before.default_value, before.hide
            for link in list(before.links):
                tree.links.new(link.from_socket, after).is_muted = link.is_muted
        for before, after in zip(old.outputs, new.outputs, strict=True):
            after.hide = before.hide
            for link in list(before.links):
                muted = link.is_muted  # read it first: the new link replaces this one
                tree.links.new(after, link.to_socket).is_muted = muted
        active, name = tree.nodes.active == old, old.name
        tree.nodes.remove(old)
        new.name = name
        if active:
            tree.nodes.active = new
    return new


def tsn_groups() -> list[tuple[bpy.types.NodeTree, bpy.types.Node]]:
    """Every group that was a TSN node, as (tree, group)."""
    return [
        (tree, one)
        for tree in node_trees.compositor_trees()
        for one in tree.nodes
        if one.bl_idname == GROUP_TYPE
        and one.node_tree is not None
        and one.node_tree.tsn.uid
        and not one.node_tree.library
    ]


def nodes_to_groups() -> None:
    """Replace all TSN nodes by ordinary groups."""
    node.separate_copies()
    for tree, one in node_trees.tsn_nodes():
        replace_node(tree, one, GROUP_TYPE)


def groups_to_nodes() -> None:
    """Replace the groups by TSN nodes. Of two with the same id, as after appending twice, the second gets a new one."""
    seen = {one.node_tree.tsn.uid for _, one in node_trees.tsn_nodes()}
    for tree, one in tsn_groups():
        if one.node_tree.tsn.uid in seen:
            one.node_tree = one.node_tree.copy() if one.node_tree.users > 1 else one.node_tree
            node.reset_copy(one.node_tree)
        seen.add(one.node_tree.tsn.uid)
        replace_node(tree, one, node_trees.NODE_TYPE)


@persistent
def _before_saving(*_: Any) -> None:
    node.separate_copies()
    with frame_status.ignoring_own_changes():
        for tree, one in node_trees.tsn_nodes():
            if (scene := node_trees.scene_of_tree(tree)) is not None:
                frame_status.note_digest(one, scene)
        nodes_to_groups()


@persistent
def _after_saving(*_: Any) -> None:
    with frame_status.ignoring_own_changes():
        groups_to_nodes()


@persistent
def _after_loading(*_: Any) -> None:
    node_render.cancel_all()
    with frame_status.ignoring_own_changes():
        groups_to_nodes()
    nodes = [
        (one, scene)
        for tree, one in node_trees.tsn_nodes()
        if (scene := node_trees.scene_of_tree(tree)) is not None
    ]  # fmt: skip
    for one, scene in nodes:
        try:
            one.node_tree.tsn.message = node_render.missing_message(node_render.refresh(one, scene))
        except PluginError as error:
            one.node_tree.tsn.message = str(error)
    for one, scene in nodes:
        frame_status.translate_digests(one, scene)


@persistent
def _after_appending(*_: Any) -> None:
    groups_to_nodes()


@persistent
def _after_undo(*_: Any) -> None:
    node.separate_copies()


HANDLERS = {
    "save_pre": _before_saving,
    "save_post": _after_saving,
    "save_post_fail": _after_saving,
    "load_post": _after_loading,
    "blend_import_post": _after_appending,
    "undo_post": _after_undo,
    "redo_post": _after_undo,
}
"""Some are missing in Blender 4.2; there an appended node stays a group until the file is saved."""


def register() -> None:
    """Add the handlers, and turn the groups of the open file into nodes."""
    for name, handler in HANDLERS.items():
        if hasattr(bpy.app.handlers, name):
            getattr(bpy.app.handlers, name).append(handler)
    atexit.register(node_render.cancel_all)
    if isinstance(bpy.data, bpy.types.BlendData):  # while Blender starts there is no file yet
        groups_to_nodes()


def unregister() -> None:
    """Remove the handlers, and turn the nodes into groups: a node without its class can crash Blender."""
    for name, handler in HANDLERS.items():
        if hasattr(bpy.app.handlers, name):
            getattr(bpy.app.handlers, name).remove(handler)
    atexit.unregister(node_render.cancel_all)
    nodes_to_groups()
