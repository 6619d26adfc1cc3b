"""A job folder: one shot on a farm, with its plan, and a log and a record for each step.

plan.json                 the plan that `tsn task` renders; the first step, `survey`, pins it
job.json                  the farm, and the numbers that it gave to the steps
logs/chunk-0003.log       everything that the step printed, in all attempts
records/chunk-0003.json   how the last attempt ended: exit code, host, times
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tsn.errors import InputError
from tsn.io.atomic import atomic_write, write_error
from tsn.rendering import plan_file
from tsn.rendering.plan import Plan
from tsn_batch.render_stats import RenderStats

SURVEY, FINISH = "survey", "finish"
"""The first and the last step of a job; the steps between are chunks, named by their numbers."""
RECORD_NAME = re.compile(rf"({SURVEY}|{FINISH}|chunk-(\d+))\.json")


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """How a step ended.

    Attributes:
        code: exit code, 0 = done.
        host: name of the host.
        rendered, skipped: numbers of frames.
        painting: seconds for the rendered frames.
        seconds: the whole step, with the start of its process.
        attempts: number of attempts on that host.
        message: the fault, empty if done.
    """

    code: int
    host: str
    rendered: int = 0
    skipped: int = 0
    painting: float = 0.0
    seconds: float = 0.0
    attempts: int = 1
    message: str = ""


@dataclass(frozen=True)
class FarmJob:
    """A job, by its folder."""

    folder: Path

    @property
    def plan_file(self) -> Path:
        """Path of the plan."""
        return self.folder / "plan.json"

    def plan(self) -> Plan:
        """Load the plan. Raises InputError where there is none."""
        return plan_file.load(self.plan_file)

    def plan_or_none(self) -> Plan | None:
        """Load the plan; None where there is none that this version of tsn can read."""
        try:
            return self.plan()
        except InputError:
            return None

    def log(self, step: str) -> Path:
        """Path of the log of a step."""
        return self.folder / "logs" / f"{file_stem(step)}.log"

    def record_file(self, step: str) -> Path:
        """Path of the record of a step."""
        return self.folder / "records" / f"{file_stem(step)}.json"

    def record(self, step: str) -> StepRecord | None:
        """Read the record of a step; None where the step has not ended."""
        return _record(self.record_file(step))

    def records(self, known: Mapping[str, StepRecord] | None = None) -> dict[str, StepRecord]:
        """Read the records of all steps that have ended, by step.

        Args:
            known: the result of an earlier call. The record of a step that was done then is not read again.
        """
        found: dict[str, StepRecord] = {}
        try:
            names = os.listdir(self.folder / "records")
        except OSError:
            return found
        for name in sorted(names):
            if (match := RECORD_NAME.fullmatch(name)) is None:
                continue
            step = match[1] if match[2] is None else str(int(match[2]))
            record = None if known is None else known.get(step)
            if record is None or record.code:
                record = _record(self.folder / "records" / name)
            if record is not None:
                found[step] = record
        return found

    def remove_records(self, chunks: Sequence[int]) -> None:
        """Remove the records of the chunks, survey and finish, which are about to be run again.

        Raises:
            OutputError: a record can't be removed.
        """
        for step in (SURVEY, FINISH, *map(str, chunks)):
            try:
                self.record_file(step).unlink(missing_ok=True)
            except OSError as error:
                raise write_error(self.record_file(step), error) from error

    def submission(self) -> dict[str, Any]:
        """Read job.json: the farm and its numbers of the steps. Raises InputError where nothing was submitted."""
        try:
            submission: dict[str, Any] = json.loads((self.folder / "job.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.folder} is not a job folder of tsn.", hint="`tsn submit` prints the folder that it makes."
            ) from (error)
        return submission

    def save_submission(self, submission: Mapping[str, Any]) -> None:
        """Write job.json. Raises OutputError."""
        with atomic_write(self.folder / "job.json") as temporary:
            temporary.write_text(json.dumps(submission, indent=1) + "\n", encoding="utf-8")


def file_stem(step: str) -> str:
    """Name of the log and the record of a step, such as `survey` or `chunk-0003`."""
    return step if step in (SURVEY, FINISH) else f"chunk-{int(step):04}"


def _record(path: Path) -> StepRecord | None:
    try:
        return StepRecord(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def save_record(path: Path, record: StepRecord) -> None:
    """Write a record as JSON. Raises OutputError."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(asdict(record)) + "\n", encoding="utf-8")


def record_of(stats: RenderStats) -> StepRecord:
    """Make the record of a render that succeeded on this host."""
    return StepRecord(
        code=0,
        host=socket.gethostname(),
        rendered=len(stats.times),
        skipped=len(stats.skipped),
        painting=sum(stats.times),
        seconds=stats.seconds,
    )


def prepare_job(plan: Plan, folder: Path) -> tuple[FarmJob, Plan]:
    """Make a job folder, or reuse it; an older plan that is equal keeps its pins.

    Raises:
        OutputError: the folder can't be made or written.
    """
    job = FarmJob(folder)
    try:
        for part in ("logs", "records"):
            (folder / part).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error, "--out") from error
    before = job.plan_or_none()
    if before is not None and replace(before, pins=None) == plan:
        plan = before
    plan_file.save(plan, job.plan_file, "--out")
    return job, plan
