"""A file appears under its name only when it is whole, and what killed writers left is removed, never a live one's.

A writer's hidden file bears the writer's name: host, process and start. Processes are counted anew in every boot and
in every container, and containers share host names, so the host's part tells all of these apart.
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
"""What a person corrects where a frame can't be written."""
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
"""Seconds without a change after which a file is nobody's any more, where nothing else tells: a frame takes minutes."""
TAIL_BYTES = 60
"""Of a file's own name in its hidden one: the frame number and the suffix. The whole stays far below 255 bytes."""
TEMPORARY_NAME = re.compile(r"\.tsn-.+-\d+-\d+-.+", re.DOTALL)
"""What some writer may have left, an older tsn's too."""

_serial = itertools.count()


def write_error(path: Path, error: OSError, setting: str = "the path") -> OutputError:
    """The error to raise where writing `path` failed, which `setting` chose."""
    reason, hint = REASONS.get(error.errno or 0, (error.strerror or str(error), None))
    return OutputError(f"Can't write {path}: {reason}", hint=hint and hint.format(setting=setting))


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left half-written in `folder`.

    That is what a process of this very host, boot and PID namespace left that is gone. Of all others nobody here can
    tell: theirs goes when it hasn't changed for `ABANDONED_S`.
    """
    own = re.compile(rf"\.tsn-{host_id()}-(?P<process>\d+)-(?P<start>\d+)-\d+-.+", re.DOTALL)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if TEMPORARY_NAME.fullmatch(entry.name):
                writer = own.fullmatch(entry.name)
                at_work = _at_work(int(writer["process"]), int(writer["start"])) if writer else None
                with suppress(OSError):
                    if at_work is False or (at_work is None and is_abandoned(Path(entry.path))):
                        os.unlink(entry.path)


def _at_work(process: int, start: int) -> bool | None:
    """Whether a process of this host that started then is still there; None where that can't be told."""
    if not is_running(process):
        return False
    now = start_ticks(process)
    return now == start if now and start else None


def is_abandoned(path: Path, *inside: Path) -> bool:
    """Whether nobody has changed a file, or a folder and what is `inside`, for `ABANDONED_S`.

    By our clock, which may be wrong, and by that of the file server. Raises OSError.
    """
    changed = max(file.stat(follow_symlinks=False).st_mtime for file in (path, *inside))
    return time.time() - changed > ABANDONED_S and _now(path.parent) - changed > ABANDONED_S


def _now(folder: Path) -> float:
    """The time by the clock that dates the files in `folder`, which is the file server's. Raises OSError."""
    probe = folder / _hidden("clock")
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return os.stat(probe).st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _hidden(name: str) -> str:
    """A name of this process for a file that will be `name`; no two are alike."""
    process, tail = os.getpid(), name
    while len(os.fsencode(tail)) > TAIL_BYTES:
        tail = tail[1:]
    return f".tsn-{host_id()}-{process}-{start_ticks(process)}-{next(_serial)}-{tail}"


@contextmanager
def atomic_write(path: Path, setting: str = "the path") -> Iterator[Path]:
    """Write a file so that nobody ever sees half of it under its name.

    Args:
        setting: what a person corrects where it can't be written.

    Yields:
        A hidden name in the same folder, unlike that of any other writer anywhere, with the same suffix.
        When the block ends well its bytes are forced to disk and it replaces `path`; otherwise it goes.

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
        with suppress(OSError):  # a folder that isn't one, or is read-only, holds no temporary either
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise write_error(path, error, setting) from error
        raise
