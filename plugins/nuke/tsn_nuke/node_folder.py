"""Where a node's files are. No two nodes share a folder, nor do two scripts in the same folder.

folder/script/node/{plate,styled,node.yaml}, or folder/name/{plate,styled,name.yaml} where the artist gives a name
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nuke

from .group_node import KNOB_PREFIX
from .shared import shot_yaml
from .shared.tsn_process import PluginError


def base_name(node: Any) -> str:
    """The name of a node's shot file and frames. A node's full name is unique even if groups hold nodes of one name."""
    return str(node[KNOB_PREFIX + "basename"].value()) or str(node.fullName())


def node_folder(node: Any, *, preview: bool) -> Path:
    """The folder of a node's files.

    Raises:
        PluginError: the folder can't be used, or is another node's too.
    """
    folder = node[KNOB_PREFIX + "folder"].evaluate()
    if not folder or not os.path.isabs(folder):
        raise PluginError("Save the script first, or choose a folder on the node.")
    own = _full_folder(node)
    error = shot_yaml.name_error(base_name(node)) or shot_yaml.folder_error(str(own))
    if error:
        raise PluginError(error)
    for other in nuke.allNodes("Group", nuke.root(), True):
        ours = KNOB_PREFIX + "basename" in other.knobs()
        if ours and other.fullName() != node.fullName() and _full_folder(other) == own:
            raise PluginError(f"The node {other.fullName()} writes to {own} too.", "Give one of the two another name.")
    return own / "preview" if preview else own


def _full_folder(node: Any) -> Path:
    folder = Path(node[KNOB_PREFIX + "folder"].evaluate() or "")
    if not node[KNOB_PREFIX + "basename"].value():
        folder /= os.path.splitext(os.path.basename(nuke.root()["name"].value()))[0]
    return folder / base_name(node)
