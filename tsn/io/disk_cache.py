"""A folder of files that can be made again, held under a bound: what was not used for longest goes first.

Processes and hosts share such a folder without asking each other. The date of a file is when it was last used: it is
set on every use, since many hosts mount without access times. What this process or another one has used since this
process began is never removed by it, so a render that needs more than the bound fills it once and leaves it alone,
where making room for each file would drop every one just before it is wanted again. The folder is counted when the
first file is added, and then once in many, so that a file more costs the same however many there are; where several
processes add files between two counts, the folder is over its bound by those.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tsn.errors import UsageError
from tsn.io.processes import host_id, is_running

SETTING = "TSN_CACHE_SIZE"
DEFAULT = 20 * 2**30
"""Some 900 pairs of HD frames, or 8000 of 640x360: the shots that one person works on."""
PART_OF_DISK = 10
"""Nor by default more than a tenth of the disk: a home folder has a quota, a container a small disk."""
CACHE_SHARES = {"flow": 15, "survey": 1}
"""Sixteenths of the bound that each folder under the cache may take."""
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([KMGTP])(?:I?B)?|B)?", re.IGNORECASE)
NAME = re.compile(r"[0-9a-f]{40,64}\.safetensors")
TEMPORARY = re.compile(r"\.tsn-(?P<host>.+)-(?P<process>\d+)-\d+-[0-9a-f]{40,64}\.safetensors")
STALE_S = 3600.0
"""Nobody takes so long to write a file: who last did has been killed."""
TICK_S = 0.05
"""Dates of files follow a coarser clock than the one that a process reads."""
OFTEN, RARELY = 16, 64
"""The folder is counted anew after so many files, or after this part of those there are, whichever is more."""
ROOM = 16
"""Once the bound is met, this part of it is freed in one go."""


@dataclass(frozen=True, kw_only=True)
class CachedFile:
    """A file that tsn made in such a folder: its size in bytes, and when it was last used (seconds since 1970)."""

    path: Path
    size: int
    used: float


class DiskCache:
    """One such folder, as one process sees it.

    Args:
        kind: of `CACHE_SHARES`, for its share of the bound.

    Raises:
        UsageError: the bound that the environment states is none.
    """

    def __init__(self, folder: Path, kind: str, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.limit = cache_limit(folder, environ) * CACHE_SHARES[kind] // sum(CACHE_SHARES.values())
        self._since = time.time() - TICK_S
        self._bytes = 0
        self._uncounted = 0
        """Files that may be added before the folder is counted again."""
        self._full = 0
        """Files that are turned away before anybody looks again whether there is room."""

    def touch(self, path: Path) -> bool:
        """Whether a file is there; it counts as used now."""
        if not self.limit:
            return False
        try:
            os.utime(path)
        except FileNotFoundError:
            return False
        except OSError:  # somebody else's, or a read-only share
            return path.is_file()
        return True

    def make_room(self, size: int) -> bool:
        """Whether a file of so many bytes may be added; older ones go for it."""
        if size > self.limit:
            return False
        if self._full:
            self._full -= 1
            return False
        if not self._uncounted or self._bytes + size > self.limit:
            self._count(size)
        if self._bytes + size > self.limit:
            self._full = OFTEN
            return False
        self._bytes += size
        self._uncounted -= 1
        return True

    def _count(self, size: int) -> None:
        found = sorted(cached_files(self.folder), key=lambda entry: entry.used)
        self._bytes = sum(entry.size for entry in found)
        if self._bytes + size > self.limit:
            kept = max(0, self.limit - self.limit // ROOM - size)
            for entry in found:
                if self._bytes <= kept or entry.used >= self._since:
                    break
                with suppress(OSError):  # another process was faster, or may do what this one may not
                    entry.path.unlink(missing_ok=True)
                    self._bytes -= entry.size
        self._uncounted = max(OFTEN, len(found) // RARELY)


def cache_limit(folder: Path, environ: Mapping[str, str] | None = None) -> int:
    """Bytes that the cache may take: $TSN_CACHE_SIZE, 0 for none; else 20 GiB, or a tenth of the disk if that is less.

    Raises:
        UsageError: the variable is no size.
    """
    text = (os.environ if environ is None else environ).get(SETTING, "").strip()
    if text:
        return parse_size(text)
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    try:
        return min(DEFAULT, shutil.disk_usage(there).total // PART_OF_DISK)
    except OSError:
        return DEFAULT


def parse_size(text: str) -> int:
    """Bytes of a size such as `500M` or `1.5 TiB`: K, M, G, T and P are 1024 times one another, as in `df -h`.

    Raises:
        UsageError: it is none.
    """
    found = SIZE.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{SETTING} is {text!r}, which is no size.",
            hint="Write bytes, or a size such as 500M, 20G or 1.5T; 0 is no cache.",
        )
    number, unit = found.groups()
    return int(float(number) * 1024 ** (" KMGTP".index(unit.upper()) if unit else 0))


def cached_files(folder: Path) -> Iterator[CachedFile]:
    """The files in a folder that tsn made, told by their names; neither links nor what they lead to.

    A file that is being written counts as used for as long as its writer may be alive.
    """
    with suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            temporary = TEMPORARY.fullmatch(entry.name)
            if temporary is None and not NAME.fullmatch(entry.name):
                continue
            with suppress(OSError):  # it is gone since
                if not entry.is_file(follow_symlinks=False):
                    continue
                status = entry.stat(follow_symlinks=False)
                used = status.st_mtime
                if temporary is not None:
                    used = time.time() if _being_written(temporary, used) else 0.0
                yield CachedFile(path=Path(entry.path), size=status.st_size, used=used)


def _being_written(temporary: re.Match[str], changed: float) -> bool:
    if temporary["host"] == host_id() and not is_running(int(temporary["process"])):
        return False
    return time.time() - changed < STALE_S


def clear(folder: Path) -> list[CachedFile]:
    """Remove what `cached_files` finds, but for files that are being written, and return what went.

    Raises:
        OSError: one can't be removed.
    """
    gone = []
    for entry in list(cached_files(folder)):
        being_written = entry.path.name.startswith(".") and entry.used
        if not being_written:
            entry.path.unlink(missing_ok=True)
            gone.append(entry)
    return gone
