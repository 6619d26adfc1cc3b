"""Atomic writes: a file appears under its name only when it is complete.

Until then it has a hidden name that holds its writer: host, process number and start (`tsn.io.processes`). So
`remove_leftovers` can remove what killed writers left, and never the file of a writer that still runs.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tsn.errors import OutputError
from tsn.io.processes import host_id, is_running, start_ticks

OUTPUT_SETTING = "`output:`"
"""The part of the shot file to correct where a frame can't be written."""
REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space and render again: finished frames are kept."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space and render again: finished frames are kept."),
    errno.EACCES: ("permission denied", "Check who owns the folder, or correct {setting}."),
    errno.EPERM: ("permission denied", "Check who owns the folder, or correct {setting}."),
    errno.EROFS: ("the file system is read-only", "Choose another folder: correct {setting}."),
    errno.ENOENT: ("the folder does not exist", "Create it, or correct {setting}."),
    errno.ENOTDIR: ("part of the path is a file, not a folder", "Correct {setting}."),
    errno.EISDIR: ("a folder has that name", "Correct {setting}."),
    errno.ENAMETOOLONG: ("the name is too long", "Make it shorter: correct {setting}."),
}
ABANDONED_S = 24 * 3600.0
"""Seconds without a change after which a file counts as abandoned where its writer can't be checked. A frame takes
minutes."""
TAIL_BYTES = 60
"""How much of a file's name its hidden name ends in: the frame number and the suffix. So that stays far below the 255
bytes that file systems allow."""
TEMPORARY_NAME = re.compile(r"\.tsn-.+-\d+-\d+-.+", re.DOTALL)
"""Hidden names of any version of tsn."""

_serial = itertools.count()


def write_error(path: Path, error: OSError, setting: str = "the path") -> OutputError:
    """The error to raise where writing `path` failed.

    Args:
        setting: what chose the path, for the hint: an option, or a key of the shot file.
    """
    reason, hint = REASONS.get(error.errno or 0, (error.strerror or str(error), None))
    return OutputError(f"Can't write {path}: {reason}", hint=hint and hint.format(setting=setting))


def remove_leftovers(folder: Path) -> None:
    """Remove the half-written files of killed writers from `folder`.

    Whether a writer still runs can be checked only on its own host, boot and PID namespace. The files of other writers
    are removed when they haven't changed for `ABANDONED_S`.
    """
    own = re.compile(rf"\.tsn-{host_id()}-(?P<process>\d+)-(?P<start>\d+)-\d+-.+", re.DOTALL)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if TEMPORARY_NAME.fullmatch(entry.name):
                writer = own.fullmatch(entry.name)
                still_runs = _still_runs(int(writer["process"]), int(writer["start"])) if writer else None
                with suppress(OSError):
                    if still_runs is False or (still_runs is None and is_abandoned(Path(entry.path))):
                        os.unlink(entry.path)


def _still_runs(process: int, start: int) -> bool | None:
    """Whether the process of this host with this number and start still runs; None where that is unknown."""
    if not is_running(process):
        return False
    now = start_ticks(process)
    return now == start if now and start else None


def is_abandoned(path: Path, *inside: Path) -> bool:
    """Whether a file, or a folder and the files `inside` it, has not changed for `ABANDONED_S`.

    By this host's clock, which may be wrong, and by the file server's. Raises OSError.
    """
    changed = max(file.stat(follow_symlinks=False).st_mtime for file in (path, *inside))
    return time.time() - changed > ABANDONED_S and _server_time(path.parent) - changed > ABANDONED_S


def _server_time(folder: Path) -> float:
    """The time by the clock that dates files in `folder`: the file server's. Raises OSError."""
    probe = folder / _hidden("clock")
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return os.stat(probe).st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _hidden(name: str) -> str:
    """A new hidden name for a file that will be called `name`."""
    process, tail = os.getpid(), name
    while len(os.fsencode(tail)) > TAIL_BYTES:
        tail = tail[1:]
    return f".tsn-{host_id()}-{process}-{start_ticks(process)}-{next(_serial)}-{tail}"


@contextmanager
def atomic_write(path: Path, setting: str = "the path") -> Iterator[Path]:
    """Write a file that appears under its name only when it is complete.

    Args:
        setting: what chose the path, for the error's hint.

    Yields:
        A hidden path in the same folder with the same suffix, unique among all hosts, to write to. When the block ends
        without an error its bytes are forced to disk and it replaces `path`; otherwise it is removed.

    Raises:
        OutputError: the block, the fsync or the replacement met an OSError.
    """
    temporary = path.with_name(_hidden(path.name))
    try:
        yield temporary
        handle = os.open(temporary, os.O_RDWR)
        try:
            os.fsync(handle)  # a farm node that loses power must not leave an empty file under a finished name
        finally:
            os.close(handle)
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):  # where the folder is missing or read-only there is nothing to remove
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise write_error(path, error, setting) from error
        raise
