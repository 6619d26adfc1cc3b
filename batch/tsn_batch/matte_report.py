"""What a matte covers of a shot, in words. One that misses paints nothing, or everything, and no code tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tsn import frames as ranges
from tsn.shot.model import Matte

MAX_CHECKED_FRAMES = 5
"""Frames that a check decodes before it says that a matte misses: few of ten thousand, far apart."""


def misses_subject(matte: Matte, share: float) -> bool:
    """Whether a matte that lets through this share of a frame leaves no trace of what it names.

    A matte that covers everything is nothing odd, unless it is turned round.
    """
    return share == 0 or (matte.invert and share == 1)


def frames_to_check(numbers: Sequence[int]) -> list[int]:
    """The frames to look at: the first, the last, and some evenly between."""
    if len(numbers) <= MAX_CHECKED_FRAMES:
        return list(numbers)
    return [numbers[round(step * (len(numbers) - 1) / (MAX_CHECKED_FRAMES - 1))] for step in range(MAX_CHECKED_FRAMES)]


def coverage_text(shares: Mapping[int, float]) -> str:
    """Such as "covers 0.0 % of frame 1001, 12.5 % of frame 1024"."""
    return "covers " + ", ".join(f"{_percent(share)} of frame {number}" for number, share in shares.items())


def _percent(share: float) -> str:
    if 0 < share < 0.0005:
        return "less than 0.1 %"
    return "more than 99.9 %" if 0.9995 <= share < 1 else f"{100 * share:.1f} %"


def miss_warning(matte: Matte, shares: Mapping[int, float]) -> str | None:
    """A sentence where a matte misses in every one of some frames; None where it does not, or there are none."""
    if not shares or not all(misses_subject(matte, share) for share in shares.values()):
        return None
    where = "frame" if len(shares) == 1 else f"all {len(shares)} frames looked at,"
    named = f"Cryptomatte {matte.cryptomatte}, {', '.join(matte.names)}" if matte.cryptomatte else str(matte.channel)
    found = set(shares.values())
    if found == {0.0}:
        covers, follows = "0 %", "nothing is painted"
    elif found == {1.0}:
        covers, follows = "100 %", "everything is painted, as without a matte"
    else:
        covers, follows = "0 % or 100 %", "each is painted whole or not at all"
    return (
        f"The matte ({named}){', inverted,' if matte.invert else ''} covers {covers} of"
        f" {where} {ranges.compact(sorted(shares))}: {follows}. Check its names, layer and channel."
    )
