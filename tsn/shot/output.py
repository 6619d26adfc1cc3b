"""Where results go: said early when nothing can be written there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from tsn.io.sequence import cannot_write


def require_writable(folder: Path) -> None:
    """Raise OutputError unless `folder` can be written, or made under the folders that there are."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    fault = errno.ENOTDIR if not there.is_dir() else 0 if os.access(there, os.W_OK | os.X_OK) else errno.EACCES
    if fault:
        raise cannot_write(folder, OSError(fault, os.strerror(fault)))


def make_folder(folder: Path) -> None:
    """Make the output folder. Raises OutputError now, not after an hour of painting."""
    require_writable(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
