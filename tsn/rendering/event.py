"""What a render tells while it runs. It lives apart from the renderer, so that who only listens needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something a person or a farm wants to know.

    Attributes:
        kind: "start" (total known), "note" (a sentence), "frame" (one is finished), "done".
        status: of a frame: "rendered", or "skipped" where it was finished before or the plate has none.
        worker: which of several it is from, such as "cuda:1" or "cpu 2".
        cover: of a rendered frame, the share of the canvas that the matte lets through; None without a matte.
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


Report = Callable[[Event], None]
