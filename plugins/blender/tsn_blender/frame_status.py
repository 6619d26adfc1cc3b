"""Which frames are painted, and which of them are out of date.

state.json beside the frames records the digest under which each was painted. The digest covers the node's settings and
everything upstream (see `upstream_digest`). A handler counts changes that Blender reports but no property shows.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import node_trees, upstream_digest
from .rna_values import hash_of
from .shared import frame_numbers

CACHE_SECONDS = 0.5
"""How long a window shows the same status before it is determined again."""
_cache: dict[str, tuple[float, tuple[set[int], set[int], set[int]]]] = {}
"""Node id -> (time, what `frame_sets` returned)."""
_ignoring: list[bool] = []
"""Not empty while changes are the add-on's own."""
_known_layers: set[tuple[str, str]] = set()
"""(scene, view layer) of earlier updates. A layer's first update after opening a file reports all that is in it."""


def node_folder(settings: Any) -> Path:
    """The folder of a node's files."""
    return Path(bpy.path.abspath(settings.folder)) / settings.basename


def paint_digest(node: bpy.types.Node, scene: bpy.types.Scene) -> str:
    """A digest of everything that the paint depends on."""
    key = node.node_tree.tsn.paint_key(scene.render.engine)
    return f"{upstream_digest.digest_upstream(node, scene)}-{hash_of(key)}"


def read_record(path: Path) -> dict[int, str]:
    """Frame -> digest under which it was painted; empty where the file is missing or damaged."""
    try:
        return {int(number): str(value) for number, value in json.loads(path.read_text())["frames"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def record_painted(path: Path, digests: Mapping[int, str]) -> None:
    """Add painted frames and their digests to the file, whole or not at all. Raises OSError."""
    frames = {**read_record(path), **digests}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps({"frames": {str(number): frames[number] for number in sorted(frames)}}, indent=1))
    os.replace(temporary, path)


def start_export(settings: Any) -> None:
    """Note that frames are exported from now on: the next unreadable change makes them out of date.

    The count becomes an even number that it never was before. Otherwise, after an undo, or in the file's next version,
    which paints into the same folder, the same count could stand for another scene.
    """
    if settings.scene_changed % 2:
        settings.scene_changed = 2 * (int(time.time()) % 2**29)


def frame_sets(node: bpy.types.Node, scene: bpy.types.Scene) -> tuple[set[int], set[int], set[int]]:
    """(painted frames, requested frames, painted frames that are out of date) of a node's range."""
    settings = node.node_tree.tsn
    key = settings.uid
    cached = _cache.get(key)
    if cached and time.monotonic() - cached[0] < CACHE_SECONDS and not bpy.app.background:
        return cached[1]
    home, requested = node_folder(settings), set(settings.frames(scene))
    painted = frame_numbers.frames_on_disk(home / "styled", settings.basename) & requested
    now, record = paint_digest(node, scene), read_record(home / "state.json")
    current = {old for old, new in _translations(settings).items() if new == now} | {now}
    stale = {number for number in painted if record.get(number) not in current}
    _cache[key] = (time.monotonic(), (painted, requested, stale))
    return painted, requested, stale


def clear_cache() -> None:
    """Read the disk and the scene again next time."""
    _cache.clear()
    upstream_digest.clear_cache()


def note_digest(node: bpy.types.Node, scene: bpy.types.Scene) -> None:
    """Save this Blender's digest in the file: another version has other properties, and so another digest."""
    node.node_tree.tsn.digest, node.node_tree.tsn.version = paint_digest(node, scene), bpy.app.version_string


def translate_digests(node: bpy.types.Node, scene: bpy.types.Scene) -> None:
    """Where another Blender saved the file, note which digest of this one stands for the saved one."""
    settings = node.node_tree.tsn
    if not settings.digest or settings.version == bpy.app.version_string:
        return
    now = paint_digest(node, scene)
    earlier = {old: now if new == settings.digest else new for old, new in _translations(settings).items()}
    settings.renamed = json.dumps(earlier | {settings.digest: now})
    settings.digest, settings.version = now, bpy.app.version_string


def _translations(settings: Any) -> dict[str, str]:
    """Digest of an older Blender -> the same scene's digest in a newer one."""
    return json.loads(settings.renamed) if settings.renamed else {}


@contextlib.contextmanager
def ignoring_own_changes() -> Iterator[None]:
    """Changes in the block don't make frames out of date: a new link or driver marks every object as updated."""
    _ignoring.append(True)
    try:
        yield
        if bpy.context.view_layer is not None:
            bpy.context.view_layer.update()
    finally:
        _ignoring.pop()


@persistent
def _after_update(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Have changed data-blocks read again, and count a change that can't be read, once after each export."""
    layer = (scene.name, depsgraph.view_layer.name)
    first_update = layer not in _known_layers
    _known_layers.add(layer)
    unreadable = False
    for update in depsgraph.updates:
        upstream_digest.mark_changed(update.id)
        unreadable = unreadable or _is_unreadable(update)
    if first_update or _ignoring or not unreadable:
        return
    for node in node_trees.nodes_of_scene(scene):
        settings = node.node_tree.tsn
        if not settings.scene_changed % 2 and node_trees.render_layers_node(node, scene):
            settings.scene_changed += 1


def _is_unreadable(update: bpy.types.DepsgraphUpdate) -> bool:
    """Whether an object's shape changed in a way that no property shows: sculpted multires detail, or combed hair."""
    return (
        isinstance(update.id, bpy.types.Object)
        and update.is_updated_geometry
        and any(
            modifier.type == "MULTIRES" or (modifier.type == "PARTICLE_SYSTEM" and modifier.particle_system.is_edited)
            for modifier in update.id.original.modifiers
        )
    )


@persistent
def _after_loading(*_: Any) -> None:
    _known_layers.clear()
    clear_cache()


@persistent
def _after_undo(*_: Any) -> None:
    clear_cache()  # undo moves everything in memory


HANDLERS = {
    "depsgraph_update_post": _after_update,
    "load_post": _after_loading,
    "undo_post": _after_undo,
    "redo_post": _after_undo,
}


def register() -> None:
    """Add the handlers."""
    for name, handler in HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Remove the handlers, and forget everything."""
    for name, handler in HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    _known_layers.clear()
    clear_cache()
