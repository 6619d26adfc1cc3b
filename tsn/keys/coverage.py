"""Coverage of a shot by keys: what no key shows, where, which frame would show it, and which frames to paint first.

All of it on small pictures (`LONG_SIDE_PX`), with a motion that is good enough for shares. A place counts as shown by a
frame where motion leads to it however far away: a net that learnt the frame has seen it painted, though its paint is
only carried over `tsn.keys.carry.REACH` frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tsn.flow.base import Motion
from tsn.flow.warp import warp
from tsn.keys.carry import at_key, carry_on, half_flow, half_size
from tsn.keys.smoothing import smoothstep

LONG_SIDE_PX = 160
"""Longer side of the small pictures."""
CHANGE_KEPT, CHANGE_LOST = 0.12, 0.35
"""Difference of the plate in style space, carried along with a key, up to which the key shows a place, and from which
on it doesn't. More than for carried paint: a net that learnt a thing in the sun has some idea of it in the shade."""
LEAST_SHOWN = 0.02
"""A frame shows nothing beyond where it shows less than this share."""
LEAST_GAIN = 0.1
"""Share of the whole shot that one more frame must add to be chosen for painting."""
LEAST_HELP_FRAMES = 0.75
"""What a suggested key must add, in whole pictures: a quarter of three frames, say."""
MAX_SUGGESTIONS = 4
HELPED = 0.04
"""Share of a frame from which on it counts among those that a suggested key helps."""


@dataclass(frozen=True, kw_only=True)
class SmallFrame:
    """A frame as coverage sees it.

    Attributes:
        number: of the frame.
        picture: style space, (3, h, w) in [0, 1].
        cover: how much each place counts, (1, h, w) in [0, 1]: 0 in void or outside of a matte.
        motion: from the frame before to this one, of this size; None where a take starts.
    """

    number: int
    picture: Tensor
    cover: Tensor
    motion: Motion | None


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A frame that would help as a key.

    Attributes:
        number: of the frame to paint.
        first, last: the frames around it that it helps.
        missing: share of those frames that no key shows, in [0, 1].
        where: in words, where most of what it adds lies, such as "top left".
        mask: what no key shows of the frame itself, (1, h, w) in [0, 1], at half the size.
    """

    number: int
    first: int
    last: int
    missing: float
    where: str
    mask: Tensor


def shown_from(frames: Sequence[SmallFrame], place: int, weight: Tensor | None = None) -> dict[int, Tensor]:
    """What the frame of a place shows of the others: place -> uint8 (1, h, w), of 255, at half the size.

    Frames of which it shows nothing are left out; no motion leads across cuts.

    Args:
        weight: where the frame is painted, (1, h, w) in [0, 1] as small as its picture; None = all over.
    """
    key = frames[place]
    painted = half_size(torch.ones_like(key.cover) if weight is None else weight)
    found = {place: (painted * 255).round().to(torch.uint8)}
    own = torch.cat([half_size(key.picture), painted])
    for direction in (1, -1):
        carried, there = at_key(key.picture), place + direction
        while 0 <= there < len(frames):
            motion = frames[max(there, there - direction)].motion
            if motion is None:
                break
            carried = carry_on(carried, motion, direction)
            visible = half_size(carried.visibility)
            if float(visible.mean()) < LEAST_SHOWN:
                break
            carried_here = warp(own, half_flow(carried.flow))
            change = (half_size(frames[there].picture) - carried_here[:3]).abs().amax(0, keepdim=True)
            seen = visible * carried_here[3:] * (1 - smoothstep(change, CHANGE_KEPT, CHANGE_LOST))
            found[there] = (seen * 255).round().to(torch.uint8)
            there += direction
    return found


def missing_in(shown: Sequence[Mapping[int, Tensor]], frames: Sequence[SmallFrame]) -> list[Tensor]:
    """What none of several keys shows, times how much it counts: one (1, h, w) in [0, 1] a frame, at half the size.

    Args:
        shown: `shown_from` of each key.
    """
    found = []
    for place, frame in enumerate(frames):
        missing = half_size(frame.cover)
        masks = [mask[place] for mask in shown if place in mask]
        if masks:
            missing = missing * (1 - torch.stack(masks).amax(0).float() / 255)
        found.append(missing)
    return found


def missing_shares(missing: Sequence[Tensor], frames: Sequence[SmallFrame]) -> list[float]:
    """Of each frame the share that is missing, in [0, 1]; 0 where nothing counts."""
    totals = [float(frame.cover.mean()) for frame in frames]
    return [float(part.mean()) / total if total else 0.0 for part, total in zip(missing, totals, strict=True)]


def best_key(
    missing: Sequence[Tensor], candidates: Mapping[int, Mapping[int, Tensor]]
) -> tuple[int, dict[int, Tensor]] | None:
    """The candidate that shows most of what is missing; of several alike the one in the middle of what it shows.

    Returns:
        Its place, and of each frame what it adds, (1, h, w); None without candidates.
    """
    best: tuple[float, int, dict[int, Tensor]] | None = None

    def off_centre(place: int) -> float:
        return abs(place - (min(candidates[place]) + max(candidates[place])) / 2)

    for place in sorted(candidates, key=lambda place: (off_centre(place), place)):
        adds = {there: missing[there] * (mask.float() / 255) for there, mask in candidates[place].items()}
        gain = sum(float(part.mean()) for part in adds.values())
        if best is None or gain > best[0] * 1.001:
            best = gain, place, adds
    return None if best is None else best[1:]


def choose_keys(
    frames: Sequence[SmallFrame], candidates: Mapping[int, Mapping[int, Tensor]], *, least_gain: float = LEAST_GAIN
) -> tuple[int, ...]:
    """Places of the fewest frames that show a shot: the best one, and more as long as each adds enough.

    Args:
        candidates: place -> `shown_from` of it.
        least_gain: share of all that counts in the shot.
    """
    missing = missing_in([], frames)
    total = sum(float(part.mean()) for part in missing)
    chosen: list[int] = []
    while (best := best_key(missing, candidates)) is not None:
        gain = sum(float(part.mean()) for part in best[1].values())
        if best[0] in chosen or (chosen and gain <= least_gain * total):
            break
        chosen.append(best[0])
        missing = [part - best[1][there] if there in best[1] else part for there, part in enumerate(missing)]
    return tuple(sorted(chosen))


def suggest_keys(
    frames: Sequence[SmallFrame],
    keys: Sequence[Mapping[int, Tensor]],
    candidates: Mapping[int, Mapping[int, Tensor]],
) -> tuple[Suggestion, ...]:
    """Frames that would help as keys beside those there are, the best first.

    Args:
        keys: `shown_from` of each key.
        candidates: place -> `shown_from` of it.
    """
    missing = missing_in(keys, frames)
    found: list[Suggestion] = []
    while len(found) < MAX_SUGGESTIONS and (best := best_key(missing, candidates)) is not None:
        place, adds = best
        if sum(float(part.mean()) for part in adds.values()) < LEAST_HELP_FRAMES:
            break
        helped = _run(place, {there for there, part in adds.items() if float(part.mean()) >= HELPED})
        absent = torch.stack([missing[there] for there in helped]).mean(0)
        cover = torch.stack([half_size(frames[there].cover) for there in helped]).mean(0)
        found.append(
            Suggestion(
                number=frames[place].number,
                first=frames[helped[0]].number,
                last=frames[helped[-1]].number,
                missing=float(absent.mean()) / max(float(cover.mean()), 1e-6),
                where=in_words(torch.stack([adds[there] for there in helped]).mean(0)),
                mask=missing[place],
            )
        )
        missing = [part - adds[there] if there in adds else part for there, part in enumerate(missing)]
    return tuple(found)


def in_words(mask: Tensor) -> str:
    """Where most of a mask (1, h, w) lies: "top left", "right", "bottom", "middle", or "all over"."""
    across = _third(mask.sum((0, 1)), ("left", "middle", "right"))
    down = _third(mask.sum((0, 2)), ("top", "middle", "bottom"))
    named = [word for word in (down, across) if word not in ("", "middle")]
    if named:
        return " ".join(named)
    return "middle" if across and down else "all over"


def _third(profile: Tensor, words: tuple[str, str, str]) -> str:
    """In which third of a profile most of it lies; "" where it spreads over more than two."""
    total = float(profile.sum())
    if not total:
        return ""
    size = len(profile)
    share = profile.cumsum(0) / total
    low, high = int((share < 0.1).sum()) / size, int((share < 0.9).sum()) / size
    if high - low > 0.6:
        return ""
    centre = float((profile * torch.arange(size, device=profile.device)).sum()) / total / max(size - 1, 1)
    return words[min(2, int(centre * 3))]


def _run(place: int, helped: set[int]) -> list[int]:
    """The places around one that are helped without a gap."""
    first = last = place
    while first - 1 in helped:
        first -= 1
    while last + 1 in helped:
        last += 1
    return list(range(first, last + 1))
