"""TSN Stylize: a node in Blender's compositor that has a shot painted by the command `tsn`.

An extension for Blender 4.2, 4.5 and 5.0; the same zip installs as a legacy add-on from 3.4. `plugins/make_zips.py`
makes it: the folder `shared`, which the Nuke plug-in needs too, is copied into it then. Nothing of tsn runs inside
Blender: `shared.tsn_process` starts it as a child process. Who calls whom::

    ui, ops ── node_render ── plate_export ── node_trees, compat      (Blender)
       │            ├──────── shared: shot_yaml, tsn_process ...      (plain Python, tested without Blender)
       │        key_jobs ──── key_ops                                 (key frames)
       └─ node ─────┴──────── strokes, key_frames, inner_tree, frame_status, saved_groups
                                              └── upstream_digest ── datablock_reader ── rna_properties, rna_values
                                                  (what makes a frame out of date)
"""

bl_info = {
    "name": "TSN Stylize",
    "author": "The TemporalStyleNet project",
    "version": (0, 1, 0),
    "blender": (3, 4, 0),
    "location": "Compositor > Add > TSN Stylize",
    "description": "Paint a shot in a style that sticks to what moves",
    "category": "Compositing",
}

from . import frame_status, key_ops, node, node_render, ops, prefs, saved_groups, styles, ui  # noqa: E402

MODULES = (prefs, node, ops, key_ops, ui, frame_status, saved_groups)


def register() -> None:
    """Register everything. Called by Blender."""
    for module in MODULES:
        module.register()


def unregister() -> None:
    """Undo `register`, and end all child processes. Called by Blender."""
    node_render.cancel_all()
    for module in reversed(MODULES):
        module.unregister()
    styles.unload()
