"""A job folder: one shot on a farm. The plan, a log for each step, and a record of how each step went.

plan.json                 what `tsn task` renders; pinned by the first step
job.json                  which farm it went to, and what that calls its parts
logs/chunk-0003.log       everything that was printed, attempt after attempt
records/chunk-0003.json   the last attempt: exit code, host, times
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
RECORD = re.compile(rf"({SURVEY}|{FINISH}|chunk-(\d+))\.json")


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """How a step went.

    Attributes:
        code: exit code, 0 = done.
        host: where.
        rendered, skipped: frames.
        painting: seconds for those rendered; `seconds` is the whole step with its start.
        attempts: how often it was tried on that host.
        message: of the fault.
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
    folder: Path

    @property
    def plan_file(self) -> Path:
        return self.folder / "plan.json"

    def plan(self) -> Plan:
        """Raises InputError where there is none."""
        return plan_file.load(self.plan_file)

    def plan_or_none(self) -> Plan | None:
        """None where there is none, or one that this tsn can't read."""
        try:
            return self.plan()
        except InputError:
            return None

    def log(self, step: str) -> Path:
        return self.folder / "logs" / f"{file_stem(step)}.log"

    def record_file(self, step: str) -> Path:
        return self.folder / "records" / f"{file_stem(step)}.json"

    def record(self, step: str) -> StepRecord | None:
        """None where the step never came to an end."""
        return _record(self.record_file(step))

    def records(self, known: Mapping[str, StepRecord] | None = None) -> dict[str, StepRecord]:
        """How the steps went that came to an end, by step.

        Args:
            known: what this method said before. A step that was done stays done for as long as its record is there, so
                that file is not read again.
        """
        found: dict[str, StepRecord] = {}
        try:
            names = os.listdir(self.folder / "records")
        except OSError:
            return found
        for name in sorted(names):
            if (match := RECORD.fullmatch(name)) is None:
                continue
            step = match[1] if match[2] is None else str(int(match[2]))
            record = None if known is None else known.get(step)
            if record is None or record.code:
                record = _record(self.folder / "records" / name)
            if record is not None:
                found[step] = record
        return found

    def remove_records(self, chunks: Sequence[int]) -> None:
        """Remove the records of steps that are about to be done again: how they went before is no state of theirs.

        Raises:
            OutputError: one can't be removed.
        """
        for step in (SURVEY, FINISH, *map(str, chunks)):
            try:
                self.record_file(step).unlink(missing_ok=True)
            except OSError as error:
                raise write_error(self.record_file(step), error) from error

    def submission(self) -> dict[str, Any]:
        """What the farm calls its parts. Raises InputError where nothing was submitted from here."""
        try:
            facts: dict[str, Any] = json.loads((self.folder / "job.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.folder} is no job folder of tsn.", hint="`tsn submit` names the one it makes."
            ) from (error)
        return facts

    def save_submission(self, facts: Mapping[str, Any]) -> None:
        with atomic_write(self.folder / "job.json") as temporary:
            temporary.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def file_stem(step: str) -> str:
    """`survey` and `finish` as they are, a chunk by its number: `chunk-0003`."""
    return step if step in (SURVEY, FINISH) else f"chunk-{int(step):04}"


def _record(path: Path) -> StepRecord | None:
    try:
        return StepRecord(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def save_record(path: Path, record: StepRecord) -> None:
    """Raises OutputError."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(asdict(record)) + "\n", encoding="utf-8")


def record_of(tally: RenderStats) -> StepRecord:
    """Of a render that went well, on this host."""
    return StepRecord(
        code=0,
        host=socket.gethostname(),
        rendered=len(tally.times),
        skipped=len(tally.skipped),
        painting=sum(tally.times),
        seconds=tally.seconds,
    )


def prepare_job(plan: Plan, folder: Path) -> tuple[FarmJob, Plan]:
    """Make or reuse a job folder. The pins of an older, equal plan stay.

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
