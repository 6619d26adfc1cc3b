"""A shot in three calls: load, plan, render."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tsn import frames as ranges
from tsn.rendering import plan as plans
from tsn.rendering.event import Report
from tsn.rendering.inspect import inspect
from tsn.rendering.plan import Plan
from tsn.rendering.render import render as render_plan
from tsn.shot import load as shot_files
from tsn.shot.model import Shot


def load(file: Path | str, *, sets: Sequence[str] = (), environ: Mapping[str, str] = os.environ) -> Shot:
    """The resolved shot: file, show and sequence defaults, environment and `sets` ("temporal.window=4").

    Raises:
        UsageError: ShotError with file:line:column for faults in YAML.
    """
    return shot_files.load(file, sets=sets, environ=environ)


def plan(shot: Shot | Path | str, *, frames: str | Sequence[int] | None = None, chunk_size: int | None = None) -> Plan:
    """Look at the plate and cut the shot into chunks.

    Args:
        frames: the frames to write ("1001-1020x2" or numbers), None = all.

    Raises:
        UsageError: faults in the shot file, or frames that the shot hasn't got.
        InputError: a missing, damaged or deviating plate frame.
    """
    resolved = shot if isinstance(shot, Shot) else load(shot)
    wanted = ranges.parse(frames) if isinstance(frames, str) else frames
    return plans.make_plan(resolved, inspect(resolved), frames=wanted, chunk_size=chunk_size)


def render(
    shot: Shot | Path | str,
    *,
    frames: str | Sequence[int] | None = None,
    device: str = "auto",
    force: bool = False,
    report: Report = lambda event: None,
) -> tuple[Path, ...]:
    """Render a shot and return the paths of its frames.

    Args:
        shot: a shot file, or what `load` made of one.
        frames: the frames to write, None = all; their neighbours are read all the same.
        device: `auto`, `cpu`, `cuda:0`.
        force: render finished frames again.
        report: called with every `tsn.rendering.event.Event`.

    Raises:
        TsnError: of any kind (see `tsn.errors`).
    """
    return render_plan(plan(shot, frames=frames), device=device, force=force, report=report)
