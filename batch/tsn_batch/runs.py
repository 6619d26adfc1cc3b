"""A folder for each render of a shot with several workers: its plan, its logs, and paint on its way between workers.

Two renders of one shot at the same time must not take each other's plan; and who looks for the fault of the night
must still find its logs after the renders of the morning.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from tsn.io.atomic import is_abandoned, write_error
from tsn.io.processes import host_id, is_running
from tsn.rendering.output import CACHE_VARIABLE

HANDOVER = "handover"
KEPT = 5
"""Ended renders of a shot whose logs stay."""


def new_run(folder: Path) -> Path:
    """Make a folder for a render that this process begins, under `folder`, and clear up behind ended ones.

    Raises:
        OutputError: it can't be made.
    """
    run = folder / f"{datetime.now():%Y%m%d-%H%M%S-%f}-{host_id()}-{os.getpid()}"
    try:
        run.mkdir(parents=True)
    except OSError as error:
        raise write_error(run, error, CACHE_VARIABLE) from error
    _clear(folder)
    return run


def _clear(folder: Path) -> None:
    """Keep the last few ended renders. Of those of other hosts, and of containers that are gone, age alone tells."""
    own = re.compile(rf"\d{{8}}-\d{{6}}-\d{{6}}-{re.escape(host_id())}-(\d+)")
    ended = []
    for run in sorted(folder.iterdir()):
        writer = own.fullmatch(run.name)
        with suppress(OSError):
            if not is_running(int(writer[1])) if writer else is_abandoned(run, *run.iterdir()):
                ended.append(run)
    for run in ended[:-KEPT]:
        shutil.rmtree(run, ignore_errors=True)
    for run in ended[-KEPT:]:  # paint that a killed render left behind is large
        shutil.rmtree(run / HANDOVER, ignore_errors=True)
