"""Frame ranges as artists write them, and the chunks that a farm renders."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tsn.errors import UsageError

RANGE_SYNTAX = "Write frames like 1001-1050, 1001-1050x2 (every second), 1001-1050:2 (staggered) or 1,5,9-20."
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_ITEM = re.compile(rf"{_NUMBER}(?:-{_NUMBER}(?:[:xy]{_NUMBER})?)?")
_FOREIGN_SYNTAX = (
    ("[\u2010-\u2015\u2212]", "-"),  # dashes, as text editors set them
    (r"\.\.\.?|\bto\b", "-"),
    (r";", ","),
    (r"\s*(?:step|every|by|[@/*\u00d7]|x)\s*(?=-?[0-9])", "x"),
    (r"\s*-\s*", "-"),
    (r"^(-?[0-9]+):(-?[0-9]+)$", r"\1-\2"),
    (r",(?=,)|^,|,$", ""),
)
"""Regular expressions of other programs' notations, and ours; for hints only."""


def parse(text: str) -> tuple[int, ...]:
    """Parse a frame range into its frames, in its order, each once.

    Args:
        text: "1001-1050", "1001-1050x2", "1,5,9-20" or "1 5 9-20", "-5--1"; "1-10:2" staggers (1, 3, .. 9, 2, 4, ..
            10), "10-1" counts down.

    Raises:
        UsageError: the text is no frame range, is empty, or names over ten million frames.
    """
    from fileseq import FrameSet
    from fileseq.exceptions import FileSeqException, MaxSizeException

    if not text.strip():
        raise UsageError("The frame range is empty", hint=RANGE_SYNTAX)
    try:
        numbers = tuple(FrameSet(_checked(text)))
    except MaxSizeException as error:
        raise UsageError(f"The frame range {text!r} names over ten million frames", hint=RANGE_SYNTAX) from error
    except FileSeqException as error:  # its own message is a long regular expression
        raise UsageError(f"{text!r} is not a frame range", hint=RANGE_SYNTAX) from error
    except ArithmeticError as error:  # a number of thirty digits
        raise UsageError(f"The frame range {text!r} names frames out of any range", hint=RANGE_SYNTAX) from error
    if any(number != int(number) for number in numbers):
        raise UsageError(f"The frame range {text!r} names frames that are not whole numbers", hint=RANGE_SYNTAX)
    return tuple(int(number) for number in numbers)


def _checked(text: str) -> str:
    """The range with commas instead of spaces. fileseq drops spaces, `#` and `@`, so that "1 10" would be frame 110."""
    items = re.split(r"\s*,\s*", text.strip())
    if len(items) > 1 and not items[-1]:  # a comma at the end
        items.pop()
    found = []
    for item in items:
        if re.search(r"[0-9]\s+-[0-9]", item):  # "1 -10"
            raise UsageError(
                f"{text!r} is not clear: expected spaces on both sides of a hyphen, or on none",
                hint="A range is 1-10, two frames are 1,-10.",
            )
        found += re.sub(r"(?<=[0-9])\s+-\s+(?=-?[0-9])", "-", item).split() or [""]
    if not all(_ITEM.fullmatch(item) for item in found):
        raise UsageError(f"{text!r} is not a frame range", hint=_hint(text))
    return ",".join(found)


def _hint(text: str) -> str:
    """A hint with the range in our notation, where another program's is recognised."""
    meant = unicodedata.normalize("NFKC", text).strip().lower()
    for pattern, instead in _FOREIGN_SYNTAX:
        meant = re.sub(pattern, instead, meant)
    items = re.split(r"[,\s]+", meant)
    known = meant != text and all(_ITEM.fullmatch(item) for item in items)
    return f"Perhaps you meant {','.join(items)!r}? {RANGE_SYNTAX}" if known else RANGE_SYNTAX


def compact(frames: Iterable[int]) -> str:
    """Write frames as a range, sorted and as short as possible: "1001-1050,1060-1070x2"; "" for none."""
    from fileseq import framesToFrameRange

    return framesToFrameRange(sorted(set(frames)))


def sample_frames(frames: Sequence[int], count: int) -> tuple[int, ...]:
    """At most `count` of `frames`, evenly spaced: the middle ones of `count` equal stretches.

    Not the first and last: shots begin and end in fades, slates and empty sets.
    """
    if len(frames) <= count:
        return tuple(frames)
    return tuple(frames[(2 * i + 1) * len(frames) // (2 * count)] for i in range(count))


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """The frames that one worker renders at a time, and those that it may read for them.

    Attributes:
        index: position in the plan, from 0.
        frames: the frames to write, ascending.
        reads: its own frames and the handles around each of them, ascending. An upper bound, counted in the shot's list
            of frames without regard to cuts and gaps; what a frame really depends on is `Plan.window_of`.
    """

    index: int
    frames: tuple[int, ...]
    reads: tuple[int, ...]


def chunks(shot_frames: Sequence[int], wanted: Sequence[int], *, size: int, handles: int) -> tuple[Chunk, ...]:
    """Split the wanted frames into chunks, in the order in which they are wanted.

    Handles are counted in the shot's list of frames, not in frame numbers: in a shot on twos, or beyond a gap, the
    neighbour of a frame is the next frame that exists.

    Args:
        shot_frames: every frame of the shot.
        wanted: the frames to write; each must be in the shot.
        size: frames per chunk; the last may have fewer.
        handles: frames to read on either side of each written one.

    Raises:
        UsageError: a wanted frame is not in the shot, or size or handles are out of range.
    """
    if size < 1:
        raise UsageError(f"A chunk needs at least 1 frame, got a chunk size of {size}")
    if handles < 0:
        raise UsageError(f"Handles can't be negative, got {handles}")
    shot = sorted(set(shot_frames))
    place = {number: index for index, number in enumerate(shot)}
    order = tuple(dict.fromkeys(wanted))
    unknown = [number for number in order if number not in place]
    if unknown:
        raise UsageError(
            f"Frames {compact(unknown)} are not in the shot, which has {compact(shot) or 'no frames'}",
            hint="Ask for frames of the shot, or correct its `frames:`.",
        )
    result = []
    for index, start in enumerate(range(0, len(order), size)):
        frames = tuple(sorted(order[start : start + size]))
        reads = {
            shot[near]
            for number in frames
            for near in range(max(0, place[number] - handles), min(len(shot), place[number] + handles + 1))
        }
        result.append(Chunk(index=index, frames=frames, reads=tuple(sorted(reads))))
    return tuple(result)
