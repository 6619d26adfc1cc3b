"""The temporal window over the paint of learnt keys, each frame with its AOVs and the paint that keys show of it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from tsn.io.frame import Frame
from tsn.keys.frame import GuidedFrame
from tsn.keys.guides import scale_guides
from tsn.keys.painter import LearntKeyPainter
from tsn.rendering.engine import Engine, PreparedFrame
from tsn.rendering.key_files import key_files, key_mattes
from tsn.rendering.key_frames import guides_of, read_keys
from tsn.rendering.key_motion import KeyGuides
from tsn.rendering.motion import SharedTakeMotion
from tsn.rendering.plan import Plan
from tsn.rendering.stream import Stream


class KeyStream(Stream):
    """Stable paint of a shot that is painted by its keys.

    Args:
        read: a function that reads the plate frame of a number.
    """

    def __init__(self, engine: Engine, plan: Plan, read: Callable[[int], Frame]) -> None:
        super().__init__(engine, plan, self._prepare, SharedTakeMotion(engine, plan))
        assert isinstance(engine.painter, LearntKeyPainter)
        self._read, self._painter = read, engine.painter
        self._guides: dict[int, Tensor] = {}  # of frames that are prepared and not painted yet
        keys = read_keys(engine, plan, key_files(plan.shot, engine.painter.painted), key_mattes(plan.shot))
        self._shown = KeyGuides(engine, plan, keys, lambda number: engine.prepare(read(number)), self._between)

    def _prepare(self, number: int) -> PreparedFrame:
        frame = self._read(number)
        self._guides[number] = guides_of(self._engine.shot.style, frame, self._engine.canvas)
        return self._engine.prepare(frame)

    def _paint_unchecked(self, prepared: PreparedFrame) -> Tensor:
        number = prepared.view.number
        carried, confidence = self._shown.at(number)
        guides = scale_guides(self._guides.pop(number), self._painter.scaling)
        return self._painter.paint_guided(
            GuidedFrame(
                number=number,
                picture=prepared.picture,
                guides=guides.to(prepared.picture.device),
                carried=carried,
                confidence=confidence,
                cover=prepared.cover,
            )
        )
