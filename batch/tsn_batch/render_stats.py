"""The events of one render, counted and summed up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass, field
from statistics import median

from tsn.rendering.event import Event
from tsn_batch.wording import format_table, frame_count, gaps_text

RECENT = 15
"""Frames the pace is taken from: the first one of a run paints a whole window and says little about the others."""


@dataclass
class RenderStats:
    """The events of one render, counted.

    `gaps` are frames that the plate hasn't got, of which nothing is made; `covers` is what a matte covers of each
    frame rendered.
    """

    gaps: Set[int] = frozenset()
    total: int = 0
    skipped: set[int] = field(default_factory=set)
    times: list[float] = field(default_factory=list)
    workers: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    seconds: float = 0.0
    covers: dict[int, float] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        if event.kind in ("start", "done"):
            self.total, self.seconds = event.total, event.seconds
        elif event.status == "rendered":
            self.times.append(event.seconds)
            self.workers[event.worker].append(event.seconds)
            if event.frame is not None and event.cover is not None:
                self.covers[event.frame] = event.cover
        elif event.status == "skipped" and event.frame is not None and event.frame not in self.gaps:
            self.skipped.add(event.frame)

    def pace(self) -> str:
        """Such as "0.81 fps, 0:01:02 left"; nothing before the first frame, and nothing left after the last."""
        if not self.times:
            return ""
        each = max(median(self.times[-RECENT:]) / len(self.workers), 1e-6)
        left = self.total - len(self.gaps) - len(self.skipped) - len(self.times)
        fps = f"{1 / each:.2f} fps"
        if left <= 0:
            return fps
        minutes, seconds = divmod(round(left * each), 60)
        return f"{fps}, {minutes // 60}:{minutes % 60:02}:{seconds:02} left"

    def summary(self, where: str) -> str:
        """One sentence for the end."""
        rendered, skipped = len(self.times), len(self.skipped)
        parts = []
        if rendered or not skipped:
            each = f" ({sum(self.times) / rendered:.2f} s a frame)" if rendered else ""
            parts.append(f"rendered {frame_count(rendered)} in {self.seconds:.1f} s{each}")
        if skipped:
            parts.append(f"skipped {frame_count(skipped)} with nothing to do")
        text = ", ".join(parts) + gaps_text(len(self.gaps))
        return f"{text[0].upper()}{text[1:]}: {where}"

    def table(self, *, terminal: bool = False) -> str:
        """A row for each of several workers; nothing for one."""
        if len(self.workers) < 2:
            return ""
        rows = [(name, len(times), f"{sum(times) / len(times):.2f}") for name, times in sorted(self.workers.items())]
        return format_table(("worker", "frames", "s a frame"), rows, terminal=terminal)
