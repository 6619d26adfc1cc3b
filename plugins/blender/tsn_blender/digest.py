"""What a node's input depends on, in a few letters: another digest means that the render would be another one.

Looked at are the nodes upstream, and what they show: of each scene its settings, its camera and the view layer that is
shown, with the objects in there, and on from these to all that they point to. Blender is asked for everything each time
it has no window; in one, what its dependency graph did not report since is taken as known.
"""

import time

import bpy

from . import compat, looks, tree

REMEMBERS = not bpy.app.background
"""Whether what did not change is looked at once only: a window asks several times a second."""
YOUNG = 5.0
"""Seconds a look at a data-block is taken as it is, in a window; longer where it takes long."""
PATIENCE = 0.005
"""Seconds that are spent at a time on looking again at what is older, in case that it was not reported."""
_known = {}
"""Address -> (name and engine, until when it holds, hash, the data-blocks it points to)."""
_within = {}
"""Address of a node tree -> address of the data-block it is a part of."""


def of(node, scene):
    """Of all that is upstream of a node."""
    engine = scene.render.engine
    own = looks.Look(node.id_data, engine)
    start = tree.source(node)
    above = sorted(tree.upstream(node), key=lambda one: one.name)
    parts = [(start.node.name, start.identifier) if start else None]
    parts.append(
        own.struct(node.id_data, but=("nodes", "animation_data"))
    )  # not what is downstream, nor how that moves
    data = node.id_data.animation_data
    curves = compat.all_curves(data) if data else []
    for one in above:
        here = f'nodes["{bpy.utils.escape_identifier(one.name)}"]'
        parts += [own.node(one), [own.struct(curve) for curve in curves if curve.data_path.startswith(here)]]
        if tree.is_ours(one):
            settings = one.node_tree.tsn
            parts += [settings.key(), settings.shown, settings.shown_frame]
    shown = []
    parts.append(_blocks(own.points_to, shown, engine))
    seen = set()
    while shown:
        other, layer = shown.pop(0)
        other = other or scene
        if (other, layer) not in seen:
            seen.add((other, layer))
            parts.append(_scene(other, layer, shown))
    if not seen:  # the compositor works in this size, and on this device
        parts.append(looks.Look(scene, engine).struct(scene.render))
    return looks.hash_of(parts)


def _scene(scene, layer, shown):
    """What one view layer of a scene shows."""
    look = looks.Look(scene, scene.render.engine)
    parts = [look.struct(scene), _cameras(scene, look)]
    # A layer that is gone shows nothing; no layer stands for all.
    for one in scene.view_layers if layer is None else filter(None, [scene.view_layers.get(layer)]):
        parts.append(look.struct(one))
        waiting = [one.layer_collection]
        while waiting:
            part = waiting.pop()
            waiting += part.children
            parts.append((part.name, part.exclude, part.holdout, part.indirect_only, part.collection.hide_render))
            if not part.exclude:
                look.points_to += part.collection.objects
    return [parts, _blocks(look.points_to, shown, scene.render.engine)]


def _cameras(scene, look):
    """The camera, or those of the timeline: the scene's own one follows them."""
    bound = [(marker.frame, look.to(marker.camera)) for marker in scene.timeline_markers if marker.camera]
    return sorted(bound) or look.to(scene.camera)


def _blocks(waiting, shown, engine):
    """Hashes of data-blocks and of all that they point to."""
    until = time.monotonic() + PATIENCE
    found, waiting = {}, list(waiting)
    while waiting:
        block = waiting.pop()
        if isinstance(block, bpy.types.Scene):
            block = block, None
        if isinstance(block, tuple):
            shown.append(block)
            continue
        name = looks.called(block)
        if name not in found:
            found[name], more = _looked_at(block, name, engine, until)
            waiting += more
    return sorted(found.items())


def _looked_at(block, name, engine, until):
    """(hash of a data-block, those it points to)."""
    now, key = time.monotonic(), block.as_pointer()
    known = _known.get(key) if REMEMBERS else None
    if known and known[0] == (name, engine) and (now < known[1] or now > until):
        return known[2:]
    look = looks.Look(block, engine)
    found = looks.hash_of(look.struct(block)), look.points_to
    took = time.monotonic() - now
    _known[key] = ((name, engine), now + max(YOUNG, 100 * took), *found)
    _within.update(dict.fromkeys(look.inside, key))
    return found


def forget():
    """Ask for everything again."""
    _known.clear()
    _within.clear()
    looks.forget()


def reported(block):
    """A data-block changed, as Blender reports."""
    key = block.original.as_pointer()
    _known.pop(key, None)
    _known.pop(_within.get(key), None)
