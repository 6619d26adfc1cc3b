"""TSN Stylize for Nuke: a group that has its input painted by the command `tsn`.

The group contains only ordinary nodes, so a script renders anywhere; only its buttons need this package. Buttons in
saved scripts call the functions below by name.
"""

from __future__ import annotations

import os

_HERE = os.path.dirname(os.path.realpath(__file__))
if not os.path.isdir(os.path.join(_HERE, "shared")):
    # The zip has a copy of the subpackage `shared` in this folder. In the repository it lies in plugins/.
    __path__.append(os.path.dirname(os.path.dirname(_HERE)))

from .actions import cancel, preview, reload, render, shot_file, submit  # noqa: E402
from .group_node import create  # noqa: E402

__all__ = ["cancel", "create", "preview", "reload", "render", "shot_file", "submit"]
