"""Names a process so that any host can tell whether it still runs: host, process number and start."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
"""Where Linux describes its processes."""


def host_id() -> str:
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


def is_running(process: int) -> bool:
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


def start_ticks(process: int) -> int:
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
