"""The report of `tsn render --dry-run`, made without loading torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tsn import frames as ranges
from tsn.io.sequence import FrameSequence
from tsn.rendering.plan import Plan
from tsn.rendering.plan_file import to_dict
from tsn_batch.cli.plan_report import Finding, describe_plan


def as_text(plan: Plan, device: str) -> str:
    """A line for each fact, then a line for each chunk. Raises as `describe_plan` does."""
    outputs = FrameSequence.parse(plan.shot.output, base=Path())
    lines = [f"{subject:8}  {finding}" for subject, finding in _facts(plan, device)]
    if written := plan.output_frames:
        lines += [f"{'writes':8}  {outputs.path(written[0])}", f"{'to':8}  {outputs.path(written[-1])}"]
    for chunk in plan.chunks:
        lines.append(f"chunk {chunk.index}  {ranges.compact(chunk.frames)}, reading {ranges.compact(chunk.reads)}")
    return "\n".join([*lines, "Nothing was written."])


def as_json(plan: Plan, device: str) -> str:
    """The plan as one JSON object, with `device`, `facts` and `outputs`, which maps frames to paths."""
    outputs = FrameSequence.parse(plan.shot.output, base=Path())
    more = {
        "device": device,
        "facts": dict(_facts(plan, device)),
        "outputs": {str(number): str(outputs.path(number)) for number in plan.output_frames},
    }
    return json.dumps(to_dict(plan) | more)


def _facts(plan: Plan, device: str) -> Iterator[Finding]:
    yield from describe_plan(plan)
    yield "flow", _flow(plan)
    yield "device", device


def _flow(plan: Plan) -> str:
    """The source of motion that `tsn.flow.factory` would choose, found without loading the estimator."""
    from tsn.flow.raft_weights import installed_weights

    flow = plan.shot.flow
    if not plan.shot.needs_motion:
        return "none: every frame is painted by itself"
    if flow.vectors is not None and flow.method in ("auto", "vectors"):
        return f"the renderer's vectors in {flow.vectors.layer}"
    if flow.method != "auto":
        return flow.method
    return "raft" if flow.weights or installed_weights() else "dis, since there are no RAFT weights"
