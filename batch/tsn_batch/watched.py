"""A job that somebody looks at, again and again: what can't change any more is read once."""

from __future__ import annotations

from collections.abc import Mapping

from tsn_batch.job import FINISH, SURVEY, Job, Record
from tsn_batch.progress import without_plate


class Watched:
    """A job with its plan, what the farm calls its parts, and its records as of the last `look`.

    Raises:
        InputError: nothing was submitted from there.
    """

    def __init__(self, job: Job) -> None:
        self.job, self.plan, self.facts = job, job.plan(), job.facts()
        self.records: Mapping[str, Record] = {}
        self._told = ""

    @classmethod
    def now(cls, job: Job) -> Watched:
        """A job looked at once."""
        watched = cls(job)
        watched.look()
        return watched

    @property
    def steps(self) -> tuple[str, ...]:
        """In the order in which they are done."""
        return (SURVEY, *(str(chunk.index) for chunk in self.plan.chunks), FINISH)

    def look(self) -> None:
        """List the records, and read those of steps that were not done before."""
        self.records = self.job.records(self.records)

    def news(self) -> str:
        """How far it is now; nothing where that was said before."""
        self.look()
        before, self._told = self._told, self.progress()
        return "" if self._told == before else self._told

    def progress(self) -> str:
        """Such as "sh010: 3 of 10 chunks, 48 of 160 frames done"."""
        plan = self.plan
        done = [chunk for chunk in plan.chunks if (own := self.records.get(str(chunk.index))) and own.code == 0]
        frames = len({number for chunk in done for number in chunk.frames} & set(plan.output_frames))
        chunks = f"{plan.shot.file.stem}: {len(done)} of {len(plan.chunks)} chunks"
        gaps = without_plate(len(plan.requested) - len(plan.output_frames))
        return f"{chunks}, {frames} of {len(plan.output_frames)} frames done{gaps}"
