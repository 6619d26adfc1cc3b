"""Start Python with the modules of this installation only, whatever the current folder holds.

Farms start tasks in the job folder, and a shot's folder may hold a `numpy.py` or a `tsn/` of its own. Python imports
from there first, unless it is started with -P, and again where PYTHONPATH has an empty entry, as
PYTHONPATH=$PYTHONPATH:/tools makes one.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def python_command(module: str) -> list[str]:
    """The command line that runs a module with this interpreter."""
    return [sys.executable, "-P", "-m", module]


def child_environment() -> dict[str, str]:
    """The environment for a child process and its own children: no import from the current folder."""
    environment = dict(os.environ) | {"PYTHONSAFEPATH": "1"}
    if entries := list(filter(None, environment.pop("PYTHONPATH", "").split(os.pathsep))):
        environment["PYTHONPATH"] = os.pathsep.join(entries)
    return environment


def leave_current_folder() -> None:
    """In a process started with -P, remove the current folder from sys.path where an empty PYTHONPATH entry put it."""
    given = os.environ.get("PYTHONPATH", "")
    entries = given.split(os.pathsep)
    with suppress(FileNotFoundError, ValueError):  # the folder was deleted; or it is not in sys.path
        here = os.getcwd()
        if sys.flags.safe_path and given and "" in entries and here not in map(os.path.abspath, filter(None, entries)):
            sys.path.remove(here)
