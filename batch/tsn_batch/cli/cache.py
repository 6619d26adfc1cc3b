"""The command `tsn cache`: show the size of the cache, or clear it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from tsn.errors import OutputError
from tsn_batch.cli.group import TsnCommand
from tsn_batch.cli.options import json_option

LOGS = "logs"


@dataclass(frozen=True, kw_only=True)
class CacheUsage:
    """What one folder of the cache holds.

    Attributes:
        entries: number of files; for logs, number of renders.
        size: bytes.
        oldest, newest: when the entries used longest ago and last were used, in seconds since 1970; None if empty.
    """

    entries: int
    size: int
    oldest: float | None
    newest: float | None


@click.command(cls=TsnCommand)
@click.argument("action", required=False, type=click.Choice(["clear"]))
@click.option("--clear", "clearing", is_flag=True, help="The same as `tsn cache clear`.")
@json_option("Print one object: folder, bound and size in bytes, and the use of each kind.")
def cache(action: str | None, clearing: bool, as_json: bool) -> None:
    """Show the size of the cache of motion and calibration, or `clear` it.

    The cache is the folder $TSN_CACHE, by default ~/.cache/tsn. Its limit is $TSN_CACHE_SIZE (such as 5G; 0 turns the
    cache off), by default 20 GiB or a tenth of the disk; the entries used longest ago are removed first. Clearing
    makes the next render slower and changes no pixel. It removes only files that tsn made and follows no links; logs
    stay.
    """
    from tsn.io.disk_cache import cache_limit
    from tsn.rendering.output import cache_folder

    folder = cache_folder().absolute()
    if action or clearing:
        removed = clear(folder)
        count, size = len(removed), sum(removed)
        if as_json:
            click.echo(json.dumps({"folder": str(folder), "removed": count, "freed": size}))
        else:
            click.echo(f"{folder}: {count} {'file' if count == 1 else 'files'} removed, {size_text(size)} freed")
        return
    limit, kinds = cache_limit(folder), cache_usage(folder)
    click.echo(as_data(folder, limit, kinds) if as_json else as_text(folder, limit, kinds))


def cache_usage(folder: Path) -> dict[str, CacheUsage]:
    """Measure the cache: its use by kind."""
    from tsn.io.disk_cache import CACHE_SHARES, cached_files

    usage = {}
    for kind in CACHE_SHARES:
        files = [] if (folder / kind).is_symlink() else list(cached_files(folder / kind))
        usage[kind] = _kind([entry.size for entry in files], [entry.used for entry in files if entry.used])
    renders = list(_renders(folder / LOGS))
    usage[LOGS] = _kind([size for size, _ in renders], [used for _, used in renders])
    return usage


def clear(folder: Path) -> list[int]:
    """Remove motion and calibration, and return the sizes of the removed files in bytes.

    Raises:
        OutputError: a file can't be removed.
    """
    from tsn.io import disk_cache

    try:
        return [
            entry.size
            for kind in disk_cache.CACHE_SHARES
            if not (folder / kind).is_symlink()
            for entry in disk_cache.clear(folder / kind)
        ]
    except OSError as error:
        raise OutputError(
            f"Can't remove {error.filename}: {error.strerror}", hint="Clear the cache as the user who owns it."
        ) from error


def as_text(folder: Path, limit: int, kinds: Mapping[str, CacheUsage]) -> str:
    """The report for people: the folder, its limit, and a row for each kind."""
    from tsn_batch.wording import format_table

    size = sum(kind.size for kind in kinds.values())
    limit_text = size_text(limit) if limit else "0: nothing is kept"
    rows = [
        (name, kind.entries, size_text(kind.size), _date(kind.oldest), _date(kind.newest))
        for name, kind in kinds.items()
    ]
    return "\n".join(
        [
            f"folder  {folder}",
            f"bound   {limit_text}",
            f"size    {size_text(size)}",
            format_table(("kind", "entries", "size", "oldest", "newest"), rows, terminal=sys.stdout.isatty()),
        ]
    )


def as_data(folder: Path, limit: int, kinds: Mapping[str, CacheUsage]) -> str:
    """The report for programs, as JSON."""
    return json.dumps(
        {
            "folder": str(folder),
            "bound": limit,
            "size": sum(kind.size for kind in kinds.values()),
            "entries": sum(kind.entries for kind in kinds.values()),
            "kinds": {
                name: {
                    "entries": kind.entries,
                    "size": kind.size,
                    "oldest": _date(kind.oldest) or None,
                    "newest": _date(kind.newest) or None,
                }
                for name, kind in kinds.items()
            },
        }
    )


def size_text(size: int) -> str:
    """A number of bytes as text, such as "0 B" or "12.3 MiB"."""
    value, units = float(size), iter(("B", "KiB", "MiB", "GiB", "TiB", "PiB"))
    unit = next(units)
    while value >= 1024 and unit != "PiB":
        value, unit = value / 1024, next(units)
    return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"


def _kind(sizes: Sequence[int], used: Sequence[float]) -> CacheUsage:
    return CacheUsage(
        entries=len(sizes), size=sum(sizes), oldest=min(used, default=None), newest=max(used, default=None)
    )


def _renders(folder: Path) -> Iterator[tuple[int, float]]:
    """Size and date of last use of each render that has logs: logs/SHOT/RENDER/*."""
    for shot in _folders(folder):
        for render in _folders(Path(shot.path)):
            size, used = 0, 0.0
            for place, _, names in os.walk(render.path):
                for name in names:
                    with suppress(OSError):  # workers exchange painted frames there, which come and go
                        status = os.lstat(os.path.join(place, name))
                        size, used = size + status.st_size, max(used, status.st_mtime)
            yield size, used


def _folders(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _date(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
