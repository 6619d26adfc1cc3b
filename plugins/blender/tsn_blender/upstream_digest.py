"""A digest of everything that a node's input depends on: if it changes, the render would change.

It covers the nodes upstream and what they show: each scene's settings, its camera and the view layer that is shown,
the objects in that layer, and every data-block that these refer to. Without a window everything is read each time. In a
window, what Blender's dependency graph has not reported as changed is taken from a cache.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import bpy

from . import compat, node_trees, rna_properties
from .datablock_reader import DataBlockReader
from .rna_values import block_name, hash_of

USES_CACHE = not bpy.app.background
"""Whether unchanged data-blocks are taken from the cache: a window asks for the digest several times a second."""
CACHE_SECONDS = 5.0
"""How long an entry holds at least; 100 times as long as it took to read, where that is more."""
REFRESH_SECONDS = 0.005
"""How long one digest may spend on reading outdated entries again, in case a change was not reported."""
_cache: dict[int, tuple[tuple[str, str], float, str, list[Any]]] = {}
"""Address -> ((name, engine), time until which it holds, hash, data-blocks that it refers to)."""
_owners: dict[int, int] = {}
"""Address of a node tree -> address of the data-block that it is part of."""

_ShownLayer = tuple[Any, Any]
"""(scene, or None for the node's own; name of the view layer, or None for all)."""


def digest_upstream(node: bpy.types.Node, scene: bpy.types.Scene) -> str:
    """The digest of everything upstream of a node."""
    engine = scene.render.engine
    own = DataBlockReader(node.id_data, engine)
    start = node_trees.linked_socket(node)
    upstream = sorted(node_trees.upstream_nodes(node), key=lambda one: one.name)
    parts: list[Any] = [(start.node.name, start.identifier) if start else None]
    # Without the nodes downstream and their animation.
    parts.append(own.read_struct(node.id_data, skip=("nodes", "animation_data")))
    data = node.id_data.animation_data
    curves = compat.all_curves(data) if data else []
    for one in upstream:
        prefix = f'nodes["{bpy.utils.escape_identifier(one.name)}"]'
        parts += [
            own.read_node(one),
            [own.read_struct(curve) for curve in curves if curve.data_path.startswith(prefix)],
        ]
        if node_trees.is_tsn_node(one):
            settings = one.node_tree.tsn
            parts += [settings.paint_key(engine), settings.shown, settings.shown_frame]
    shown: list[_ShownLayer] = []
    parts.append(_read_blocks(own.points_to, shown, engine))
    seen = set()
    while shown:
        other, layer = shown.pop(0)
        other = other or scene
        if (other, layer) not in seen:
            seen.add((other, layer))
            parts.append(_read_scene(other, layer, shown))
    if not seen:  # no scene is shown, but the compositor works at this scene's size, and on its device
        parts.append(DataBlockReader(scene, engine).read_struct(scene.render))
    return hash_of(parts)


def digest_curves(owner: bpy.types.ID, curves: Iterable[bpy.types.FCurve], engine: str) -> str:
    """The digest of F-curves of a data-block: their keys, and what their drivers read, but for scenes."""
    reader = DataBlockReader(owner, engine)
    parts: list[Any] = [reader.read_struct(curve) for curve in curves]
    return hash_of([*parts, _read_blocks(reader.points_to, [], engine)])


def clear_cache() -> None:
    """Read everything again."""
    _cache.clear()
    _owners.clear()
    rna_properties.clear_cache()


def mark_changed(block: bpy.types.ID) -> None:
    """Read a data-block again: the dependency graph reported a change."""
    key = block.original.as_pointer()
    _cache.pop(key, None)
    _cache.pop(_owners.get(key, 0), None)


def _read_scene(scene: bpy.types.Scene, layer: str | None, shown: list[_ShownLayer]) -> list[Any]:
    """A scene as one of its view layers shows it; a layer that was removed shows nothing, None means all layers."""
    reader = DataBlockReader(scene, scene.render.engine)
    parts = [reader.read_struct(scene), _cameras(scene, reader)]
    for view_layer in scene.view_layers if layer is None else filter(None, [scene.view_layers.get(layer)]):
        parts.append(reader.read_struct(view_layer))
        waiting = [view_layer.layer_collection]
        while waiting:
            part = waiting.pop()
            waiting += part.children
            parts.append((part.name, part.exclude, part.holdout, part.indirect_only, part.collection.hide_render))
            if not part.exclude:
                reader.points_to += part.collection.objects
    return [parts, _read_blocks(reader.points_to, shown, scene.render.engine)]


def _cameras(scene: bpy.types.Scene, reader: DataBlockReader) -> Any:
    """The cameras that markers on the timeline switch to, or the scene's camera where there are none."""
    bound = [(marker.frame, reader.read_pointer(marker.camera)) for marker in scene.timeline_markers if marker.camera]
    return sorted(bound) or reader.read_pointer(scene.camera)


def _read_blocks(blocks: Iterable[Any], shown: list[_ShownLayer], engine: str) -> list[tuple[str, str]]:
    """(name, hash) of data-blocks and of all that they refer to; scenes among them are added to `shown`."""
    until = time.monotonic() + REFRESH_SECONDS
    hashes: dict[str, str] = {}
    waiting = list(blocks)
    while waiting:
        block = waiting.pop()
        if isinstance(block, bpy.types.Scene):
            block = block, None
        if isinstance(block, tuple):
            shown.append(block)
            continue
        name = block_name(block)
        if name not in hashes:
            hashes[name], more = _read_block(block, name, engine, until)
            waiting += more
    return sorted(hashes.items())


def _read_block(block: bpy.types.ID, name: str, engine: str, until: float) -> tuple[str, list[Any]]:
    """(hash of a data-block, data-blocks that it refers to). After the time `until`, outdated entries are used too."""
    now, key = time.monotonic(), block.as_pointer()
    cached = _cache.get(key) if USES_CACHE else None
    if cached and cached[0] == (name, engine) and (now < cached[1] or now > until):
        return cached[2:]
    reader = DataBlockReader(block, engine)
    digest = hash_of(reader.read_struct(block))
    seconds = time.monotonic() - now
    _cache[key] = ((name, engine), now + max(CACHE_SECONDS, 100 * seconds), digest, reader.points_to)
    _owners.update(dict.fromkeys(reader.inside, key))
    return digest, reader.points_to
