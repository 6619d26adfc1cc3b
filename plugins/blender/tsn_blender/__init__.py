"""TSN Stylize: a node in Blender's compositor that has a shot painted by the command `tsn`.

An extension for Blender 4.2, 4.5 and 5.0; the same zip installs as a legacy add-on from 3.4. Nothing of tsn runs inside
Blender: `command` starts it as a child process. Who calls whom::

    ui, ops ── job ── export ── tree walk, compat        (Blender side)
       │        ├──── shotfile, command                  (plain Python, tested without Blender)
       └─ node ─┴──── result, state, freeze
                               └── digest ── looks ── unseen   (what makes a result out of date)
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

from . import freeze, job, node, ops, prefs, state, styles, ui  # noqa: E402

MODULES = (prefs, node, ops, ui, state, freeze)


def register() -> None:
    """Called by Blender."""
    for module in MODULES:
        module.register()


def unregister() -> None:
    """Called by Blender; no child process and no handler stays behind."""
    job.cancel_all()
    for module in reversed(MODULES):
        module.unregister()
    styles.forget()
