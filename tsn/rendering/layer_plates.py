"""Plate frames for the layers of a shot: those whose windows move together read and prepare each frame once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tsn.io.frame import Frame
from tsn.rendering.engine import Engine, PreparedFrame
from tsn.rendering.plan import Plan
from tsn.rendering.plate_reader import PlateReader


class PreparedPlate:
    """Reads plate frames and prepares them, for layers that ask for the same frame one after another.

    The last frame is kept, in each way in which a layer wants it prepared. More are not: between layers with windows of
    different lengths there are so many frames that keeping them costs more than reading them again.

    Args:
        sharers: number of layers that ask; for a single one nothing is kept.
    """

    def __init__(self, reader: PlateReader, sharers: int) -> None:
        self.reader, self._sharers = reader, sharers
        self._last: Frame | None = None
        self._prepared: dict[tuple[bool, ...], PreparedFrame] = {}

    def get(self, engine: Engine, number: int) -> tuple[Frame, PreparedFrame]:
        """A plate frame, and as the engine of a layer prepares it; the frames after it are read meanwhile."""
        if self._sharers == 1:
            frame = self.reader.get(number)
            return frame, engine.prepare(frame)
        if self._last is None or self._last.number != number:
            self._last, self._prepared = self.reader.get(number), {}
        way = engine.preparation
        if way not in self._prepared:
            self._prepared[way] = engine.prepare(self._last)
        return self._last, self._prepared[way]


def plates_of_layers(engines: Sequence[Engine], plans: Sequence[Plan]) -> tuple[PreparedPlate, ...]:
    """For each layer where it gets its frames from: the same for those whose windows reach equally far at every frame.

    Readers look ahead, each from where its layers are.
    """
    reaches = [(plan.shot.temporal.window, plan.shot.style.hold) for plan in plans]
    found: dict[object, PreparedPlate] = {}
    for reach, engine, plan in zip(reaches, engines, plans, strict=True):
        if reach not in found:
            found[reach] = PreparedPlate(PlateReader(engine, plan), reaches.count(reach))
    return tuple(found[reach] for reach in reaches)


def prepare_once(frame: Frame) -> Callable[[Engine], PreparedFrame]:
    """A function that prepares a frame for its output, for each layer, once in each way."""
    made: dict[tuple[bool, ...], PreparedFrame] = {}

    def prepared(engine: Engine) -> PreparedFrame:
        way = engine.preparation
        if way not in made:
            made[way] = engine.prepare(frame, motion=False)
        return made[way]

    return prepared
