"""TSN Stylize for Nuke: a Group that has its input painted by the command `tsn`.

The group's insides are ordinary nodes, so a script renders anywhere; only its buttons need this package.
"""

from __future__ import annotations

from .group import create
from .work import cancel, preview, reload, render, shot_file, submit

__all__ = ["cancel", "create", "preview", "reload", "render", "shot_file", "submit"]
