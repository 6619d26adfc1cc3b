"""Blender's side of test_addon_*.py: one case a process. Blender's Python only (bpy)::

    TSN_COMMAND=.venv/bin/tsn TSN_ADDONS=/tmp/addons python tests/hosts/addon loop /tmp/folder

The add-on's zip is unpacked in TSN_ADDONS, and the folder contains style.safetensors. A case that fails ends with a
traceback and exit code 1.
"""

from __future__ import annotations

import os
import sys
import traceback

import changes
import faults
import interrupting
import keeping
import keys
import package
import rendering
import strokes

MODULES = (rendering, changes, faults, interrupting, keeping, keys, package, strokes)

if __name__ == "__main__":
    case = f"case_{sys.argv[1]}"
    try:
        next(getattr(module, case) for module in MODULES if hasattr(module, case))()
        print(f"{sys.argv[1]}: done", flush=True)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)  # bpy 4.5 can hang while the interpreter shuts down
