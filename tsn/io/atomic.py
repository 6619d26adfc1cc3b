"""A file appears under its name only when it is whole, and what killed writers left is removed, never a live one's.

A writer's hidden file bears the writer's name: host, process and start. Processes are counted anew in every boot and
in every container, and containers share host names, so the host's part tells all of these apart.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tsn.errors import OutputError

OUTPUT = "`output:`"
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
PROC = Path("/proc")
LEFT = re.compile(r"\.tsn-.+-\d+-\d+-.+", re.DOTALL)
"""What some writer may have left, an older tsn's too."""

_serial = itertools.count()


def cannot_write(path: Path, error: OSError, setting: str = "the path") -> OutputError:
    """The error to raise where writing `path` failed, which `setting` chose."""
    reason, hint = REASONS.get(error.errno or 0, (error.strerror or str(error), None))
    return OutputError(f"Can't write {path}: {reason}", hint=hint and hint.format(setting=setting))


def host() -> str:
    """Where this process runs, as it stands in the names of what it leaves behind: `render07-3f9c0d5e8a71b264`.

    The hash is of the whole host name, the boot and the PID namespace: wherever it is the same, equal process numbers
    mean the same process. Without a boot to tell by, which only Linux has, the network card's address stands for it.
    """
    name = socket.gethostname()
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        import uuid

        boot = f"{uuid.getnode():x}"
    namespaces = ["", ""]
    for place, kind in enumerate(("pid", "time")):  # the second one shifts when a process seems to have started
        with suppress(OSError):
            namespaces[place] = str(os.stat(PROC / "self/ns" / kind).st_ino)
    whole = hashlib.sha256(os.fsencode("\n".join((name, boot, *namespaces)))).hexdigest()
    return f"{re.sub('[^A-Za-z0-9]', '_', name.partition('.')[0])[:12]}-{whole[:16]}"


def alive(process: int) -> bool:
    """Whether a process of that number may be at work where this one runs."""
    if os.name == "nt":  # where os.kill would interrupt it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's; no number of a process at all
        return True
    return _status(process)[0] not in ("Z", "X")  # ended, though nobody has asked how


def started(process: int) -> int:
    """When a process was started, in the kernel's ticks since boot; 0 where that can't be told.

    A number is given to a new process once the old one is gone, so only both together name one.
    """
    return _status(process)[1]


def _status(process: int) -> tuple[str, int]:
    """State and start of a process by proc(5), fields 3 and 22 of its `stat`; ("", 0) where that can't be told."""
    try:
        if os.readlink(PROC / "self") != str(os.getpid()):  # mounted for another PID namespace
            return "", 0
        told = (PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", 0
    fields = told.rpartition(")")[2].split()  # the name before it may hold anything
    return fields[0], int(fields[19])


def sweep(folder: Path) -> None:
    """Remove what killed writers left half-written in `folder`.

    That is what a process of this very host, boot and PID namespace left that is gone. Of all others nobody here can
    tell: theirs goes when it hasn't changed for `ABANDONED_S`.
    """
    own = re.compile(rf"\.tsn-{host()}-(?P<process>\d+)-(?P<start>\d+)-\d+-.+", re.DOTALL)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if LEFT.fullmatch(entry.name):
                writer = own.fullmatch(entry.name)
                at_work = _at_work(int(writer["process"]), int(writer["start"])) if writer else None
                with suppress(OSError):
                    if at_work is False or (at_work is None and abandoned(Path(entry.path))):
                        os.unlink(entry.path)


def _at_work(process: int, start: int) -> bool | None:
    """Whether a process of this host that started then is still there; None where that can't be told."""
    if not alive(process):
        return False
    now = started(process)
    return now == start if now and start else None


def abandoned(path: Path, *inside: Path) -> bool:
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
    return f".tsn-{host()}-{process}-{started(process)}-{next(_serial)}-{tail}"


@contextmanager
def atomic(path: Path, setting: str = "the path") -> Iterator[Path]:
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
            raise cannot_write(path, error, setting) from error
        raise
