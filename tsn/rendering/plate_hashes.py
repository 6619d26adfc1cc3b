"""Plate files by their content, for hosts that get copies of them with other dates.

They are in the plan, not in the hash of an output frame (`Plan.frame_hash`), which has size and date.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tsn import io
from tsn.errors import InputError
from tsn.rendering.inspect import stamp

READERS = 4
"""Files read at the same time, since most of the time is spent waiting for the file server."""


def file_hash(path: Path) -> str:
    """SHA-256 (hex) of a file. Raises OSError where it can't be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def plate_hashes(plate: str, stamps: Mapping[int, str], known: Mapping[str, str] | None = None) -> dict[int, str]:
    """The SHA-256 of the file of each frame of a plate.

    Args:
        plate: its pattern, absolute.
        stamps: frame -> size and date, as the plan has them.
        known: hashes of files that were read before (`hashes_by_stamp`).

    Raises:
        InputError: a frame can't be read.
    """
    sequence = io.FrameSequence.parse(plate, base=Path())

    def one(number: int) -> str:
        path = sequence.path(number)
        try:
            return (known or {}).get(_key(path, stamps[number])) or file_hash(path)
        except OSError as error:
            raise InputError(f"Can't read {path}: {error.strerror}") from error

    with ThreadPoolExecutor(READERS) as pool:
        return dict(zip(stamps, pool.map(one, stamps), strict=True))


def hashes_by_stamp(plate: str, stamps: Mapping[int, str], found: Mapping[int, str]) -> dict[str, str]:
    """A plan's hashes by size, date and name, so that `plate_hashes` need not read unchanged files again."""
    sequence = io.FrameSequence.parse(plate, base=Path())
    return {_key(sequence.path(number), stamps[number]): value for number, value in found.items() if number in stamps}


def _key(path: Path, stamped: str) -> str:
    return f"{stamped} {path}"


def changed_frames(
    plate: str, stamps: Mapping[int, str], found: Mapping[int, str], numbers: Iterable[int]
) -> list[int]:
    """The frames that have changed since a plan was made, ascending: another size or content, gone, or new.

    The same size and date count as unchanged. With another date the content decides, since copies have dates of their
    own.

    Args:
        found: hashes by frame, as far as the plan has them; a frame with another date and no hash has changed.
        numbers: the frames to look at.
    """
    sequence = io.FrameSequence.parse(plate, base=Path())

    def same(number: int) -> bool:
        path, planned = sequence.path(number), stamps.get(number)
        try:
            here: str | None = stamp(path)
        except OSError:
            here = None
        if here == planned:
            return True
        if here is None or planned is None or here.split(":")[0] != planned.split(":")[0]:
            return False
        try:
            return number in found and file_hash(path) == found[number]
        except OSError:
            return False

    wanted = sorted(numbers)
    with ThreadPoolExecutor(READERS) as pool:
        return [number for number, good in zip(wanted, pool.map(same, wanted), strict=True) if not good]
