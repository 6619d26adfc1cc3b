"""The coverage of a matte as text, and a warning where it misses its subject, which no exit code shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tsn import frames as ranges
from tsn.shot.model import Matte

MAX_CHECKED_FRAMES = 5
"""Frames that a check decodes at most before it says that a matte misses; they are spread over the shot."""


def misses_subject(matte: Matte, share: float) -> bool:
    """Whether a matte that covers this share of a frame shows nothing of the objects it names.

    A matte that covers everything is normal, unless it is inverted.
    """
    return share == 0 or (matte.invert and share == 1)


def frames_to_check(numbers: Sequence[int]) -> list[int]:
    """Choose the first frame, the last, and some evenly between them."""
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
    """A warning where a matte misses in all of these frames (frame -> covered share); otherwise None."""
    if not shares or not all(misses_subject(matte, share) for share in shares.values()):
        return None
    where = "frame" if len(shares) == 1 else f"all {len(shares)} frames checked,"
    named = f"Cryptomatte {matte.cryptomatte}, {', '.join(matte.names)}" if matte.cryptomatte else str(matte.channel)
    found = set(shares.values())
    if found == {0.0}:
        covered, effect = "0 %", "nothing is painted"
    elif found == {1.0}:
        covered, effect = "100 %", "everything is painted, as without a matte"
    else:
        covered, effect = "0 % or 100 %", "each is painted whole or not at all"
    return (
        f"The matte ({named}){', inverted,' if matte.invert else ''} covers {covered} of"
        f" {where} {ranges.compact(sorted(shares))}: {effect}. Check its names, layer and channel."
    )
