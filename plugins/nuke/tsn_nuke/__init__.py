"""TSN Stylize for Nuke: a group that has its input painted by the command `tsn`.

The group contains only ordinary nodes, so a script renders anywhere; only its buttons need this package. Buttons in
saved scripts call the functions below by name.
"""

from __future__ import annotations

import os

_HERE = os.path.dirname(os.path.realpath(__file__))
if not os.path.isdir(os.path.join(_HERE, "shared")):
    # The zip has a copy of the subpackage `shared` in this folder. In the repository it lies in plugins/.
    _PLUGINS = os.path.dirname(os.path.dirname(_HERE))
    if not os.path.isfile(os.path.join(_PLUGINS, "shared", "tsn_process.py")):
        raise ImportError(
            f"{_PLUGINS} lacks the folder shared, which belongs beside nuke: install the zip of plugins/make_zips.py."
        )
    __path__.append(_PLUGINS)

from .actions import cancel, preview, reload, render, shot_file, submit  # noqa: E402
from .group_node import create  # noqa: E402
from .key_actions import key_export, key_paint, learn  # noqa: E402

__all__ = [
    "cancel", "create", "key_export", "key_paint", "learn", "preview", "reload", "render", "shot_file", "submit",
]  # fmt: skip
