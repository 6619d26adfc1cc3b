"""Whether a frame on disk is whole and is what a plan would make; told from its header, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tsn import io
from tsn.errors import InputError
from tsn.rendering.plan import Plan


def is_finished(
    plan: Plan, number: int, fingerprint: Sequence[str], outputs: io.FrameSequence, *others: Sequence[str]
) -> bool:
    """True where nothing is left to do for output frame `number`; where the plate has none, nothing of ours is there.

    The file is opened once, and the frame's digest taken only where its header states one.

    Args:
        fingerprint: of the engine, or of the plan's pins.
        outputs: the shot's output sequence.
        others: fingerprints that it may be finished by as well.
    """
    path = outputs.path(number)
    if plan.source_of(number) is None:
        return not is_made_by_tsn(path)
    try:
        told = io.read_attributes(path, layer=plan.shot.layer, whole=True).get("tsn:frameSha256")
    except InputError:
        return False
    return told is not None and any(told == plan.frame_hash(number, *each) for each in (fingerprint, *others))


def is_made_by_tsn(path: Path) -> bool:
    """Whether a frame's header says so. One that says nothing, or can't be read, may be somebody's work."""
    try:
        return "tsn:frameSha256" in io.read_attributes(path)
    except InputError:
        return False
