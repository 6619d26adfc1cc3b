"""From the arguments of a command to a plan: load the shot, divide it into chunks, pin its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tsn.rendering.plan import Plan
    from tsn.shot.model import Shot


def load_shot(shot: Path, sets: Sequence[str], missing: str | None = None) -> Shot:
    """Load and resolve a shot with the values of --set and --missing. Raises UsageError."""
    from tsn.shot.load import load

    return load(shot, sets=[*sets, *([f"missing={missing}"] if missing else [])])


def make_plan(shot: Shot, frames: str | None = None, chunk_size: int | None = None, workers: int = 1) -> Plan:
    """Make the plan of a shot, the same as `tsn.api.plan` makes it, but without loading torch.

    Args:
        frames: a frame range; None = the whole shot.
        chunk_size: frames in each chunk; None = the default, or what lets all workers end together.
        workers: number of workers that share the frames.
    """
    from tsn import frames as ranges
    from tsn.rendering.inspect import inspect
    from tsn.rendering.plan import make_plan as plan_shot

    wanted = None if frames is None else ranges.parse(frames)
    plate = inspect(shot)
    if workers > 1 and chunk_size is None:
        from tsn_batch.local.worker_slots import balanced_chunk_size

        count = len(plate.frames if wanted is None else wanted)
        chunk_size = balanced_chunk_size(count, workers=workers, window=shot.longest_window)
    return plan_shot(shot, plate, frames=wanted, chunk_size=chunk_size)


def pin_inputs(plan: Plan, before: Plan | None = None) -> Plan:
    """Add the hashes of all inputs that another host must have too: weights, colour config and plate files.

    Args:
        before: an older plan of the shot; frames with the same name, size and date are not read again.

    Raises:
        InputError: a file is missing or damaged.
    """
    from dataclasses import replace

    from tsn.rendering.environment import colour_fingerprint
    from tsn.rendering.pinned_weights import hash_weights
    from tsn.rendering.plate_hashes import hashes_by_stamp, plate_hashes

    shot, stamps = plan.shot, plan.plate.stamps
    known = {} if before is None else hashes_by_stamp(before.shot.plate, before.plate.stamps, before.plate_hashes)
    return replace(
        plan,
        weights=hash_weights(shot),
        colour=colour_fingerprint(shot, plan.probe_frame),
        plate_hashes=plate_hashes(shot.plate, stamps, known),
    )
