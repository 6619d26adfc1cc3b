"""What several commands ask for, and how a shot file becomes a plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tsn.rendering.plan import Plan
    from tsn.shot.model import Shot

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

SHOT = click.argument("shot", type=click.Path(path_type=Path))
FRAMES = click.option("-F", "--frames", metavar="RANGE", help="Only these, such as 1001-1020, 1001-1050x2 or 1,5,9-20.")
DEVICE = click.option("--device", default="auto", show_default=True, envvar="TSN_DEVICE", help="auto, cpu, cuda:1.")
FORCE = click.option("--force", is_flag=True, help="Render finished frames again.")
SETS = click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Such as temporal.window=4. Repeatable.")
MISSING = click.option(
    "--missing", type=click.Choice(["error", "hold", "black", "skip"]), help="Gaps in the plate; as --set missing=."
)


def json_option(help: str) -> Decorator:
    return click.option("--json", "as_json", is_flag=True, help=help)


def load(shot: Path, sets: Sequence[str], missing: str | None = None) -> Shot:
    """The resolved shot. Raises UsageError."""
    from tsn.shot.load import load as load_shot

    return load_shot(shot, sets=[*sets, *([f"missing={missing}"] if missing else [])])


def planned(shot: Shot, frames: str | None = None, chunk_size: int | None = None, workers: int = 1) -> Plan:
    """The plan, as `tsn.api.plan` makes it, which brings torch with it.

    Args:
        workers: how many share the frames; their chunks are of a size that lets them end together.
    """
    from tsn import frames as ranges
    from tsn.rendering.inspect import inspect
    from tsn.rendering.plan import make_plan

    wanted = None if frames is None else ranges.parse(frames)
    plate = inspect(shot)
    if workers > 1 and chunk_size is None:
        from tsn_batch.slots import balanced

        count = len(plate.frames if wanted is None else wanted)
        chunk_size = balanced(count, workers=workers, window=shot.temporal.window)
    return make_plan(shot, plate, frames=wanted, chunk_size=chunk_size)


def portable(plan: Plan, before: Plan | None = None) -> Plan:
    """The plan with all that another host must agree with: weights, colours, and what the plate's files hold.

    Args:
        before: an older plan of the shot: frames of the same name, size and date need not be read again.

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
