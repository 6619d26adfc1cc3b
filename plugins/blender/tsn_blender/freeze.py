"""Saved files hold no custom node: Blender 4.5 and 5.0 crash when they render one whose class is not registered.

Before a file is saved each node becomes an ordinary group on the same inner tree, afterwards a TSN node again, with its
links, keys and drivers. A farm without the add-on renders such a file as it is. Appended groups come to life too.
"""

import atexit

import bpy
from bpy.app.handlers import persistent

from . import compat, job, node, state, tree
from .command import Failed

GROUP = "CompositorNodeGroup"
KEPT = ("parent", "location", "width", "label", "mute", "hide", "show_options", "select", "use_custom_color", "color")
"""In this order: a location is relative to the frame around the node, and setting that moves it."""


def swap(owner, old, kind):
    """Replace a node by one of another type on the same inner tree; returns the new one."""
    prefix = f'nodes["{bpy.utils.escape_identifier(old.name)}"]'
    with compat.kept_animation(owner, prefix), node.adopting(old.node_tree):
        new = owner.nodes.new(kind)
        new.node_tree = old.node_tree
        for name in KEPT:
            setattr(new, name, getattr(old, name))
        for name, value in old.items():
            new[name] = value
        for before, after in zip(old.inputs, new.inputs, strict=True):
            after.default_value, after.hide = before.default_value, before.hide
            for link in list(before.links):
                owner.links.new(link.from_socket, after).is_muted = link.is_muted
        for before, after in zip(old.outputs, new.outputs, strict=True):
            after.hide = before.hide
            for link in list(before.links):
                muted = link.is_muted  # the new link takes the place of this one
                owner.links.new(after, link.to_socket).is_muted = muted
        active, name = owner.nodes.active == old, old.name
        owner.nodes.remove(old)
        new.name = name
        if active:
            owner.nodes.active = new
    return new


def frozen():
    """Every group that was a TSN node, with its tree."""
    return [
        (owner, one)
        for owner in tree.trees()
        for one in owner.nodes
        if one.bl_idname == GROUP and one.node_tree is not None and one.node_tree.tsn.uid and not one.node_tree.library
    ]


def freeze():
    """Make all TSN nodes ordinary groups."""
    node.settle()
    for owner, one in tree.nodes():
        swap(owner, one, GROUP)


def thaw():
    """Make them TSN nodes again; of two with the same files, as after appending twice, the second starts anew."""
    seen = {one.node_tree.tsn.uid for _, one in tree.nodes()}
    for owner, one in frozen():
        if one.node_tree.tsn.uid in seen:
            one.node_tree = one.node_tree.copy() if one.node_tree.users > 1 else one.node_tree
            node.christen_copy(one.node_tree)
        seen.add(one.node_tree.tsn.uid)
        swap(owner, one, tree.NODE)


@persistent
def _before_saving(*_):
    node.settle()
    with state.own_doing():
        for owner, one in tree.nodes():
            if (scene := tree.scene_of(owner)) is not None:
                state.saving(one, scene)
        freeze()


@persistent
def _after_saving(*_):
    with state.own_doing():
        thaw()


@persistent
def _after_loading(*_):
    job.cancel_all()
    with state.own_doing():
        thaw()
    ours = [(one, scene) for owner, one in tree.nodes() if (scene := tree.scene_of(owner)) is not None]
    for one, scene in ours:
        try:
            one.node_tree.tsn.message = job.missing_sentence(job.refresh(one, scene))
        except Failed as failed:
            one.node_tree.tsn.message = str(failed)
    for one, scene in ours:
        state.opened(one, scene)


@persistent
def _after_appending(*_):
    thaw()


@persistent
def _after_undo(*_):
    node.settle()


HANDLERS = {
    "save_pre": _before_saving,
    "save_post": _after_saving,
    "save_post_fail": _after_saving,
    "load_post": _after_loading,
    "blend_import_post": _after_appending,
    "undo_post": _after_undo,
    "redo_post": _after_undo,
}
"""Some of them younger than Blender 4.2, where an appended node stays a group until the file is saved."""


def register():
    for name, handler in HANDLERS.items():
        if hasattr(bpy.app.handlers, name):
            getattr(bpy.app.handlers, name).append(handler)
    atexit.register(job.cancel_all)
    if isinstance(bpy.data, bpy.types.BlendData):  # not while Blender starts, when there is no file yet
        thaw()


def unregister():
    for name, handler in HANDLERS.items():
        if hasattr(bpy.app.handlers, name):
            getattr(bpy.app.handlers, name).remove(handler)
    atexit.unregister(job.cancel_all)
    freeze()  # a node without its class can crash Blender
