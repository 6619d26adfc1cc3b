"""`tsn cache`: what is kept to be used again, how much of it there is, and away with it."""

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
from tsn_batch.asking import json_option
from tsn_batch.group import Command

LOGS = "logs"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What lies in one folder of the cache.

    Attributes:
        entries: files; of logs, renders.
        size: bytes.
        oldest, newest: when what was not used for longest and what was used last were used, seconds since 1970.
    """

    entries: int
    size: int
    oldest: float | None
    newest: float | None


@click.command(cls=Command)
@click.argument("action", required=False, type=click.Choice(["clear"]))
@click.option("--clear", "clearing", is_flag=True, help="As `tsn cache clear`.")
@json_option("One object: folder, bound and size in bytes, and the kinds of what is kept.")
def cache(action: str | None, clearing: bool, as_json: bool) -> None:
    """Show what is kept to be used again, or `clear` it: motion and surveys.

    It lies in $TSN_CACHE, else ~/.cache/tsn, and takes up to $TSN_CACHE_SIZE (such as 5G; 0 = nothing is kept), else
    20 GiB or a tenth of the disk; what was not used for longest makes room. Clearing costs the next render its time
    and changes no pixel; it removes what tsn made, by name, and follows no link. Logs stay.
    """
    from tsn.io.disk_cache import cache_limit
    from tsn.rendering.output import cache_folder

    folder = cache_folder().absolute()
    if action or clearing:
        gone = clear(folder)
        count, size = len(gone), sum(gone)
        if as_json:
            click.echo(json.dumps({"folder": str(folder), "removed": count, "freed": size}))
        else:
            click.echo(f"{folder}: {count} {'file' if count == 1 else 'files'} removed, {shown(size)} freed")
        return
    limit, kinds = cache_limit(folder), found(folder)
    click.echo(as_data(folder, limit, kinds) if as_json else as_text(folder, limit, kinds))


def found(folder: Path) -> dict[str, Kind]:
    """What is kept, by kind."""
    from tsn.io.disk_cache import CACHE_SHARES, cached_files

    made = {}
    for kind in CACHE_SHARES:
        files = [] if (folder / kind).is_symlink() else list(cached_files(folder / kind))
        made[kind] = _kind([entry.size for entry in files], [entry.used for entry in files if entry.used])
    renders = list(_renders(folder / LOGS))
    made[LOGS] = _kind([size for size, _ in renders], [used for _, used in renders])
    return made


def clear(folder: Path) -> list[int]:
    """Remove motion and surveys; the sizes of what went.

    Raises:
        OutputError: something can't be removed.
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


def as_text(folder: Path, limit: int, kinds: Mapping[str, Kind]) -> str:
    """For a person: the folder, its bound, and a row for each kind."""
    from tsn_batch.progress import table

    size = sum(kind.size for kind in kinds.values())
    bounded = shown(limit) if limit else "0: nothing is kept"
    rows = [
        (name, kind.entries, shown(kind.size), _date(kind.oldest), _date(kind.newest)) for name, kind in kinds.items()
    ]
    return "\n".join(
        [
            f"folder  {folder}",
            f"bound   {bounded}",
            f"size    {shown(size)}",
            table(("kind", "entries", "size", "oldest", "newest"), rows, terminal=sys.stdout.isatty()),
        ]
    )


def as_data(folder: Path, limit: int, kinds: Mapping[str, Kind]) -> str:
    """The same for programs, as JSON."""
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


def shown(size: int) -> str:
    """Bytes as a person reads them: "0 B", "12.3 MiB"."""
    value, units = float(size), iter(("B", "KiB", "MiB", "GiB", "TiB", "PiB"))
    unit = next(units)
    while value >= 1024 and unit != "PiB":
        value, unit = value / 1024, next(units)
    return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"


def _kind(sizes: Sequence[int], used: Sequence[float]) -> Kind:
    return Kind(entries=len(sizes), size=sum(sizes), oldest=min(used, default=None), newest=max(used, default=None))


def _renders(folder: Path) -> Iterator[tuple[int, float]]:
    """Size and date of the logs of each render that keeps some: logs/SHOT/RENDER/*."""
    for shot in _folders(folder):
        for render in _folders(Path(shot.path)):
            size, used = 0, 0.0
            for place, _, names in os.walk(render.path):
                for name in names:
                    with suppress(OSError):  # paint on its way between two workers comes and goes
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
