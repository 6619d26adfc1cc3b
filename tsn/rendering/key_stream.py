"""The temporal window over the paint of learnt keys, each frame with its AOVs and the paint that keys show of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from tsn import io
from tsn.io.frame import Frame
from tsn.keys.frame import GuidedFrame
from tsn.keys.guides import scale_guides
from tsn.keys.painter import LearntKeyPainter
from tsn.rendering.engine import Engine, PreparedFrame
from tsn.rendering.key_files import key_files, key_mattes
from tsn.rendering.key_frames import KeysOnDisk, guides_of
from tsn.rendering.key_motion import KeyGuides
from tsn.rendering.motion import SharedMotion, TakeMotion
from tsn.rendering.plan import Plan
from tsn.rendering.stream import Stream


class KeyStream(Stream):
    """Stable paint of a shot that is painted by its keys.

    Args:
        plate: a function that reads and prepares the frame of a number.
        motion: cuts and motion, where other layers of the shot need them too.
    """

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        plate: Callable[[int], tuple[Frame, PreparedFrame]],
        motion: TakeMotion | None = None,
    ) -> None:
        # Window and keys go through a shot side by side and ask for the same pairs of frames.
        super().__init__(engine, plan, self._prepare, SharedMotion(engine, plan, pairs=2) if motion is None else motion)
        assert isinstance(engine.painter, LearntKeyPainter)
        self._plate, self._painter = plate, engine.painter
        self._prepared_last: PreparedFrame | None = None
        self._guides: dict[int, Tensor] = {}  # of frames that are prepared and not painted yet
        self._paths = io.FrameSequence.parse(plan.shot.plate, base=Path())
        keys = KeysOnDisk(engine, plan, key_files(plan.shot, engine.painter.painted), key_mattes(plan.shot))
        self._shown = KeyGuides(engine, plan, keys, self._beside, self._between)

    def _prepare(self, number: int) -> PreparedFrame:
        frame, prepared = self._plate(number)
        self._prepared_last = prepared
        self._guides[number] = guides_of(self._engine.shot.style, frame, self._engine.canvas)
        return prepared

    def _beside(self, number: int) -> PreparedFrame:
        """A frame on the way to a key; it does not disturb the plate's reader, which reads ahead of the window."""
        if self._prepared_last is not None and self._prepared_last.view.number == number:
            return self._prepared_last
        return self._engine.prepare(self._engine.read(self._paths.path(number), number))

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
