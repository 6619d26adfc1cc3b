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
    """The resolved shot of a file, with the defaults of its show and sequence, the environment and `sets`.

    Args:
        sets: as after `--set`, such as "temporal.window=4".
        environ: where TSN_* variables are looked up, and those in paths.

    Raises:
        UsageError: a ShotError with file:line:column for faults in YAML.
    """
    return shot_files.load(file, sets=sets, environ=environ)


def plan(shot: Shot | Path | str, *, frames: str | Sequence[int] | None = None, chunk_size: int | None = None) -> Plan:
    """Inspect the plate and cut the shot into chunks.

    Args:
        frames: the frames to write ("1001-1020x2" or numbers), None = all.
        chunk_size: frames a chunk; the default depends on the window.

    Raises:
        UsageError: a fault in the shot file, or frames that the shot hasn't got.
        InputError: a plate frame is missing, damaged, or unlike the others.
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
        shot: a shot file, or the result of `load`.
        frames: the frames to write, None = all; their neighbours are read all the same.
        device: `auto`, `cpu`, `cuda:0`.
        force: render finished frames again.
        report: called with every `tsn.rendering.event.Event`.

    Raises:
        TsnError: of any kind (see `tsn.errors`).
    """
    return render_plan(plan(shot, frames=frames), device=device, force=force, report=report)
