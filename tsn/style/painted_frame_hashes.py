"""Find and hash the frames that another tool has painted (`style: {frames: ...}`); without torch.

The hash is over the whole file, since a repaint in place may change only the middle of an uncompressed one. File dates
do not count, since synced copies on other hosts have other dates.
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
    """Hash the painted frames on disk.

    Args:
        pattern: absolute pattern of the sequence.
        wanted: numbers of plate frames; other frames are not read. None = all.
        offset: number of a painted frame minus that of its plate frame.

    Returns:
        `hash_file` of each painted frame, by the number of its plate frame.

    Raises:
        InputError: there are no frames, one exists under two names, or one can't be read.
    """
    sequence = FrameSequence.parse(pattern, base=Path())
    on_disk = sequence.on_disk()
    if not on_disk:
        raise InputError(
            f"No painted frames found: {pattern}",
            hint=describe_ignored(sequence.ignored_files())
            or "style.frames is relative to the shot file; check the folder.",
        )
    numbers = [number - offset for number in on_disk if wanted is None or number - offset in wanted]
    if duplicates := [names for number, names in sequence.duplicate_frames().items() if number - offset in numbers]:
        raise InputError(
            f"{pattern}: a painted frame exists under two names: {' and '.join(duplicates[0])}",
            hint="Remove one of them.",
        )
    with ThreadPoolExecutor(thread_count()) as pool:
        paths = [sequence.path(number + offset) for number in numbers]
        return dict(zip(numbers, pool.map(hash_file, paths), strict=True))


def missing_frames_hint(pattern: str, offset: int, wanted: Collection[int]) -> str:
    """The hint of an error about missing painted frames: which there are, and perhaps another offset.

    Args:
        pattern: absolute pattern of the sequence.
        offset: number of a painted frame minus that of its plate frame.
        wanted: numbers of plate frames, at least one.
    """
    try:
        on_disk = FrameSequence.parse(pattern, base=Path()).on_disk()
    except InputError:
        on_disk = ()
    found = f"There are {ranges.compact(on_disk) or 'none'}"
    if on_disk and not set(on_disk) & {number + offset for number in wanted}:
        first, better = on_disk[0], on_disk[0] - min(wanted)
        return f"{found}. Perhaps you meant style.offset: {better}, painted frame {first} for {min(wanted)}?"
    return f"{found}; paint the frame, or correct `frames:`, `style.frames` or `style.offset`."


def hash_file(path: Path) -> str:
    """SHA-256 of the file of a painted frame. Raises InputError if it can't be read."""
    try:
        return sha256_of(path)
    except OSError as error:
        raise InputError(f"Can't read the painted frame {path}: {error.strerror}") from error
