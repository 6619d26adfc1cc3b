"""Which frames are painted, and which of them are out of date.

A small JSON file beside the frames says under which digest each was painted; the digest covers the node's settings
and all that is upstream (see `digest`). What that can't see, since Blender tells no add-on of it, is counted by a
handler.
"""

import contextlib
import json
import os
import time
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from . import digest as upstream
from . import frames, tree
from .looks import hash_of

_cache = {}
_quiet = []
_met = set()
"""View layers that were seen since the file was opened: the first look at one reports all that is in it."""


def folder(settings):
    """Where a node's files are."""
    return Path(bpy.path.abspath(settings.folder)) / settings.basename


def digest(node, scene):
    """Of all that the paint depends on."""
    return f"{upstream.of(node, scene)}-{hash_of(node.node_tree.tsn.key())}"


def read(path):
    """Frame -> digest it was painted under; empty where there is no such file, or none that can be read."""
    try:
        return {int(number): str(value) for number, value in json.loads(path.read_text())["frames"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def record(path, painted):
    """Add frames to the file, whole or not at all. Raises OSError."""
    known = read(path) | painted
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps({"frames": {str(number): known[number] for number in sorted(known)}}, indent=1))
    os.replace(temporary, path)


def begin(settings):
    """Frames are exported from now on: the next change of the scene makes them out of date.

    An even number that was never there before: after an undo, or in the file's next version, which paints into the
    same folder, the same count could stand for another scene.
    """
    if settings.scene_changed % 2:
        settings.scene_changed = 2 * (int(time.time()) % 2**29)


def standing(node, scene):
    """(frames there, frames wanted, frames out of date) of a node's range."""
    settings = node.node_tree.tsn
    key = settings.uid
    cached = _cache.get(key)
    if cached and time.monotonic() - cached[0] < 0.5 and not bpy.app.background:
        return cached[1]
    home, wanted = folder(settings), set(settings.frames(scene))
    there = frames.on_disk(home / "styled", settings.basename) & wanted
    now, painted = digest(node, scene), read(home / "state.json")
    same = {one for one, other in _renamed(settings).items() if other == now} | {now}
    stale = {number for number in there if painted.get(number) not in same}
    _cache[key] = (time.monotonic(), (there, wanted, stale))
    return there, wanted, stale


def forget():
    """Look at the disk and at the scene again when asked next."""
    _cache.clear()
    upstream.forget()


def saving(node, scene):
    """Note what the digest is in this Blender: another one has other properties, and so another digest."""
    node.node_tree.tsn.digest, node.node_tree.tsn.version = digest(node, scene), bpy.app.version_string


def opened(node, scene):
    """Where another Blender saved the file, what was painted under its digest then is so under this one's now."""
    settings = node.node_tree.tsn
    if not settings.digest or settings.version == bpy.app.version_string:
        return
    now = digest(node, scene)
    known = {one: now if other == settings.digest else other for one, other in _renamed(settings).items()}
    settings.renamed = json.dumps(known | {settings.digest: now})
    settings.digest, settings.version = now, bpy.app.version_string


def _renamed(settings):
    """Digest that an older Blender gave -> what it is in a newer one."""
    return json.loads(settings.renamed) if settings.renamed else {}


@contextlib.contextmanager
def own_doing():
    """What changes in the block is not the artist's doing: a new link or driver marks every object as updated."""
    _quiet.append(True)
    try:
        yield
        if bpy.context.view_layer is not None:
            bpy.context.view_layer.update()
    finally:
        _quiet.pop()


@persistent
def _scene_changed(scene, depsgraph):
    """Have what changed looked at again; what can't be looked at is counted, once for each time it was exported."""
    met = (scene.name, depsgraph.view_layer.name)
    new = met not in _met
    _met.add(met)
    untold = False
    for update in depsgraph.updates:
        upstream.reported(update.id)
        untold = untold or _untold(update)
    if new or _quiet or not untold:
        return
    for node in tree.of_scene(scene):
        settings = node.node_tree.tsn
        if not settings.scene_changed % 2 and tree.render_layers(node, scene):
            settings.scene_changed += 1


def _untold(update):
    """Whether an object got another shape by what no property tells: sculpted detail, or combed hair."""
    return (
        isinstance(update.id, bpy.types.Object)
        and update.is_updated_geometry
        and any(
            one.type == "MULTIRES" or (one.type == "PARTICLE_SYSTEM" and one.particle_system.is_edited)
            for one in update.id.original.modifiers
        )
    )


@persistent
def _another_file(*_):
    _met.clear()
    forget()


@persistent
def _another_step(*_):
    forget()  # undo moves everything in memory


HANDLERS = {
    "depsgraph_update_post": _scene_changed,
    "load_post": _another_file,
    "undo_post": _another_step,
    "redo_post": _another_step,
}


def register():
    for name, handler in HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)


def unregister():
    for name, handler in HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    _met.clear()
    forget()
