"""The progress of a job that is read again and again: files that can't change any more are read once."""

from __future__ import annotations

from collections.abc import Mapping

from tsn_batch.farms.job import FINISH, SURVEY, FarmJob, StepRecord
from tsn_batch.wording import gaps_text


class JobProgress:
    """A job with its plan, its submission, and its records as of the last `update`.

    Attributes:
        submission: the content of job.json, see `FarmJob.submission`.
        records: step -> record, of the steps that have ended.

    Raises:
        InputError: nothing was submitted from this folder.
    """

    def __init__(self, job: FarmJob) -> None:
        self.job, self.plan, self.submission = job, job.plan(), job.submission()
        self.records: Mapping[str, StepRecord] = {}
        self._reported = ""

    @classmethod
    def read(cls, job: FarmJob) -> JobProgress:
        """Read a job with its records."""
        progress = cls(job)
        progress.update()
        return progress

    @property
    def steps(self) -> tuple[str, ...]:
        """All steps in the order of their execution."""
        return (SURVEY, *(str(chunk.index) for chunk in self.plan.chunks), FINISH)

    def update(self) -> None:
        """Read the records of steps that were not done before."""
        self.records = self.job.records(self.records)

    def new_progress(self) -> str:
        """Update, and return `progress`; empty where it is the same as before."""
        self.update()
        before, self._reported = self._reported, self.progress()
        return "" if self._reported == before else self._reported

    def progress(self) -> str:
        """A line such as "sh010: 3 of 10 chunks, 48 of 160 frames done"."""
        plan = self.plan
        done = [chunk for chunk in plan.chunks if (own := self.records.get(str(chunk.index))) and own.code == 0]
        frames = len({number for chunk in done for number in chunk.frames} & set(plan.output_frames))
        chunks = f"{plan.shot.file.stem}: {len(done)} of {len(plan.chunks)} chunks"
        gaps = gaps_text(len(plan.requested) - len(plan.output_frames))
        return f"{chunks}, {frames} of {len(plan.output_frames)} frames done{gaps}"
