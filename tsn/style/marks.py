"""Which frames another tool has painted, each by its content; told without torch.

All of a file counts: a repaint in place may change the middle of an uncompressed one only. Its date doesn't, since
synced copies on other hosts have others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tsn.cores import threads
from tsn.errors import InputError
from tsn.io.sequence import Sequence


def marks(pattern: str, wanted: Collection[int] | None = None) -> dict[int, str]:
    """The painted frames on disk: number -> `mark`.

    Args:
        pattern: absolute pattern of the sequence.
        wanted: the others are not read; None = all of them.

    Raises:
        InputError: no frame of the pattern is on disk, or one can't be read.
    """
    sequence = Sequence.parse(pattern, base=Path())
    there = sequence.on_disk()
    if not there:
        raise InputError(
            f"No painted frames found: {pattern}",
            hint="style.frames is relative to the shot file; check the folder.",
        )
    numbers = [number for number in there if wanted is None or number in wanted]
    with ThreadPoolExecutor(threads()) as pool:
        return dict(zip(numbers, pool.map(mark, map(sequence.path, numbers)), strict=True))


def mark(path: Path) -> str:
    """SHA-256 of a painted frame's file. Raises InputError where it can't be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"Can't read the painted frame {path}: {error.strerror}") from error
