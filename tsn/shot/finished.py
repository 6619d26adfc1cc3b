"""Whether a frame on disk is whole and is what a plan would make; told from its header, without torch."""

from __future__ import annotations

from collections.abc import Sequence

from tsn import io
from tsn.errors import InputError
from tsn.shot.plan import Plan


def finished(plan: Plan, number: int, fingerprint: Sequence[str], outputs: io.Sequence) -> bool:
    """True where nothing is left to do for output frame `number`.

    Args:
        fingerprint: of the engine, or of the plan's pins.
        outputs: the shot's output sequence.
    """
    try:
        path = outputs.path(number)
        io.probe(path)
        told = io.read_attributes(path, layer=plan.shot.layer)
        return told.get("tsn:frameSha256") == plan.digest(number, *fingerprint)
    except InputError:
        return False
