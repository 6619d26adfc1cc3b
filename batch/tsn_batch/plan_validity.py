"""Refuse a plan that would not give the pixels it was made for, on this host and with these files."""

from __future__ import annotations

from collections.abc import Set

import tsn
from tsn import frames as ranges
from tsn.errors import InputError, UsageError
from tsn.rendering.plan import Plan, calibration_frames
from tsn.rendering.plate_hashes import changed_frames
from tsn.style.painted_frame_hashes import hash_painted_frames

PLAN_AGAIN_HINT = "Make the plan again with `tsn plan`; frames that are finished and still right will be skipped."


def require_plan(plan: Plan) -> None:
    """Raise InputError where tsn, its libraries, the colour config or the weights differ from those in the plan."""
    from tsn.rendering.environment import require_environment
    from tsn.rendering.pinned_weights import require_weights

    if plan.tsn != tsn.__version__:
        raise InputError(f"The plan was made by tsn {plan.tsn}, and this is {tsn.__version__}.", hint=PLAN_AGAIN_HINT)
    require_environment(plan)
    require_weights(plan)


def require_chunk(plan: Plan, index: int) -> None:
    """Raise UsageError where the plan has no such chunk, InputError where its pixels would differ from the plan's.

    The plan pins the plate as it was. A plate frame that changed since would give an output that carries the hash of
    the old one.
    """
    if not 0 <= index < len(plan.chunks):
        raise UsageError(f"The plan has no chunk {index}, only 0 to {len(plan.chunks) - 1}.", hint="They count from 0.")
    require_plan(plan)
    if plan.pins is None and any(layer.style.keys is not None for layer in plan.shot.by_layer):
        raise UsageError(
            "The keys of this plan are not learnt: each chunk would learn them for itself, and paint another way.",
            hint="Learn them once, into the plan: tsn survey PLAN",
        )
    chunk = plan.chunks[index]
    gaps = {number for number in chunk.reads if number not in plan.plate.stamps}
    window = plan.plate_frames_for(chunk.frames)
    _require_unchanged(plan, {*window, *gaps, *calibration_frames(plan.plate.present)}, f"chunk {index}")
    _require_as_painted(plan, window, f"chunk {index}")


def require_survey(plan: Plan) -> None:
    """Raise InputError where calibration would measure another plate than the plan was made for."""
    require_plan(plan)
    needed = set(calibration_frames(plan.plate.present))
    if plan.shot.temporal.cuts == "auto":
        needed |= {number for chunk in plan.chunks for number in chunk.reads}
    if any(layer.style.keys is not None for layer in plan.shot.by_layer):
        needed = set(plan.plate.present)  # keys are learnt from the whole shot
    _require_unchanged(plan, needed, "the survey")


def _require_unchanged(plan: Plan, needed: Set[int], what: str) -> None:
    """Raise InputError where one of the `needed` plate frames changed; changes of other frames do not matter."""
    changed = changed_frames(plan.shot.plate, plan.plate.stamps, plan.plate_hashes, needed)
    if changed:
        raise InputError(
            f"{plan.shot.plate}: {what} depends on frames that changed after the plan was made:"
            f" {ranges.compact(changed)} (another size, content or presence)",
            hint=PLAN_AGAIN_HINT,
        )


def _require_as_painted(plan: Plan, needed: Set[int], what: str) -> None:
    """Raise InputError where painted frames changed. A missing one is reported where it is read: strength may be 0."""
    for layer, marks in zip(plan.shot.by_layer, plan.plate.painted_by_layer, strict=True):
        style = layer.style
        if style.frames is None:
            continue
        found = hash_painted_frames(style.frames, needed, offset=style.offset)
        planned = {number: mark for number, mark in marks.items() if number in needed}
        if changed := sorted({number for number, _ in found.items() ^ planned.items()}):
            raise InputError(
                f"{style.frames}: {what} depends on painted frames that changed after the plan was made:"
                f" {ranges.compact(changed)}",
                hint=PLAN_AGAIN_HINT,
            )
