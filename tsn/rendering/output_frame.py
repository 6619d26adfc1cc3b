"""One output frame: stable paint brought back to the plate's colours, composited by strength and matte."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tsn import alpha, colour, io
from tsn.io.frame import Frame, blank_like
from tsn.rendering.engine import Engine, PreparedFrame, matte_coverage
from tsn.rendering.plan import Plan
from tsn.rendering.plate_reader import PlateReader
from tsn.rendering.stream import Stream
from tsn.shot.model import to_json

if TYPE_CHECKING:  # numba takes a second, and most shots have no strokes
    from tsn.rendering.stroke_stream import StrokeStream
    from tsn.strokes.frame import StrokeFrame


class RenderState:
    """An engine with the plate frames and the paint in memory.

    Attributes:
        plates: reads the plate, some frames ahead; to be closed.
    """

    def __init__(self, engine: Engine, plan: Plan) -> None:
        self.engine = engine
        self.plates = PlateReader(engine, plan)
        self.stream: Stream | StrokeStream = self._stream(plan)

    def paint(self, number: int) -> tuple[Tensor, Tensor | None]:
        """Stable paint of a plate frame, style space (3, H, W), and its coverage (1, H, W) if its ground is nothing."""
        if isinstance(self.stream, Stream):
            return self.stream.painted(number), None
        return self.stream.painted(number), self.stream.coverage(number)

    def layers(self, frame: Frame, source: int | None, amount: Tensor | float) -> Mapping[str, np.ndarray]:
        """The channels of the paint that the shot asks for; 0 where `source`, the painted frame, is None."""
        wanted = self.engine.shot.style.aovs
        if not wanted:
            return {}
        from tsn.rendering.stroke_layers import stroke_layers

        assert not isinstance(self.stream, Stream)  # `aovs` goes with strokes only
        return stroke_layers(
            wanted,
            None if source is None else self.stream.paint(source),
            amount if isinstance(amount, float | int) else amount[0].cpu().numpy(),
            canvas=self.engine.canvas,
            window=frame.data_window,
            lines=self.engine.display_window.height,
        )

    def _stream(self, plan: Plan) -> Stream | StrokeStream:
        engine, plates = self.engine, self.plates
        if engine.shot.style.keys is not None:
            from tsn.rendering.key_stream import KeyStream

            return KeyStream(engine, plan, plates.get)
        if engine.shot.style.strokes is None:
            return Stream(engine, plan, lambda number: engine.prepare(plates.get(number)))
        from tsn.rendering.stroke_frames import stroke_frame
        from tsn.rendering.stroke_stream import StrokeStream

        def prepared(number: int) -> tuple[PreparedFrame, StrokeFrame]:
            frame = plates.get(number)
            found = engine.prepare(frame)
            return found, stroke_frame(engine, frame, found)

        return StrokeStream(engine, plan, prepared)


@dataclass(frozen=True, kw_only=True)
class OutputFrame:
    """One output frame: the plate frame it is written into, and what replaces or joins the plate's own.

    Attributes:
        frame: with the output's alpha.
        rgb: (H, W, 3), float32, or as stored.
        cover: the share of the canvas inside the matte; None without a matte.
        note: for the artist.
        layers: channels of the paint (`style.aovs`).
    """

    frame: Frame
    rgb: np.ndarray
    cover: float | None = None
    note: str | None = None
    layers: Mapping[str, np.ndarray] = field(default_factory=dict)


def make_output_frame(plan: Plan, state: RenderState, number: int) -> OutputFrame:
    """An output frame, painted where the shot asks for it."""
    engine, source = state.engine, plan.source_of(number)
    assert source is not None
    frame = state.plates.reread(source)
    if source != number:
        if plan.shot.missing == "black":
            black = blank_like(frame, number)
            return OutputFrame(frame=black, rgb=black.rgb, layers=state.layers(frame, None, 0))
        frame = replace(frame, number=number)
    strength = plan.shot.style.strength.at(number)
    cover = engine.matte_of(frame)
    share = None if cover is None else matte_coverage(cover)
    if strength == 0 or share == 0:
        return OutputFrame(frame=frame, rgb=frame.rgb, cover=share, layers=state.layers(frame, None, 0))
    prepared = engine.prepare(frame, motion=False)
    painted, coverage = state.paint(source)
    amount = strength if cover is None else strength * cover
    rgb = paint_plate(engine, prepared, painted, amount, coverage)
    broken = colour.nonfinite_mask(prepared.source)
    count = int(broken.sum())
    note = (
        f"Frame {number}: {count} pixels with NaN or Inf were painted around and left as they were." if count else None
    )
    mixed = io.crop(rgb.permute(1, 2, 0).cpu().numpy(), engine.canvas, frame.data_window)
    # Outside the canvas, and where nothing was painted, the stored bits stay.
    touched = io.crop((rgb != prepared.source).any(0).cpu().numpy(), engine.canvas, frame.data_window)
    kept = ~(touched[..., None] & np.isfinite(frame.rgb).all(-1, keepdims=True))
    layers = state.layers(frame, source, amount)
    if coverage is not None and frame.alpha is not None:
        hidden = torch.where(broken, 0.0, amount * (1 - coverage))
        through = io.crop((1 - hidden)[0].cpu().numpy(), engine.canvas, frame.data_window)
        frame = replace(frame, alpha=np.where(through == 1, frame.alpha, frame.alpha * through))
    return OutputFrame(frame=frame, rgb=np.where(kept, frame.rgb, mixed), cover=share, note=note, layers=layers)


def paint_plate(
    engine: Engine,
    prepared: PreparedFrame,
    painted: Tensor,
    amount: Tensor | float,
    coverage: Tensor | None = None,
) -> Tensor:
    """Bring paint back from style space and composite it over the plate.

    Args:
        painted: style space, (3, H, W).
        amount: strength times matte, a number or (1, H, W), 0 to 1.
        coverage: of paint that leaves its ground transparent, (1, H, W); None where it covers all.

    Returns:
        Plate values (3, H, W), premultiplied where the plate is; the source's own bits where the amount is 0.
    """
    plate = engine.paint_codec.from_style(painted, prepared.reference)
    if prepared.alpha is not None:
        plate = alpha.premultiply(plate, prepared.alpha)
        plate = plate if coverage is None else plate * coverage
        amount = amount * alpha.paint_mask(prepared.source, prepared.alpha)
    amount = torch.where(colour.nonfinite_mask(prepared.source), 0.0, amount)
    return alpha.composite(prepared.source, plate, amount)


def provenance(plan: Plan, engine: Engine, number: int) -> Mapping[str, str]:
    """The `tsn:` attributes in the header of an output frame: enough to render it again.

    They are the same on every host with the same kind of device and processor.
    """
    shot, source = to_json(plan.canonical_shot), plan.source_of(number)
    assert source is not None, "frames without a source aren't written"
    style = plan.plate.painted.get(source, engine.fingerprint[0])
    return {
        "tsn:version": plan.tsn,
        "tsn:shot": json.dumps(shot, sort_keys=True),
        "tsn:shotSha256": plan.canonical_shot.digest,
        "tsn:style": engine.painter.name,
        "tsn:styleSha256": style,
        "tsn:flow": engine.flow.name,
        "tsn:device": engine.device.type,
        "tsn:frameSha256": plan.frame_hash(number, *engine.fingerprint),
    }
