"""Find the unfinished frames of a job; and its last step: check every frame, make the contact sheet, sum up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tsn.cpu_isa import instruction_set
from tsn.errors import InputError, OutputError, TsnError
from tsn.io.sequence import FrameSequence
from tsn.rendering.plan import Plan, device_type_of
from tsn_batch.farms.job import FarmJob, StepRecord, save_record
from tsn_batch.wording import format_table, gaps_text


def unfinished_chunks(plan: Plan) -> list[int]:
    """Chunks with a frame that is missing, damaged, stale or superfluous; all chunks where the plan is not pinned."""
    if plan.pins is None:
        return [chunk.index for chunk in plan.chunks]
    return [chunk.index for chunk in plan.chunks if any(True for _ in unfinished_frames(plan, chunk.frames))]


def record_finished_chunks(job: FarmJob, plan: Plan, left: Sequence[int]) -> None:
    """Record success for chunks that are not among those `left` to render, however their last attempt ended.

    A chunk that was cancelled when its frames were on disk already is not rendered again, and its old fault would end
    the job.
    """
    records = job.records()
    for index in sorted({chunk.index for chunk in plan.chunks}.difference(left)):
        record = records.get(str(index))
        if record is not None and record.code:
            save_record(job.record_file(str(index)), replace(record, code=0, message=""))


def unfinished_frames(plan: Plan, numbers: Sequence[int]) -> Iterator[int]:
    """Yield the frames that are not on disk as the pinned plan makes them, or that are there and should not be."""
    from tsn.rendering.finished import is_finished

    outputs = FrameSequence.parse(plan.shot.output, base=Path())
    own, others = ((), []) if plan.pins is None else (plan.pins.fingerprint, _fingerprints_of_other_devices(plan))
    for number in numbers:
        if not is_finished(plan, number, own, outputs, *others):
            yield number


def damaged_frames(plan: Plan) -> Iterator[int]:
    """Yield the frames whose pixels can't be decoded. Reads all frames whole, as no header shows the damage."""
    from tsn.io import read_frame

    outputs = FrameSequence.parse(plan.shot.output, base=Path())
    for number in plan.output_frames:
        try:
            read_frame(outputs.path(number), number, layer=plan.shot.layer)
        except InputError:
            yield number


def _fingerprints_of_other_devices(plan: Plan) -> list[tuple[str, ...]]:
    """The fingerprints of hosts whose type of device differs from that of the calibration."""
    pins = plan.pins
    assert pins is not None
    kinds = [
        kind
        for kind in (f"cpu {instruction_set()}", "cuda", "mps")
        if device_type_of(kind) != device_type_of(pins.device)
    ]
    return [(*pins.fingerprint[:3], f"{kind} as surveyed on {pins.device}") for kind in kinds]


def finish_job(job: FarmJob) -> str:
    """Check every pixel of every frame, make the contact sheet, and sum up by host.

    Raises:
        InputError: frames are missing, damaged or stale; they are named.
    """
    from tsn import frames as ranges

    plan = job.plan()
    left = list(unfinished_frames(plan, plan.requested))
    if left:
        superfluous = [number for number in left if plan.source_of(number) is None]
        reason = f" (the plate has no {ranges.compact(superfluous)} any more)" if superfluous else ""
        raise InputError(
            f"{plan.shot.output}: {len(left)} of {len(plan.requested)} frames are not finished: {ranges.compact(left)}"
            + reason,
            hint=f"Submit the shot again: only these will be rendered. Logs: {job.folder / 'logs'}",
        )
    written = plan.output_frames
    if broken := list(damaged_frames(plan)):
        raise InputError(
            f"{plan.shot.output}: {len(broken)} of {len(written)} frames are damaged: {ranges.compact(broken)}",
            hint="Remove them and submit the shot again: only these will be rendered.",
        )
    gaps = gaps_text(len(plan.requested) - len(written))
    parts = [
        host_table(plan, job.records()),
        f"All {len(written)} frames are finished{gaps}: {plan.shot.output}",
        _sheet(plan),
    ]
    text = "\n".join(filter(None, parts))
    try:
        (job.folder / "summary.txt").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"Can't write {job.folder / 'summary.txt'}: {error.strerror}") from error
    return text


def _sheet(plan: Plan) -> str:
    """Make the contact sheet and return a line with its path, or with the fault, which does not fail the job."""
    from tsn.qc.contact_sheet import contact_sheet

    try:
        return f"Look at {contact_sheet(plan.shot, frames=plan.output_frames)}"
    except TsnError as error:
        return f"There is no contact sheet: {error}"


def host_table(plan: Plan, records: Mapping[str, StepRecord], *, terminal: bool = False) -> str:
    """A table of hosts with chunks, frames and seconds a frame; empty before the first chunk is done."""
    hosts: dict[str, list[StepRecord]] = defaultdict(list)
    for chunk in plan.chunks:
        record = records.get(str(chunk.index))
        if record is not None and record.code == 0:
            hosts[record.host].append(record)
    rows = []
    for host, own in sorted(hosts.items()):
        rendered = sum(record.rendered for record in own)
        each = f"{sum(record.painting for record in own) / rendered:.2f}" if rendered else ""
        rows.append((host, len(own), rendered, sum(record.skipped for record in own), each))
    return format_table(("host", "chunks", "rendered", "skipped", "s a frame"), rows, terminal=terminal) if rows else ""
