"""Whether a frame on disk is whole and what a plan would render, by the hash in its header; without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tsn import io
from tsn.errors import InputError
from tsn.rendering.plan import Plan


def is_finished(
    plan: Plan, number: int, fingerprint: Sequence[str], outputs: io.FrameSequence, *others: Sequence[str]
) -> bool:
    """Whether nothing is left to do for an output frame: the hash in its header is `Plan.frame_hash`.

    Where the plate has no frame and none is to be written, whether there is no file of tsn either. The file is opened
    once, and the hash computed only where its header has one.

    Args:
        fingerprint: of the engine, or of the plan's pins.
        outputs: the shot's output sequence.
        others: fingerprints of other engines whose frames count as finished too.
    """
    path = outputs.path(number)
    if plan.source_of(number) is None:
        return not is_made_by_tsn(path)
    try:
        found = io.read_attributes(path, layer=plan.shot.layer, whole=True).get("tsn:frameSha256")
    except InputError:
        return False
    return found is not None and any(found == plan.frame_hash(number, *each) for each in (fingerprint, *others))


def is_made_by_tsn(path: Path) -> bool:
    """Whether tsn wrote a frame, by its header. Any other file may be somebody's work."""
    try:
        return "tsn:frameSha256" in io.read_attributes(path)
    except InputError:
        return False
