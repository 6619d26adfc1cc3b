"""Python as tsn starts it anew: with modules of its installation only, whatever lies in the current folder.

Farms start their tasks in the job folder, and a shot's folder may hold a `numpy.py` or a `tsn/` of somebody's. Python
looks there first, unless it is told -P, and again where PYTHONPATH has an empty entry, as PYTHONPATH=$PYTHONPATH:/tools
leaves one.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def python_command(module: str) -> list[str]:
    """The command that runs a module with this very interpreter."""
    return [sys.executable, "-P", "-m", module]


def child_environment() -> dict[str, str]:
    """The environment for such a child, and for what it starts itself."""
    made = dict(os.environ) | {"PYTHONSAFEPATH": "1"}
    if entries := list(filter(None, made.pop("PYTHONPATH", "").split(os.pathsep))):
        made["PYTHONPATH"] = os.pathsep.join(entries)
    return made


def leave_current_folder() -> None:
    """Of a process that was started with -P: forget the current folder where an empty entry of PYTHONPATH put it."""
    given = os.environ.get("PYTHONPATH", "")
    entries = given.split(os.pathsep)
    with suppress(FileNotFoundError, ValueError):  # somebody removed it; Python didn't put it there
        here = os.getcwd()
        if sys.flags.safe_path and given and "" in entries and here not in map(os.path.abspath, filter(None, entries)):
            sys.path.remove(here)
