"""What a shot's net learns from: frames with keys and without, with their AOVs and what keys show of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tsn import frames as ranges
from tsn import io
from tsn.keys.frame import GuidedFrame, Key
from tsn.keys.guides import Scaling, scale_guides, scaling_of
from tsn.rendering.engine import Engine, PreparedFrame
from tsn.rendering.key_frames import guides_of
from tsn.rendering.key_motion import KeyGuides
from tsn.rendering.plan import Plan

OTHERS_PIXELS = 8 * 2**21
"""Pixels of the frames without a key that the net is shown while it learns: 8 of 1080p."""
MIN_OTHERS, MAX_OTHERS = 2, 12
"""How many frames those are at least and at most."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What a net learns from.

    Attributes:
        examples: frames with a key, which shows itself there; then the same with what the other keys show of them.
        others: frames without a key.
        scaling: of the guides.
    """

    examples: Sequence[tuple[GuidedFrame, Key]]
    others: Sequence[GuidedFrame]
    scaling: Scaling


def gather(engine: Engine, plan: Plan, keys: Sequence[Key]) -> Lesson:
    """Read the frames that a net learns from, with their AOVs and what keys show of them."""
    style, paths = engine.shot.style, io.FrameSequence.parse(plan.shot.plate, base=Path())
    raw: dict[int, Tensor] = {}

    def prepared(number: int) -> PreparedFrame:
        frame = engine.read(paths.path(number), number)
        if number in wanted and number not in raw:
            raw[number] = guides_of(style, frame, engine.canvas)
        return engine.prepare(frame)

    numbers = [key.number for key in keys]
    rest = [number for number in plan.plate.present if number not in numbers]
    pixels = engine.canvas.width * engine.canvas.height
    count = min(len(rest), MAX_OTHERS, max(MIN_OTHERS, OTHERS_PIXELS // pixels))
    others = ranges.sample_frames(rest, count) if count else ()
    wanted = {*numbers, *others}
    with torch.inference_mode():
        shown = KeyGuides(engine, plan, {key.number: key for key in keys}, prepared)
        seen, carried = {}, {}
        for number in sorted(wanted):  # in order, so that keys are carried on from frame to frame
            seen[number] = prepared(number)
            left_out = number if number in numbers else None
            carried[number] = shown.at(number) if left_out is None else shown.carried_to(number, without=left_out)
        scaling = scaling_of([raw[number] for number in numbers])

        def guided(number: int, paint: Tensor, confidence: Tensor) -> GuidedFrame:
            return GuidedFrame(
                number=number,
                picture=seen[number].picture,
                guides=scale_guides(raw[number], scaling).to(engine.device),
                carried=paint,
                confidence=confidence,
                cover=seen[number].cover,
            )

        examples = [(guided(key.number, key.paint, key.weight), key) for key in keys]
        if len(keys) > 1:
            examples += [(guided(key.number, *carried[key.number]), key) for key in keys]
        return Lesson(
            examples=examples,
            others=[guided(number, *carried[number]) for number in sorted(others)],
            scaling=scaling,
        )
