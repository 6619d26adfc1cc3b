"""Frame numbers: ranges as text, the frames on disk, and the line that says how many are painted."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path


def consecutive_runs(frames: Iterable[int]) -> list[tuple[int, int]]:
    """Runs of consecutive frames, ascending, as (first, last)."""
    runs: list[tuple[int, int]] = []
    for frame in sorted(set(frames)):
        if runs and frame == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], frame)
        else:
            runs.append((frame, frame))
    return runs


def stepped_ranges(frames: Iterable[int]) -> list[tuple[int, int, int]]:
    """Evenly spaced frames, ascending, as (first, last, step). With a step above 1, at least three frames."""
    left = sorted(set(frames))
    ranges: list[tuple[int, int, int]] = []
    while left:
        step = left[1] - left[0] if len(left) > 1 else 1
        length = 1
        while length < len(left) and left[length] - left[length - 1] == step:
            length += 1
        if length == 2 and step > 1:
            length = 1
        ranges.append((left[0], left[length - 1], step if length > 1 else 1))
        left = left[length:]
    return ranges


def format_range(frames: Iterable[int]) -> str:
    """The frames as tsn reads a range: 1001-1020, 1024, or 1001-1049x2 for every second one."""
    parts = []
    for first, last, step in stepped_ranges(frames):
        text = str(first) if first == last else f"{first}-{last}"
        parts.append(f"{text}x{step}" if step > 1 else text)
    return ", ".join(parts)


def frames_on_disk(folder: Path, name: str) -> set[int]:
    """The numbers of the files `name.####.exr` in a folder. Temporary files begin with a dot and are left out.

    A minus sign takes one of the four places, as `%04d` writes it.
    """
    pattern = re.compile(re.escape(name) + r"\.(-\d{3,}|\d{4,})\.exr")
    try:
        files = [path.name for path in folder.iterdir()]
    except OSError:
        return set()
    return {int(match[1]) for file in files if (match := pattern.fullmatch(file))}


def status_line(*, painted: Collection[int], requested: Collection[int], stale: Collection[int]) -> str:
    """How many requested frames are painted, such as `48 of 48 frames, 2 out of date`."""
    done = len(set(painted) & set(requested))
    if not done:
        return "Nothing rendered yet"
    noun = "frame" if len(requested) == 1 else "frames"
    out_of_date = f", {len(stale)} out of date" if stale else ""
    return f"{done} of {len(requested)} {noun}{out_of_date}"
