"""A cache folder of limited size: files that were not used for longest are removed first.

Processes and hosts share a folder without locks. A file's date is its last use: it is set on every use, since many
hosts mount without access times. A process never removes a file that was used since it began. So a render that needs
more than the limit fills the folder once and then leaves it alone; making room for every file would drop each one just
before it is needed again. The folder is listed when the first file is added, and then once in many files, so that the
cost of a file does not grow with their number. Where several processes add files between two listings, the folder
exceeds its limit by those.
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

SIZE_VARIABLE = "TSN_CACHE_SIZE"
DEFAULT_BYTES = 20 * 2**30
"""Motion of some 900 pairs of HD frames, or 8000 of 640x360: the shots that one person works on."""
DISK_DIVISOR = 10
"""The default is at most a tenth of the disk: a home folder has a quota, a container a small disk."""
CACHE_SHARES = {"flow": 15, "survey": 1}
"""Folders below the cache, and the sixteenths of its limit that each may take."""
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([KMGTP])(?:I?B)?|B)?", re.IGNORECASE)
NAME = re.compile(r"[0-9a-f]{40,64}\.safetensors")
TEMPORARY = re.compile(r"\.tsn-(?P<host>.+)-(?P<process>\d+)-\d+-\d+-[0-9a-f]{40,64}\.safetensors")
STALE_S = 3600.0
"""A half-written file that has not changed for so long belongs to a killed writer."""
CLOCK_TICK_S = 0.05
"""File dates may be coarser than a process's clock by this much."""
RECOUNT_FILES, RECOUNT_DIVISOR = 16, 64
"""The folder is listed again after 16 new files, or a 64th of those it holds, whichever is more."""
FREED_DIVISOR = 16
"""Once the limit is reached, a sixteenth of it is freed at once."""


@dataclass(frozen=True, kw_only=True)
class CachedFile:
    """A file that tsn made in a cache folder: its size in bytes, and its last use (seconds since 1970)."""

    path: Path
    size: int
    used: float


class DiskCache:
    """A cache folder, as one process sees it.

    Args:
        kind: key of `CACHE_SHARES`, for its share of the limit.

    Raises:
        UsageError: $TSN_CACHE_SIZE is no size.
    """

    def __init__(self, folder: Path, kind: str, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.limit = cache_limit(folder, environ) * CACHE_SHARES[kind] // sum(CACHE_SHARES.values())
        self._since = time.time() - CLOCK_TICK_S
        self._bytes = 0
        self._uncounted = 0
        """Files that may be added before the folder is listed again."""
        self._full = 0
        """Files that are refused before the folder is listed again for room."""

    def touch(self, path: Path) -> bool:
        """Mark a file as used now. Returns whether it exists."""
        if not self.limit:
            return False
        try:
            os.utime(path)
        except FileNotFoundError:
            return False
        except OSError:  # another user's file, or a read-only share
            return path.is_file()
        return True

    def make_room(self, size: int) -> bool:
        """Remove old files where that is needed for `size` bytes more. Returns whether they may be added."""
        if size > self.limit:
            return False
        if self._full:
            self._full -= 1
            return False
        if not self._uncounted or self._bytes + size > self.limit:
            self._count(size)
        if self._bytes + size > self.limit:
            self._full = RECOUNT_FILES
            return False
        self._bytes += size
        self._uncounted -= 1
        return True

    def _count(self, size: int) -> None:
        found = sorted(cached_files(self.folder), key=lambda entry: entry.used)
        self._bytes = sum(entry.size for entry in found)
        if self._bytes + size > self.limit:
            kept = max(0, self.limit - self.limit // FREED_DIVISOR - size)
            for entry in found:
                if self._bytes <= kept or entry.used >= self._since:
                    break
                with suppress(OSError):  # another process removed it, or this one may not
                    entry.path.unlink(missing_ok=True)
                    self._bytes -= entry.size
        self._uncounted = max(RECOUNT_FILES, len(found) // RECOUNT_DIVISOR)


def cache_limit(folder: Path, environ: Mapping[str, str] | None = None) -> int:
    """Bytes that the cache may take: $TSN_CACHE_SIZE, 0 for no cache; else 20 GiB, or a tenth of the disk if less.

    Raises:
        UsageError: the variable is no size.
    """
    text = (os.environ if environ is None else environ).get(SIZE_VARIABLE, "").strip()
    if text:
        return parse_size(text)
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    try:
        return min(DEFAULT_BYTES, shutil.disk_usage(there).total // DISK_DIVISOR)
    except OSError:
        return DEFAULT_BYTES


def parse_size(text: str) -> int:
    """Bytes of a size such as `500M` or `1.5 TiB`; K, M, G, T and P are powers of 1024, as in `df -h`.

    Raises:
        UsageError: the text is no size.
    """
    found = SIZE.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{SIZE_VARIABLE} is {text!r}, which is no size.",
            hint="Write bytes, or a size such as 500M, 20G or 1.5T; 0 is no cache.",
        )
    number, unit = found.groups()
    return int(float(number) * 1024 ** (" KMGTP".index(unit.upper()) if unit else 0))


def cached_files(folder: Path) -> Iterator[CachedFile]:
    """The files in a folder that tsn made, by their names; links are left out.

    A half-written file counts as used for as long as its writer may be running.
    """
    with suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            temporary = TEMPORARY.fullmatch(entry.name)
            if temporary is None and not NAME.fullmatch(entry.name):
                continue
            with suppress(OSError):  # it was removed meanwhile
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
    """Remove the cached files of a folder, except those that are being written.

    Returns:
        What was removed.

    Raises:
        OSError: a file can't be removed.
    """
    removed = []
    for entry in list(cached_files(folder)):
        being_written = entry.path.name.startswith(".") and entry.used
        if not being_written:
            entry.path.unlink(missing_ok=True)
            removed.append(entry)
    return removed
