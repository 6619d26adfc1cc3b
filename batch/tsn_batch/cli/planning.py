"""What several commands ask for, and how a shot file becomes a plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tsn.rendering.plan import Plan
    from tsn.shot.model import Shot


def load_shot(shot: Path, sets: Sequence[str], missing: str | None = None) -> Shot:
    """The resolved shot. Raises UsageError."""
    from tsn.shot.load import load

    return load(shot, sets=[*sets, *([f"missing={missing}"] if missing else [])])


def make_plan(shot: Shot, frames: str | None = None, chunk_size: int | None = None, workers: int = 1) -> Plan:
    """The plan, as `tsn.api.plan` makes it, which brings torch with it.

    Args:
        workers: how many share the frames; their chunks are of a size that lets them end together.
    """
    from tsn import frames as ranges
    from tsn.rendering.inspect import inspect
    from tsn.rendering.plan import plan

    wanted = None if frames is None else ranges.parse(frames)
    plate = inspect(shot)
    if workers > 1 and chunk_size is None:
        from tsn_batch.local.worker_slots import balanced_chunk_size

        count = len(plate.frames if wanted is None else wanted)
        chunk_size = balanced_chunk_size(count, workers=workers, window=shot.temporal.window)
    return plan(shot, plate, wanted=wanted, chunk_size=chunk_size)


def pin_inputs(plan: Plan, before: Plan | None = None) -> Plan:
    """The plan with all that another host must agree with: weights, colours, and what the plate's files hold.

    Args:
        before: an older plan of the shot: frames of the same name, size and date need not be read again.

    Raises:
        InputError: a file is missing or damaged.
    """
    from dataclasses import replace

    from tsn.rendering.content import contents, keys
    from tsn.rendering.environment import colour_of
    from tsn.rendering.pinned_weights import weights_of

    shot, stamps = plan.shot, plan.plate.stamps
    known = {} if before is None else keys(before.shot.plate, before.plate.stamps, before.contents)
    return replace(
        plan,
        weights=weights_of(shot),
        colour=colour_of(shot, plan.sample),
        contents=contents(shot.plate, stamps, known),
    )
