"""Where a node's files are: no two nodes share a folder, nor do two scripts beside each other.

folder/script/node/{plate,styled,node.yaml}      or with a name of the artist's: folder/name/...
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nuke

from . import shotfile
from .command import Failed
from .group import KNOBS


def name(node: Any) -> str:
    """What a node's shot file and frames are called; its full name is its own even where groups hold two alike."""
    return str(node[KNOBS + "basename"].value()) or str(node.fullName())


def home(node: Any, *, preview: bool) -> Path:
    """The node's folder. Raises Failed where it can't work, or is another node's too."""
    folder = node[KNOBS + "folder"].evaluate()
    if not folder or not os.path.isabs(folder):
        raise Failed("Save the script first, or choose a folder on the node.")
    own = _folder(node)
    fault = shotfile.name_fault(name(node)) or shotfile.folder_fault(str(own))
    if fault:
        raise Failed(fault)
    for other in nuke.allNodes("Group", nuke.root(), True):
        if KNOBS + "basename" in other.knobs() and other.fullName() != node.fullName() and _folder(other) == own:
            raise Failed(f"The node {other.fullName()} writes to {own} too.", "Give one of the two another name.")
    return own / "preview" if preview else own


def _folder(node: Any) -> Path:
    folder = Path(node[KNOBS + "folder"].evaluate() or "")
    if not node[KNOBS + "basename"].value():
        folder /= os.path.splitext(os.path.basename(nuke.root()["name"].value()))[0]
    return folder / name(node)
