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
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tsn.cpu_isa import instruction_set
from tsn.errors import InputError, OutputError, TsnError
from tsn.io.atomic import atomic_write, write_error
from tsn.io.sequence import FrameSequence
from tsn.rendering import plan_file
from tsn.rendering.plan import Plan, device_type_of
from tsn_batch.progress import Tally, table, without_plate

SURVEY, FINISH = "survey", "finish"
RECORD = re.compile(rf"({SURVEY}|{FINISH}|chunk-(\d+))\.json")


@dataclass(frozen=True, kw_only=True)
class Record:
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
class Job:
    folder: Path

    @property
    def plan_file(self) -> Path:
        return self.folder / "plan.json"

    def plan(self) -> Plan:
        """Raises InputError where there is none."""
        return plan_file.load(self.plan_file)

    def plan_if_any(self) -> Plan | None:
        """None where there is none, or one that this tsn can't read."""
        try:
            return self.plan()
        except InputError:
            return None

    def log(self, step: str) -> Path:
        return self.folder / "logs" / f"{named(step)}.log"

    def record_file(self, step: str) -> Path:
        return self.folder / "records" / f"{named(step)}.json"

    def record(self, step: str) -> Record | None:
        """None where the step never came to an end."""
        return _record(self.record_file(step))

    def records(self, known: Mapping[str, Record] | None = None) -> dict[str, Record]:
        """How the steps went that came to an end, by step.

        Args:
            known: what this method said before. A step that was done stays done for as long as its record is there, so
                that file is not read again.
        """
        found: dict[str, Record] = {}
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

    def forget(self, chunks: Sequence[int]) -> None:
        """Remove the records of steps that are about to be done again: how they went before is no state of theirs.

        Raises:
            OutputError: one can't be removed.
        """
        for step in (SURVEY, FINISH, *map(str, chunks)):
            try:
                self.record_file(step).unlink(missing_ok=True)
            except OSError as error:
                raise write_error(self.record_file(step), error) from error

    def facts(self) -> dict[str, Any]:
        """What the farm calls its parts. Raises InputError where nothing was submitted from here."""
        try:
            facts: dict[str, Any] = json.loads((self.folder / "job.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.folder} is no job folder of tsn.", hint="`tsn submit` names the one it makes."
            ) from (error)
        return facts

    def save_facts(self, facts: Mapping[str, Any]) -> None:
        with atomic_write(self.folder / "job.json") as temporary:
            temporary.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def named(step: str) -> str:
    """`survey` and `finish` as they are, a chunk by its number: `chunk-0003`."""
    return step if step in (SURVEY, FINISH) else f"chunk-{int(step):04}"


def _record(path: Path) -> Record | None:
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def save_record(path: Path, record: Record) -> None:
    """Raises OutputError."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(asdict(record)) + "\n", encoding="utf-8")


def record_of(tally: Tally) -> Record:
    """Of a render that went well, on this host."""
    return Record(
        code=0,
        host=socket.gethostname(),
        rendered=len(tally.times),
        skipped=len(tally.skipped),
        painting=sum(tally.times),
        seconds=tally.seconds,
    )


def prepare(plan: Plan, folder: Path) -> tuple[Job, Plan]:
    """Make or reuse a job folder. The pins of an older, equal plan stay.

    Raises:
        OutputError: the folder can't be made or written.
    """
    job = Job(folder)
    try:
        for part in ("logs", "records"):
            (folder / part).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error, "--out") from error
    before = job.plan_if_any()
    if before is not None and replace(before, pins=None) == plan:
        plan = before
    plan_file.save(plan, job.plan_file, "--out")
    return job, plan


def unfinished(plan: Plan) -> list[int]:
    """Chunks with a frame that is missing, damaged, stale or too many; all where the plan has no pins to tell by."""
    if plan.pins is None:
        return [chunk.index for chunk in plan.chunks]
    return [chunk.index for chunk in plan.chunks if any(True for _ in missing(plan, chunk.frames))]


def settle(job: Job, plan: Plan, left: Sequence[int]) -> None:
    """Chunks other than those `left` to do have succeeded, whatever their last try ended with.

    One that was cancelled when its frames were on disk already isn't done again, and its fault would end the job.
    """
    records = job.records()
    for index in sorted({chunk.index for chunk in plan.chunks}.difference(left)):
        record = records.get(str(index))
        if record is not None and record.code:
            save_record(job.record_file(str(index)), replace(record, code=0, message=""))


def missing(plan: Plan, numbers: Sequence[int]) -> Iterator[int]:
    """Those of the frames that are not on disk as the pinned plan would make them, or are and should not."""
    from tsn.rendering.finished import is_finished

    outputs = FrameSequence.parse(plan.shot.output, base=Path())
    own, others = ((), []) if plan.pins is None else (plan.pins.fingerprint, _elsewhere(plan))
    for number in numbers:
        if not is_finished(plan, number, own, outputs, *others):
            yield number


def damaged(plan: Plan) -> Iterator[int]:
    """Frames whose pixels can't be decoded, which no header shows. Takes as long as reading them all."""
    from tsn.io import read_frame

    outputs = FrameSequence.parse(plan.shot.output, base=Path())
    for number in plan.output_frames:
        try:
            read_frame(outputs.path(number), number, layer=plan.shot.layer)
        except InputError:
            yield number


def _elsewhere(plan: Plan) -> list[tuple[str, ...]]:
    """Fingerprints of hosts whose device is of another kind than the survey's."""
    pins = plan.pins
    assert pins is not None
    kinds = [
        kind
        for kind in (f"cpu {instruction_set()}", "cuda", "mps")
        if device_type_of(kind) != device_type_of(pins.device)
    ]
    return [(*pins.fingerprint[:3], f"{kind} as surveyed on {pins.device}") for kind in kinds]


def finish(job: Job) -> str:
    """Check every frame to its last pixel, make the contact sheet, and sum up by host.

    Raises:
        InputError: frames are missing, damaged or stale; they are named.
    """
    from tsn import frames as ranges

    plan = job.plan()
    lost = list(missing(plan, plan.requested))
    if lost:
        older = [number for number in lost if plan.source_of(number) is None]
        too_many = f" (the plate has no {ranges.compact(older)} any more)" if older else ""
        raise InputError(
            f"{plan.shot.output}: {len(lost)} of {len(plan.requested)} frames are not finished: {ranges.compact(lost)}"
            + too_many,
            hint=f"Submit the shot again: only these will be rendered. Logs: {job.folder / 'logs'}",
        )
    written = plan.output_frames
    if broken := list(damaged(plan)):
        raise InputError(
            f"{plan.shot.output}: {len(broken)} of {len(written)} frames are damaged: {ranges.compact(broken)}",
            hint="Remove them and submit the shot again: only these will be rendered.",
        )
    gaps = without_plate(len(plan.requested) - len(written))
    told = [
        by_host(plan, job.records()),
        f"All {len(written)} frames are finished{gaps}: {plan.shot.output}",
        _sheet(plan),
    ]
    text = "\n".join(filter(None, told))
    try:
        (job.folder / "summary.txt").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"Can't write {job.folder / 'summary.txt'}: {error.strerror}") from error
    return text


def _sheet(plan: Plan) -> str:
    """Make the contact sheet, and say where it is. Without one the frames are finished all the same."""
    from tsn.qc.contact_sheet import contact_sheet

    try:
        return f"Look at {contact_sheet(plan.shot, frames=plan.output_frames)}"
    except TsnError as error:
        return f"There is no contact sheet: {error}"


def by_host(plan: Plan, records: Mapping[str, Record], *, terminal: bool = False) -> str:
    """A table of a job's `records`: host, chunks, frames, seconds a frame; nothing before the first chunk is done."""
    hosts: dict[str, list[Record]] = defaultdict(list)
    for chunk in plan.chunks:
        record = records.get(str(chunk.index))
        if record is not None and record.code == 0:
            hosts[record.host].append(record)
    rows = []
    for host, own in sorted(hosts.items()):
        rendered = sum(record.rendered for record in own)
        each = f"{sum(record.painting for record in own) / rendered:.2f}" if rendered else ""
        rows.append((host, len(own), rendered, sum(record.skipped for record in own), each))
    return table(("host", "chunks", "rendered", "skipped", "s a frame"), rows, terminal=terminal) if rows else ""
