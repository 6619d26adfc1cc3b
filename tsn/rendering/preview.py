"""One frame as a picture, in seconds: painted by itself, without the temporal window, as an artist wants to see it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch

from tsn import io
from tsn.errors import UsageError
from tsn.rendering.inspect import inspect
from tsn.rendering.layer_engines import make_engines
from tsn.rendering.output import make_folder
from tsn.rendering.output_frame import RenderState, make_output_frame
from tsn.rendering.plan import Plan, make_plan
from tsn.shot.model import Shot, Style

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
    shot = _without_window(shot)
    plan = make_plan(shot, inspect(shot))
    if plan.source_of(number) is None or number not in plan.plate.frames:
        frames = f"{plan.plate.frames[0]} to {plan.plate.frames[-1]}"
        raise UsageError(f"--preview {number}: the shot has no such frame.", hint=f"It has {frames}.")
    plan = _quickly_learnt(plan, device)
    state = RenderState(make_engines(plan, device=device, note=note), plan)
    with torch.inference_mode(), closing(state):
        made = make_output_frame(plan, state, number)
        shown = state.layers[0].engine.prepare(replace(made.frame, rgb=made.rgb), motion=False)
    path = preview_path(shot, number)
    make_folder(path.parent)
    engine = state.layers[0].engine
    io.write_png(path, io.place(shown.view.image.permute(1, 2, 0).cpu().numpy(), engine.canvas, engine.display_window))
    return path


def _quickly_learnt(plan: Plan, device: str) -> Plan:
    """The plan with a short time to learn its keys, unless they are learnt already."""
    if all(layer.style.keys is None for layer in plan.shot.by_layer):
        return plan
    from tsn.rendering.key_learning import is_learnt

    engines = make_engines(plan, device=device, calibrated=False)
    if all(is_learnt(engine, layer) for engine, layer in zip(engines, plan.by_layer, strict=True)):
        return plan

    def quick(style: Style) -> Style:
        return replace(style, learn=min(QUICK_LEARNING_S, style.learn))

    layers = tuple(replace(layer, style=quick(layer.style)) for layer in plan.shot.layers)
    return replace(plan, shot=replace(plan.shot, style=quick(plan.shot.style), layers=layers))


def _without_window(shot: Shot) -> Shot:
    layers = tuple(replace(layer, temporal=replace(layer.temporal, window=0)) for layer in shot.layers)
    return replace(shot, temporal=replace(shot.temporal, window=0), layers=layers)
