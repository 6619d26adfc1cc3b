"""A job that somebody looks at, again and again: what can't change any more is read once."""

from __future__ import annotations

from collections.abc import Mapping

from tsn_batch.farms.job import FINISH, SURVEY, FarmJob, StepRecord
from tsn_batch.wording import gaps_text


class JobProgress:
    """A job with its plan, what the farm calls its parts, and its records as of the last `update`.

    Raises:
        InputError: nothing was submitted from there.
    """

    def __init__(self, job: FarmJob) -> None:
        self.job, self.plan, self.submission = job, job.plan(), job.submission()
        self.records: Mapping[str, StepRecord] = {}
        self._reported = ""

    @classmethod
    def read(cls, job: FarmJob) -> JobProgress:
        """A job looked at once."""
        watched = cls(job)
        watched.update()
        return watched

    @property
    def steps(self) -> tuple[str, ...]:
        """In the order in which they are done."""
        return (SURVEY, *(str(chunk.index) for chunk in self.plan.chunks), FINISH)

    def update(self) -> None:
        """List the records, and read those of steps that were not done before."""
        self.records = self.job.records(self.records)

    def new_progress(self) -> str:
        """How far it is now; nothing where that was said before."""
        self.update()
        before, self._reported = self._reported, self.progress()
        return "" if self._reported == before else self._reported

    def progress(self) -> str:
        """Such as "sh010: 3 of 10 chunks, 48 of 160 frames done"."""
        plan = self.plan
        done = [chunk for chunk in plan.chunks if (own := self.records.get(str(chunk.index))) and own.code == 0]
        frames = len({number for chunk in done for number in chunk.frames} & set(plan.output_frames))
        chunks = f"{plan.shot.file.stem}: {len(done)} of {len(plan.chunks)} chunks"
        gaps = gaps_text(len(plan.requested) - len(plan.output_frames))
        return f"{chunks}, {frames} of {len(plan.output_frames)} frames done{gaps}"
