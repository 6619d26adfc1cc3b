"""What memory a task needs, by frame size, channels, window, paint and flow: measured by benchmarks/memory.py.

A farm that isn't told puts as many tasks on a host as it has cores, and the kernel kills them for memory. The figures
and how well they fit are in docs/farm.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tsn import io
from tsn.rendering.plan import Plan, calibration_frames
from tsn.shot.model import Shot
from tsn_batch.options import Options

MIB = 2**20
START = 1250 * MIB
"""torch, its libraries and its kernels, before the first large frame."""
START_CUDA = 2048 * MIB
"""The same with CUDA's libraries. Not measured."""
PAINT = 800
"""Bytes a pixel that goes through a net at once: of a tile, or of the frame."""
ANY_PAINTING = 1500
"""The same for `adain`, and for nets of others, of which nothing is known."""
FRAME = 120
"""Bytes a pixel of the frame that is painted, before and after."""
MOTION = 60
"""Bytes a pixel for a pair of frames, and for the passes over the window."""
HELD = 85
"""Bytes a pixel for each frame of the window: paint, its grain, motion both ways."""
RAFT, RAFT_CELL, RAFT_COPIES = 150, 64, 3.5
"""Bytes a pixel for RAFT's features; it compares every cell of 8x8 pixels with every other, a float each, in levels
and on its way."""
AT_HAND = 8
"""Whole frames with all their channels: read ahead, being painted, waiting to be written."""
SMALL = 60
"""Bytes a pixel of a frame that is looked at for cuts, one in each thread."""
SAFETY = 1.5
STEP = 256
"""MiB: asked for in round numbers."""


@dataclass(frozen=True, kw_only=True)
class Needs:
    """MiB to ask for: on the host, and on the GPU of a task that gets one."""

    memory: int
    gpu_memory: int


def needs(plan: Plan, options: Options) -> Needs:
    """Of every step of a job: the survey reads a frame in each thread, and paints; a chunk holds a window.

    Args:
        options: `auto` is provided for with a GPU and without; what the person says of memory counts.

    Raises:
        InputError: the first frame of the plate can't be read.
    """
    held, working = _frames(plan, options.threads), _working(plan.shot, _pixels(plan))
    on_cpu, beside_gpu = START + held + working, START_CUDA + held
    most = {"cpu": on_cpu, "auto": max(on_cpu, beside_gpu)}.get(options.device, beside_gpu)
    return Needs(memory=options.memory or _rounded(most), gpu_memory=_rounded(1024 * MIB + working))


def _pixels(plan: Plan) -> int:
    return plan.plate.canvas.width * plan.plate.canvas.height


def _frames(plan: Plan, threads: int) -> int:
    """Bytes of plate frames as they are stored, whichever their channels are."""
    number = calibration_frames(plan.plate.present)[0]
    found = io.probe(io.FrameSequence.parse(plan.shot.plate, base=Path()).path(number), layer=plan.shot.layer)
    stored = 4 * len(found.channels) * found.data_window.width * found.data_window.height
    return max(AT_HAND * stored, threads * (stored + SMALL * _pixels(plan)))


def _working(shot: Shot, pixels: int) -> int:
    """Bytes of what is computed, on whichever device that is."""
    from tsn.style.tiles import MAX_WHOLE_PIXELS

    style, window = shot.style, shot.temporal.window
    painted, each = round(pixels * style.scale**2), PAINT
    names = style.blend or ([style.model] if style.model else [])
    foreign = style.adain is not None or any(".onnx" in name.lower() for name in names)
    if style.frames is not None:
        each = 0
    elif foreign:
        each = ANY_PAINTING
    else:
        painted = min(painted, style.tile**2 or MAX_WHOLE_PIXELS)
    made = each * painted + FRAME * pixels
    if window:
        made += (MOTION + 2 * window * HELD) * pixels
        if _raft(shot):
            seen = round(pixels * shot.flow.scale**2)
            made += RAFT * seen + round(4 * RAFT_COPIES * (seen // RAFT_CELL) ** 2)
    return made


def _raft(shot: Shot) -> bool:
    """Whether RAFT may estimate the motion; on the hosts its weights are expected where they are here."""
    from tsn.flow.raft_weights import installed_weights

    flow = shot.flow
    return flow.method == "raft" or (
        flow.method in ("auto", "vectors") and (flow.weights is not None or installed_weights() is not None)
    )


def _rounded(size: float) -> int:
    return -int(-size * SAFETY // (STEP * MIB)) * STEP
