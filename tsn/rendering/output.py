"""The folders for results and the cache, with an early error where nothing can be written there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from tsn.io.atomic import OUTPUT_SETTING, write_error


def cache_folder() -> Path:
    """$TSN_CACHE, else `tsn` in the user's cache folder: flow, calibrations and logs, safe to delete at any time.

    An $XDG_CACHE_HOME that is empty or relative counts as unset, as its specification says.
    """
    if given := os.environ.get("TSN_CACHE"):
        return Path(given)
    user = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (user if user.is_absolute() else Path.home() / ".cache") / "tsn"


CACHE_VARIABLE = "TSN_CACHE"
"""The variable to correct where the cache can't be written, named in the error."""


def require_writable(folder: Path) -> None:
    """Raise OutputError unless `folder` can be written, or made under the folders that there are."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if fault := _fault(there):
        raise write_error(folder, OSError(fault, os.strerror(fault)), OUTPUT_SETTING)


def _fault(there: Path) -> int:
    """The errno that writing into a folder would give; 0 for none."""
    if not there.is_dir():
        return errno.ENOTDIR
    if os.access(there, os.W_OK | os.X_OK):
        return 0
    read_only = hasattr(os, "statvfs") and os.statvfs(there).f_flag & os.ST_RDONLY
    return errno.EROFS if read_only else errno.EACCES


def make_folder(folder: Path) -> None:
    """Make the output folder. Raises OutputError before any frame is painted."""
    require_writable(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error, OUTPUT_SETTING) from error
