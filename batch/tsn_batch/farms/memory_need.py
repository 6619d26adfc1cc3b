"""Estimate the memory of a task from frame size, channels, window, style and flow; measured by benchmarks/memory.py.

Without a request for memory, a farm puts as many tasks on a host as it has cores, and the kernel kills some of them.
The figures and their fit are in the documentation of the farm.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tsn import io
from tsn.rendering.plan import Plan, calibration_frames, longest_hold
from tsn.shot.model import Shot, Style
from tsn_batch.farms.options import FarmOptions

MIB = 2**20
START_BYTES = 1250 * MIB
"""Bytes of torch, its libraries and its kernels, before the first large frame."""
START_CUDA_BYTES = 2048 * MIB
"""The same with CUDA's libraries. Not measured."""
NET_BYTES_PER_PIXEL = 800
"""For each pixel that goes through a bundled net at once: those of a tile, or of the frame."""
OTHER_NET_BYTES_PER_PIXEL = 1500
"""The same for `adain` and for ONNX files, whose size is not known."""
FRAME_BYTES_PER_PIXEL = 120
"""For the frame that is being painted: its input and its result."""
MOTION_BYTES_PER_PIXEL = 60
"""For a pair of frames whose motion is estimated, and for the passes over the window."""
WINDOW_BYTES_PER_PIXEL = 85
"""For each frame of the window: the painted frame, its grain, and motion in both directions."""
STROKES_BYTES_PER_PIXEL, STROKES_WINDOW_BYTES_PER_PIXEL = 150, 65
"""Brush strokes: a frame that is being painted; and each frame of half the window, with what leads strokes in it and
the motion back from it."""
KEYS_BYTES_PER_PIXEL = 1200
"""Learnt keys: their net, the frames that it learns from, and what keys show, carried along the motion."""
SHARED_MOTION_BYTES_PER_PIXEL = 29
"""Layers: for each pair of frames whose motion waits for a layer with a shorter window."""
RAFT_BYTES_PER_PIXEL, RAFT_CELL_PIXELS, RAFT_COPIES = 150, 64, 3.5
"""RAFT: features; its cost volume compares all pairs of cells of 8x8 pixels, in float32, with this many copies."""
PLATE_FRAMES_IN_MEMORY = 8
"""Whole frames with all channels: read ahead, being painted, waiting to be written."""
CUT_BYTES_PER_PIXEL = 60
"""For a frame that is searched for cuts, one in each thread."""
SAFETY = 1.5
"""Factor between the estimate and the request."""
STEP_MIB = 256
"""Requests are multiples of this."""


@dataclass(frozen=True, kw_only=True)
class MemoryNeed:
    """The request of a task in MiB: memory of the host, and of the GPU if it gets one."""

    memory: int
    gpu_memory: int


def memory_need(plan: Plan, options: FarmOptions) -> MemoryNeed:
    """Estimate the memory of any step of a job: calibration reads a frame in each thread, a chunk holds a window.

    Args:
        options: with the device `auto` the estimate covers hosts with and without a GPU; `memory` replaces it.

    Raises:
        InputError: the first frame of the plate can't be read.
    """
    plate, working = _plate_frames(plan, options.threads), _working(plan.shot, _pixels(plan))
    on_cpu, beside_gpu = START_BYTES + plate + working, START_CUDA_BYTES + plate
    most = {"cpu": on_cpu, "auto": max(on_cpu, beside_gpu)}.get(options.device, beside_gpu)
    return MemoryNeed(memory=options.memory or _rounded(most), gpu_memory=_rounded(1024 * MIB + working))


def _pixels(plan: Plan) -> int:
    return plan.plate.canvas.width * plan.plate.canvas.height


def _plate_frames(plan: Plan, threads: int) -> int:
    """Bytes of the plate frames in memory, with all their channels."""
    number = calibration_frames(plan.plate.present)[0]
    found = io.probe(io.FrameSequence.parse(plan.shot.plate, base=Path()).path(number), layer=plan.shot.layer)
    stored = 4 * len(found.channels) * found.data_window.width * found.data_window.height
    return max(PLATE_FRAMES_IN_MEMORY * stored, threads * (stored + CUT_BYTES_PER_PIXEL * _pixels(plan)))


def _working(shot: Shot, pixels: int) -> int:
    """Bytes of the computation, on the CPU or the GPU."""
    layers = shot.by_layer
    size = max(_painting(layer.style, pixels) for layer in layers)  # one after the other
    size += FRAME_BYTES_PER_PIXEL * pixels * len(layers)
    size += (sum(map(_window, layers)) + _shared(shot)) * pixels
    if shot.needs_motion:
        size += MOTION_BYTES_PER_PIXEL * pixels
        if _raft(shot):
            seen = round(pixels * shot.flow.scale**2)
            size += RAFT_BYTES_PER_PIXEL * seen + round(4 * RAFT_COPIES * (seen // RAFT_CELL_PIXELS) ** 2)
    return size


def _painting(style: Style, pixels: int) -> int:
    """Bytes for the frame that is being painted."""
    from tsn.style.tiles import MAX_WHOLE_PIXELS

    painted, each = round(pixels * style.scale**2), NET_BYTES_PER_PIXEL
    names = style.blend or ([style.model] if style.model else [])
    other_net = style.adain is not None or any(".onnx" in name.lower() for name in names)
    if style.frames is not None:
        each = 0
    elif style.keys is not None:
        each = KEYS_BYTES_PER_PIXEL
    elif style.strokes is not None:
        each = STROKES_BYTES_PER_PIXEL
    elif other_net:
        each = OTHER_NET_BYTES_PER_PIXEL
    else:
        painted = min(painted, style.tile**2 or MAX_WHOLE_PIXELS)
    return each * painted


def _window(layer: Shot) -> int:
    """Bytes a pixel of what a layer keeps of the frames in its window."""
    window = layer.temporal.window
    if not window:
        return 0
    if layer.style.strokes is not None:
        return (window + longest_hold(layer)) * STROKES_WINDOW_BYTES_PER_PIXEL
    return 2 * window * WINDOW_BYTES_PER_PIXEL


def _shared(shot: Shot) -> int:
    """Bytes a pixel of the motion that is kept for the layers with shorter windows."""
    reaches = [layer.temporal.window + longest_hold(layer) for layer in shot.by_layer]
    return (max(reaches) - min(reaches)) * SHARED_MOTION_BYTES_PER_PIXEL


def _raft(shot: Shot) -> bool:
    """Whether RAFT may estimate the motion, if its weights are installed on the hosts as they are here."""
    from tsn.flow.raft_weights import installed_weights

    flow = shot.flow
    return flow.method == "raft" or (
        flow.method in ("auto", "vectors") and (flow.weights is not None or installed_weights() is not None)
    )


def _rounded(size: float) -> int:
    return -int(-size * SAFETY // (STEP_MIB * MIB)) * STEP_MIB
