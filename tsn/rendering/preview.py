"""One frame as a picture, in seconds: painted by itself, without the temporal window, as an artist wants to see it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch

from tsn import io
from tsn.errors import UsageError
from tsn.rendering.engine import make_engine
from tsn.rendering.inspect import inspect
from tsn.rendering.output import make_folder
from tsn.rendering.output_frame import RenderState, make_output_frame
from tsn.rendering.plan import Plan, make_plan
from tsn.shot.model import Shot

QUICK_LEARNING_S = 60.0
"""Longest learning of keys for a preview, where they are not learnt yet."""


def preview_path(shot: Shot, number: int) -> Path:
    """The picture of a frame: beside the output frames, named like them, and never taken for one of them."""
    output = Path(shot.output)
    return output.parent / f"{output.name.split('.')[0]}.preview.{number:04d}.png"


def render_preview(shot: Shot, number: int, *, device: str, note: Callable[[str], None]) -> Path:
    """Render one frame as PNG in style space, as it would be displayed, and return its path.

    Without the window it has more texture than the rendered frame, and it boils if several are looked at in turn.

    Args:
        note: called with a sentence about what takes a while.

    Raises:
        UsageError: the shot has no such frame.
        TsnError: of any other kind.
    """
    shot = replace(shot, temporal=replace(shot.temporal, window=0))
    plan = make_plan(shot, inspect(shot))
    if plan.source_of(number) is None or number not in plan.plate.frames:
        frames = f"{plan.plate.frames[0]} to {plan.plate.frames[-1]}"
        raise UsageError(f"--preview {number}: the shot has no such frame.", hint=f"It has {frames}.")
    if shot.style.keys is not None:
        plan = _quickly_learnt(plan, device)
    engine = make_engine(plan, device=device, note=note)
    state = RenderState(engine, plan)
    with torch.inference_mode(), closing(state.plates):
        made = make_output_frame(plan, state, number)
        shown = engine.prepare(replace(made.frame, rgb=made.rgb), motion=False)
    path = preview_path(shot, number)
    make_folder(path.parent)
    io.write_png(path, shown.view.image.permute(1, 2, 0).cpu().numpy())
    return path


def _quickly_learnt(plan: Plan, device: str) -> Plan:
    """The plan of a shot with keys, which are learnt for a short time only unless they are learnt already."""
    from tsn.rendering.key_learning import is_learnt

    if is_learnt(make_engine(plan, device=device, calibrated=False), plan):
        return plan
    style = plan.shot.style
    return replace(plan, shot=replace(plan.shot, style=replace(style, learn=min(QUICK_LEARNING_S, style.learn))))
