"""What a render reports while it runs. In a module of its own, so that a process that only listens needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Event:
    """The progress of a render, for people and farms.

    Attributes:
        kind: "start" (total is known), "note" (a sentence for people), "frame" (one is finished), "done".
        done, total: frames finished so far, and to finish in all.
        frame: number of the frame.
        status: of a frame: "rendered", or "skipped" where it was finished before or the plate has none.
        seconds: wall time, of the frame or of the whole render.
        text: of a note.
        worker: the worker that it is from where there are several, such as "cuda:1" or "cpu 2".
        cover: share of the canvas inside the matte, 0 to 1, of a rendered frame; None without a matte.
        covers: the same for each layer, the lowest first, where the shot has some.
    """

    kind: Literal["start", "note", "frame", "done"]
    done: int = 0
    total: int = 0
    frame: int | None = None
    status: Literal["rendered", "skipped"] | None = None
    seconds: float = 0.0
    text: str = ""
    worker: str = ""
    cover: float | None = None
    covers: tuple[float | None, ...] = ()


Report = Callable[[Event], None]
"""A function that is called with each event."""
