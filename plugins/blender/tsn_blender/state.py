"""Which frames are painted, and which of them are out of date.

A small JSON file beside the frames says under which digest each was painted; the digest covers the node's settings
and all that is upstream. What the digest can't see, a change of the scene that Render Layers shows, is counted by a
handler.
"""

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from . import frames, tree

_cache = {}
_quiet = []


def folder(settings):
    """Where a node's files are."""
    return Path(bpy.path.abspath(settings.folder)) / settings.basename


def digest(node, scene):
    """Of all that the paint depends on."""
    return f"{tree.digest(node, scene)}-{hash_of(node.node_tree.tsn.key())}"


def hash_of(value):
    """Stable between sessions, unlike hash()."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


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
    stale = {number for number in there if painted.get(number) != now}
    _cache[key] = (time.monotonic(), (there, wanted, stale))
    return there, wanted, stale


def forget():
    """Look at the disk again when asked next."""
    _cache.clear()


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
    """Count it on the nodes that show the scene, once for each time they were exported."""
    if _quiet:
        return
    if not any(_shows(update) for update in depsgraph.updates):
        return
    for node in tree.of_scene(scene):
        settings = node.node_tree.tsn
        if not settings.scene_changed % 2 and tree.render_layers(node, scene):
            settings.scene_changed += 1


def _shows(update):
    """Whether an update can be seen in a render. New links and drivers mark every object too, for its shading alone."""
    if isinstance(update.id, (bpy.types.Object, bpy.types.Collection)):
        return update.is_updated_transform or update.is_updated_geometry
    return isinstance(update.id, (bpy.types.Material, bpy.types.World, bpy.types.Light, bpy.types.Camera))


def register():
    bpy.app.handlers.depsgraph_update_post.append(_scene_changed)


def unregister():
    bpy.app.handlers.depsgraph_update_post.remove(_scene_changed)
    _cache.clear()
