"""The layers of a shot while it is rendered: each with its engine and its stable paint. A plain shot has one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from tsn.io.frame import Frame
from tsn.rendering.engine import Engine, PreparedFrame
from tsn.rendering.layer_plates import PreparedPlate, plates_of_layers
from tsn.rendering.motion import SharedMotion, TakeMotion
from tsn.rendering.plan import Plan, longest_hold
from tsn.rendering.stream import Stream

if TYPE_CHECKING:  # numba takes a second, and most shots have no strokes
    from tsn.rendering.stroke_stream import StrokeStream
    from tsn.strokes.frame import StrokeFrame


class Layer:
    """A style on its objects.

    Args:
        plan: of this layer (`Plan.by_layer`).
        plates: where its frames come from.
        motion: cuts and motion, where other layers need them too.

    Attributes:
        engine: of this layer.
        stream: its paint.
    """

    def __init__(self, engine: Engine, plan: Plan, plates: PreparedPlate, motion: TakeMotion | None) -> None:
        self.engine, self.plan = engine, plan
        self.stream: Stream | StrokeStream = _stream(engine, plan, plates, motion)

    def paint(self, number: int) -> tuple[Tensor, Tensor | None]:
        """Stable paint of a plate frame, style space (3, H, W), and its coverage (1, H, W) if its ground is nothing."""
        if isinstance(self.stream, Stream):
            return self.stream.painted(number), None
        return self.stream.painted(number), self.stream.coverage(number)

    def aovs(self, frame: Frame, source: int | None, amount: Tensor | float) -> Mapping[str, np.ndarray]:
        """The channels of the paint that the style asks for; 0 where `source`, the painted frame, is None.

        Args:
            frame: the output's.
            amount: how far the paint is seen, (1, H, W) on the canvas or a number.
        """
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


def make_layers(engines: Sequence[Engine], plan: Plan) -> tuple[tuple[Layer, ...], tuple[PreparedPlate, ...]]:
    """The layers of a shot, the lowest first, and where the plate frames of each come from."""
    plans = plan.by_layer
    plates = plates_of_layers(engines, plans)
    reaches = [layer.shot.temporal.window + longest_hold(layer.shot) for layer in plans]
    motion = SharedMotion(engines[0], plan, pairs=max(reaches) - min(reaches) + 2) if len(plans) > 1 else None
    layers = zip(engines, plans, plates, strict=True)
    return tuple(Layer(engine, layer, prepared, motion) for engine, layer, prepared in layers), plates


def slide_together(layers: Iterable[Layer], number: int) -> None:
    """Let layers take in the frames around one side by side, so that what one of them found the next ones use."""
    ways = [layer.stream.slide(number) for layer in layers]
    ahead = {place: frame for place, way in enumerate(ways) if (frame := next(way, None)) is not None}
    while ahead:
        place = min(ahead, key=lambda each: (ahead[each], each))
        frame = next(ways[place], None)
        if frame is None:
            del ahead[place]
        else:
            ahead[place] = frame


def _stream(engine: Engine, plan: Plan, plates: PreparedPlate, motion: TakeMotion | None) -> Stream | StrokeStream:
    if engine.shot.style.keys is not None:
        from tsn.rendering.key_stream import KeyStream

        return KeyStream(engine, plan, lambda number: plates.get(engine, number), motion)
    if engine.shot.style.strokes is None:
        return Stream(engine, plan, lambda number: plates.get(engine, number)[1], motion)
    from tsn.rendering.stroke_frames import stroke_frame
    from tsn.rendering.stroke_stream import StrokeStream

    def prepared(number: int) -> tuple[PreparedFrame, StrokeFrame]:
        frame, found = plates.get(engine, number)
        return found, stroke_frame(engine, frame, found)

    return StrokeStream(engine, plan, prepared, motion)
