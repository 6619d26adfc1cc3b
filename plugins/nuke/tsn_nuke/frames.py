"""Frame numbers: runs, their names, and where a node stands.

Plain Python, without the host; the same file in tsn_blender and tsn_nuke.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path


def runs(frames: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending (first, last) of consecutive frames."""
    found: list[tuple[int, int]] = []
    for frame in sorted(set(frames)):
        if found and frame == found[-1][1] + 1:
            found[-1] = (found[-1][0], frame)
        else:
            found.append((frame, frame))
    return found


def stepped(frames: Iterable[int]) -> list[tuple[int, int, int]]:
    """Ascending (first, last, step) of evenly spaced frames: at least three with a gap between them, or neighbours."""
    left = sorted(set(frames))
    found: list[tuple[int, int, int]] = []
    while left:
        step = left[1] - left[0] if len(left) > 1 else 1
        length = 1
        while length < len(left) and left[length] - left[length - 1] == step:
            length += 1
        if length == 2 and step > 1:
            length = 1
        found.append((left[0], left[length - 1], step if length > 1 else 1))
        left = left[length:]
    return found


def named(frames: Iterable[int]) -> str:
    """Such as 1001-1020, 1024, or 1001-1049x2 for every second one; tsn reads it as a range."""
    spans = stepped(frames)
    return ", ".join(str(a) if a == b else f"{a}-{b}" + (f"x{step}" if step > 1 else "") for a, b, step in spans)


def on_disk(folder: Path, name: str) -> set[int]:
    """The frames `name.####.exr` that a folder holds; temporary files begin with a dot and don't count.

    A sign is one of the four places, as `%04d` writes it.
    """
    numbered = re.compile(re.escape(name) + r"\.(-\d{3,}|\d{4,})\.exr")
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return set()
    return {int(match[1]) for one in names if (match := numbered.fullmatch(one))}


def status(*, there: Collection[int], wanted: Collection[int], stale: Collection[int]) -> str:
    """Where a node stands, such as `48 of 48 frames, 2 out of date`."""
    done = len(set(there) & set(wanted))
    if not done:
        return "Nothing rendered yet"
    noun = "frame" if len(wanted) == 1 else "frames"
    old = f", {len(stale)} out of date" if stale else ""
    return f"{done} of {len(wanted)} {noun}{old}"
