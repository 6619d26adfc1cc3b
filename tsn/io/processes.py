"""Identifies a process across hosts: host, process number and start.

Process numbers start anew with every boot and in every container, and containers share host names. So a host is known
here by its name, its boot and its PID namespace.
"""

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
    """The host that this process runs on, as it stands in file names: `render07-3f9c0d5e8a71b264`.

    The hash is of the host name, the boot and the PID namespace: where it is the same, equal process numbers mean the
    same process. Only Linux has a boot id; elsewhere the network card's address stands for it.
    """
    name = socket.gethostname()
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        import uuid

        boot = f"{uuid.getnode():x}"
    namespaces = ["", ""]
    for place, kind in enumerate(("pid", "time")):  # a time namespace shifts the start of processes
        with suppress(OSError):
            namespaces[place] = str(os.stat(PROC / "self/ns" / kind).st_ino)
    whole = hashlib.sha256(os.fsencode("\n".join((name, boot, *namespaces)))).hexdigest()
    return f"{re.sub('[^A-Za-z0-9]', '_', name.partition('.')[0])[:12]}-{whole[:16]}"


def is_running(process: int) -> bool:
    """Whether a process of that number may be running on this host; True where that is unknown."""
    if os.name == "nt":  # there, os.kill would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's process; a number beyond any process's
        return True
    return _status(process)[0] not in ("Z", "X")  # a zombie: it has ended, but its parent has not waited for it


def start_ticks(process: int) -> int:
    """When a process was started, in the kernel's ticks since boot; 0 where that is unknown.

    The kernel gives the number of an ended process to a new one, so only number and start together identify one.
    """
    return _status(process)[1]


def _status(process: int) -> tuple[str, int]:
    """State and start of a process, fields 3 and 22 of its `stat` in proc(5); ("", 0) where they are unknown."""
    try:
        if os.readlink(PROC / "self") != str(os.getpid()):  # /proc belongs to another PID namespace
            return "", 0
        line = (PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", 0
    fields = line.rpartition(")")[2].split()  # the program's name before it may hold any character
    return fields[0], int(fields[19])
