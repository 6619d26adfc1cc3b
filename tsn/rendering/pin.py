"""Look at a whole shot once, and write calibration and cuts into its plan (the farm step `survey`).

Both are functions of the plate, so a worker without pins finds the same; with them it need not read the calibration
frames, and a worker with another processor can't find something slightly different.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from tsn import io
from tsn.cpu_quota import thread_count
from tsn.flow.base import FlowSource
from tsn.rendering.engine import Engine, make_engine, take_calibration, with_calibration
from tsn.rendering.layer_engines import fingerprint_of, motion_highlights, once
from tsn.rendering.plan import Pins, Plan
from tsn.style.painter import Unfrozen
from tsn.temporal.cuts import cut_thumbnail, is_cut

BATCH_FRAMES = 32
"""Read and made small at the same time, before cuts are looked for in them."""


def pin(plan: Plan, *, device: str = "auto", note: Callable[[str], None] = lambda text: None) -> Plan:
    """The plan with its pins, found now on this host.

    Args:
        device: `auto`, `cpu`, `cuda:0`.
        note: called with a sentence about what is going on.

    Raises:
        TsnError: of any kind; a fault of the shot shows here, before the farm gets any work.
    """
    bare, note = replace(plan, pins=None), once(note)
    cuts: tuple[int, ...] | None = None
    layers: list[Pins] = []
    flow: tuple[FlowSource, str] | None = None
    for layer in bare.by_layer:
        seen = motion_highlights(plan.shot)
        engine = make_engine(layer, device=device, note=note, calibrated=False, flow=flow, motion_highlights=seen)
        flow = engine.flow, engine.flow_reason
        layers.append(_pins(engine, layer, note))
        if cuts is None and layer.shot.temporal.cuts == "auto" and layer.shot.needs_motion:
            cuts = find_cuts(engine, bare)
            note(f"Cuts found: {', '.join(map(str, cuts)) or 'none'}.")
    pins = [replace(each, cuts=cuts) for each in layers]
    if not plan.shot.layers:
        return replace(plan, pins=pins[0])
    painter, source, space, kind = fingerprint_of(plan, [each.fingerprint for each in pins])
    whole = Pins(
        device=kind, painter=painter, flow=source, colour=space, cuts=cuts, calibration=None, layers=tuple(pins)
    )
    return replace(plan, pins=whole)


def _pins(engine: Engine, plan: Plan, note: Callable[[str], None]) -> Pins:
    """What is found for one layer, all but the cuts."""
    fingerprint, calibration = engine.fingerprint, None
    if isinstance(engine.painter, Unfrozen):
        taken = take_calibration(engine, plan, note)
        fingerprint = with_calibration(fingerprint, taken, engine.painter)
        calibration = b64encode(save({name: tensor.contiguous() for name, tensor in taken.tensors.items()})).decode()
    painter, flow, space, kind = fingerprint
    return Pins(device=kind, painter=painter, flow=flow, colour=space, cuts=None, calibration=calibration)


def find_cuts(engine: Engine, plan: Plan) -> tuple[int, ...]:
    """First frames of new takes among the frames that the plan's chunks read; two neighbours decide each."""
    reads = {number for chunk in plan.chunks for number in chunk.reads}
    needed = [number for number in plan.plate.present if number in reads]
    starts = {take[0] for take in plan.takes}
    place = {number: index for index, number in enumerate(plan.plate.present)}
    found = []
    with torch.inference_mode():
        for (before, first), (number, second) in pairwise(_small(engine, plan, needed)):
            neighbours = place[number] == place[before] + 1 and number not in starts
            if neighbours and is_cut(first, second):
                found.append(number)
    return tuple(found)


def _small(engine: Engine, plan: Plan, numbers: Sequence[int]) -> Iterator[tuple[int, Tensor]]:
    """(Number, picture) of frames in style space at the size that cuts are found at."""
    paths = io.FrameSequence.parse(plan.shot.plate, base=Path())

    def one(number: int) -> Tensor:
        with torch.inference_mode():  # holds for one thread only
            return cut_thumbnail(engine.prepare(engine.read(paths.path(number), number), motion=False).view.image)

    with ThreadPoolExecutor(thread_count()) as pool:
        for start in range(0, len(numbers), BATCH_FRAMES):
            batch = numbers[start : start + BATCH_FRAMES]
            yield from zip(batch, pool.map(one, batch), strict=True)
