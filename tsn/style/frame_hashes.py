"""Which frames another tool has painted, each by its content; told without torch.

All of a file counts: a repaint in place may change the middle of an uncompressed one only. Its date doesn't, since
synced copies on other hosts have others.
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tsn import frames as ranges
from tsn.cpu_quota import thread_count
from tsn.errors import InputError
from tsn.io.hashing import sha256_of
from tsn.io.sequence import FrameSequence, describe_ignored


def hash_painted_frames(pattern: str, wanted: Collection[int] | None = None, *, offset: int = 0) -> dict[int, str]:
    """The painted frames on disk: number of the plate's frame -> `mark`.

    Args:
        pattern: absolute pattern of the sequence.
        wanted: the others are not read; None = all of them.
        offset: what is added to a plate frame's number to have that of the painted one.

    Raises:
        InputError: no frame of the pattern is on disk, one is there under two names, or one can't be read.
    """
    sequence = FrameSequence.parse(pattern, base=Path())
    there = sequence.on_disk()
    if not there:
        raise InputError(
            f"No painted frames found: {pattern}",
            hint=describe_ignored(sequence.ignored_files())
            or "style.frames is relative to the shot file; check the folder.",
        )
    numbers = [number - offset for number in there if wanted is None or number - offset in wanted]
    if doubled := [names for number, names in sequence.duplicate_frames().items() if number - offset in numbers]:
        raise InputError(
            f"{pattern}: a painted frame is there under two names: {' and '.join(doubled[0])}",
            hint="Remove those that are not meant.",
        )
    with ThreadPoolExecutor(thread_count()) as pool:
        paths = [sequence.path(number + offset) for number in numbers]
        return dict(zip(numbers, pool.map(hash_file, paths), strict=True))


def missing_frames_hint(pattern: str, offset: int, wanted: Collection[int]) -> str:
    """What to do where the painted frames that are wanted aren't there.

    Args:
        wanted: numbers of plate frames, at least one.
    """
    try:
        there = FrameSequence.parse(pattern, base=Path()).on_disk()
    except InputError:
        there = ()
    found = f"There are {ranges.compact(there) or 'none'}"
    if there and not set(there) & {number + offset for number in wanted}:
        meant = there[0] - min(wanted)
        return f"{found}. Perhaps you meant style.offset: {meant}, painted frame {there[0]} for {min(wanted)}?"
    return f"{found}; paint the frame, or correct `frames:`, `style.frames` or `style.offset`."


def hash_file(path: Path) -> str:
    """SHA-256 of a painted frame's file. Raises InputError where it can't be read."""
    try:
        return sha256_of(path)
    except OSError as error:
        raise InputError(f"Can't read the painted frame {path}: {error.strerror}") from error
