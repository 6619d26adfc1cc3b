"""One output frame: stable paint brought back to the plate's colours, composited by strength and matte."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from torch import Tensor

from tsn import colour, io
from tsn.io.frame import Frame, blank_like
from tsn.rendering.compositing import LayerPaint, composite
from tsn.rendering.engine import Engine, matte_coverage
from tsn.rendering.layer_engines import fingerprint_of
from tsn.rendering.layer_plates import prepare_once
from tsn.rendering.layers import Layer, make_layers, slide_together
from tsn.rendering.paint_sharing import SharingPainter
from tsn.rendering.plan import Plan
from tsn.shot.model import to_json


class RenderState:
    """The engines of a shot with the plate frames and the paint in memory.

    Args:
        engines: of each layer, the lowest first.

    Attributes:
        layers: of the shot, the lowest first.
    """

    def __init__(self, engines: Sequence[Engine], plan: Plan) -> None:
        self.layers, self._plates = make_layers(engines, plan)

    def reread(self, number: int) -> Frame:
        """A plate frame that was read before, for its output."""
        return self._plates[0].reader.reread(number)

    def paint_ahead(self, number: int) -> None:
        """Paint a frame, and hand its paint over, in the layers whose painters share it with other workers."""
        frame: Frame | None = None
        for engine in (layer.engine for layer in self.layers):
            if isinstance(engine.painter, SharingPainter):
                if frame is None:
                    frame = self._plates[0].reader.get(number)
                    prepared = prepare_once(frame)
                engine.painter.ahead(engine.painter_input(prepared(engine)), number)

    def close(self) -> None:
        """End the threads that read the plate."""
        for plates in self._plates:
            plates.reader.close()


@dataclass(frozen=True, kw_only=True)
class OutputFrame:
    """One output frame: the plate frame it is written into, and what replaces or joins the plate's own.

    Attributes:
        frame: with the output's alpha.
        rgb: (H, W, 3), float32, or as stored.
        cover: the share of the canvas inside the matte; None without a matte.
        covers: the same for each layer, where the shot has some.
        note: for the artist.
        layers: channels of the paint (`style.aovs`).
    """

    frame: Frame
    rgb: np.ndarray
    cover: float | None = None
    covers: tuple[float | None, ...] = ()
    note: str | None = None
    layers: Mapping[str, np.ndarray] = field(default_factory=dict)


def make_output_frame(plan: Plan, state: RenderState, number: int) -> OutputFrame:
    """An output frame, painted where the shot asks for it."""
    source = plan.source_of(number)
    assert source is not None
    frame = state.reread(source)
    if source != number:
        if plan.shot.missing == "black":
            black = blank_like(frame, number)
            return OutputFrame(frame=black, rgb=black.rgb, layers=_no_paint(state, frame))
        frame = replace(frame, number=number)
    shares, amounts = _amounts(state, frame)
    covers = tuple(shares) if plan.shot.layers else ()
    share = None if plan.shot.layers else shares[0]
    if not amounts:
        return OutputFrame(frame=frame, rgb=frame.rgb, cover=share, covers=covers, layers=_no_paint(state, frame))
    prepared = prepare_once(frame)
    slide_together(amounts, source)
    paints = []
    for layer, amount in amounts.items():
        painted, coverage = layer.paint(source)
        ready = prepared(layer.engine)
        paints.append(
            LayerPaint(engine=layer.engine, prepared=ready, painted=painted, amount=amount, coverage=coverage)
        )
    made, canvas = composite(paints), plan.plate.canvas
    stored = paints[0].prepared.source
    count = int(colour.nonfinite_mask(stored).sum())
    note = (
        f"Frame {number}: {count} pixels with NaN or Inf were painted around and left as they were." if count else None
    )
    mixed = io.crop(made.rgb.permute(1, 2, 0).cpu().numpy(), canvas, frame.data_window)
    # Outside the canvas, and where nothing was painted, the stored bits stay.
    touched = io.crop((made.rgb != stored).any(0).cpu().numpy(), canvas, frame.data_window)
    kept = ~(touched[..., None] & np.isfinite(frame.rgb).all(-1, keepdims=True))
    seen = dict(zip(amounts, made.seen, strict=True))
    layers = {name: values for each in state.layers for name, values in _aovs(each, frame, source, seen).items()}
    if made.alpha_left is not None and frame.alpha is not None:
        through = io.crop(made.alpha_left[0].cpu().numpy(), canvas, frame.data_window)
        frame = replace(frame, alpha=np.where(through == 1, frame.alpha, frame.alpha * through))
    rgb = np.where(kept, frame.rgb, mixed)
    return OutputFrame(frame=frame, rgb=rgb, cover=share, covers=covers, note=note, layers=layers)


def _amounts(state: RenderState, frame: Frame) -> tuple[list[float | None], dict[Layer, Tensor | float]]:
    """Of each layer the share of the canvas inside its matte; and strength times matte of those that paint here."""
    shares: list[float | None] = []
    amounts: dict[Layer, Tensor | float] = {}
    for layer in state.layers:
        strength, cover = layer.engine.shot.style.strength.at(frame.number), layer.engine.matte_of(frame)
        shares.append(None if cover is None else matte_coverage(cover))
        if strength != 0 and shares[-1] != 0:
            amounts[layer] = strength if cover is None else strength * cover
    return shares, amounts


def _no_paint(state: RenderState, frame: Frame) -> dict[str, np.ndarray]:
    return {name: values for each in state.layers for name, values in each.aovs(frame, None, 0).items()}


def _aovs(layer: Layer, frame: Frame, source: int, seen: Mapping[Layer, Tensor | float]) -> Mapping[str, np.ndarray]:
    return layer.aovs(frame, source, seen[layer]) if layer in seen else layer.aovs(frame, None, 0)


def provenance(plan: Plan, engines: Sequence[Engine], number: int) -> Mapping[str, str]:
    """The `tsn:` attributes in the header of an output frame: enough to render it again.

    They are the same on every host with the same kind of device and processor. `tsn:style` and `tsn:styleSha256` list
    the layers of a shot, the lowest first.
    """
    shot, source = to_json(plan.canonical_shot), plan.source_of(number)
    assert source is not None, "frames without a source aren't written"
    painted = plan.plate.painted_by_layer
    styles = [marks.get(source, engine.fingerprint[0]) for marks, engine in zip(painted, engines, strict=True)]
    fingerprint = fingerprint_of(plan, [engine.fingerprint for engine in engines])
    return {
        "tsn:version": plan.tsn,
        "tsn:shot": json.dumps(shot, sort_keys=True),
        "tsn:shotSha256": plan.canonical_shot.digest,
        "tsn:style": "; ".join(engine.painter.name for engine in engines),
        "tsn:styleSha256": "; ".join(styles),
        "tsn:flow": engines[0].flow.name,
        "tsn:device": engines[0].device.type,
        "tsn:frameSha256": plan.frame_hash(number, *fingerprint),
    }
