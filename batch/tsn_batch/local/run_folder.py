"""A folder for each render with several workers: its plan, its logs, and the painted frames that workers exchange.

Two renders of one shot at the same time must not use each other's plan, and the logs of a failed render must still be
there after the next few renders.
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

EXCHANGE_FOLDER = "handover"
"""Name of the subfolder in which workers exchange painted frames."""
KEPT_RUNS = 5
"""Number of ended renders of a shot whose logs are kept."""


def make_run_folder(folder: Path) -> Path:
    """Make a folder under `folder` for a render that this process starts, and remove folders of older renders.

    Raises:
        OutputError: the folder can't be made.
    """
    run = folder / f"{datetime.now():%Y%m%d-%H%M%S-%f}-{host_id()}-{os.getpid()}"
    try:
        run.mkdir(parents=True)
    except OSError as error:
        raise write_error(run, error, CACHE_VARIABLE) from error
    _clear(folder)
    return run


def _clear(folder: Path) -> None:
    """Keep the last `KEPT_RUNS` ended renders. A render of another host or container counts as ended by its age."""
    own = re.compile(rf"\d{{8}}-\d{{6}}-\d{{6}}-{re.escape(host_id())}-(\d+)")
    ended = []
    for run in sorted(folder.iterdir()):
        writer = own.fullmatch(run.name)
        with suppress(OSError):
            if not is_running(int(writer[1])) if writer else is_abandoned(run, *run.iterdir()):
                ended.append(run)
    for run in ended[:-KEPT_RUNS]:
        shutil.rmtree(run, ignore_errors=True)
    for run in ended[-KEPT_RUNS:]:  # exchanged frames that a killed render left behind are large
        shutil.rmtree(run / EXCHANGE_FOLDER, ignore_errors=True)
