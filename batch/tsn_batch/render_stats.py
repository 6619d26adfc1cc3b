"""The events of one render, counted and summed up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass, field
from statistics import median

from tsn.rendering.event import Event
from tsn_batch.wording import format_table, frame_count, gaps_text

PACE_FRAMES = 15
"""Number of last frames that the pace is computed from; the first frame of a run paints a whole window."""


@dataclass
class RenderStats:
    """Statistics of one render, collected from its events.

    Attributes:
        gaps: requested frames that the plate does not have and that are skipped.
        total: number of frames to render.
        skipped: frames that were finished already.
        times: seconds for each rendered frame.
        workers: the same by name of the worker.
        seconds: wall time of the whole render.
        coverage: for each layer, in order of the shot: rendered frame -> share of it that its matte covers, 0 to 1.
            A shot without layers is its own only one.
    """

    gaps: Set[int] = frozenset()
    total: int = 0
    skipped: set[int] = field(default_factory=set)
    times: list[float] = field(default_factory=list)
    workers: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    seconds: float = 0.0
    coverage: dict[int, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, event: Event) -> None:
        """Count one event."""
        if event.kind in ("start", "done"):
            self.total, self.seconds = event.total, event.seconds
        elif event.status == "rendered":
            self.times.append(event.seconds)
            self.workers[event.worker].append(event.seconds)
            for place, cover in enumerate(event.covers or (event.cover,)):
                if event.frame is not None and cover is not None:
                    self.coverage[place][event.frame] = cover
        elif event.status == "skipped" and event.frame is not None and event.frame not in self.gaps:
            self.skipped.add(event.frame)

    def pace(self) -> str:
        """Such as "0.81 fps, 0:01:02 left"; empty before the first frame, without the time left after the last."""
        if not self.times:
            return ""
        each = max(median(self.times[-PACE_FRAMES:]) / len(self.workers), 1e-6)
        left = self.total - len(self.gaps) - len(self.skipped) - len(self.times)
        fps = f"{1 / each:.2f} fps"
        if left <= 0:
            return fps
        minutes, seconds = divmod(round(left * each), 60)
        return f"{fps}, {minutes // 60}:{minutes % 60:02}:{seconds:02} left"

    def summary(self, output: str) -> str:
        """One sentence for the end of the render, with the path pattern of the output."""
        rendered, skipped = len(self.times), len(self.skipped)
        parts = []
        if rendered or not skipped:
            each = f" ({sum(self.times) / rendered:.2f} s a frame)" if rendered else ""
            parts.append(f"rendered {frame_count(rendered)} in {self.seconds:.1f} s{each}")
        if skipped:
            parts.append(f"skipped {frame_count(skipped)} with nothing to do")
        text = ", ".join(parts) + gaps_text(len(self.gaps))
        return f"{text[0].upper()}{text[1:]}: {output}"

    def table(self, *, terminal: bool = False) -> str:
        """A table with a row for each worker; empty if there is only one."""
        if len(self.workers) < 2:
            return ""
        rows = [(name, len(times), f"{sum(times) / len(times):.2f}") for name, times in sorted(self.workers.items())]
        return format_table(("worker", "frames", "s a frame"), rows, terminal=terminal)
