"""Keys that tsn paints itself, in the manner of a painting: which frames, and their files."""

from __future__ import annotations

from collections.abc import Callable

from tsn.io.hashing import sha256_of
from tsn.rendering.engine import Engine
from tsn.rendering.key_coverage import survey_coverage
from tsn.rendering.key_files import own_key_file
from tsn.rendering.paint_keys import paint_keys
from tsn.rendering.plan import Plan


def paint_own_keys(engine: Engine, plan: Plan, painting: str, note: Callable[[str], None]) -> dict[int, str]:
    """Choose the frames that show a shot best and paint them, unless they are painted already.

    Returns:
        Frame -> SHA-256 of its file, which lies beside the output frames (`own_key_file`).

    Raises:
        InputError: the painting can't be read, or the weights of the perceptual net are not here.
        OutputError: a key can't be written.
    """
    numbers = survey_coverage(engine, plan).choose()
    files = {number: own_key_file(plan.shot, number) for number in numbers}
    note(f"Keys: {', '.join(map(str, numbers))}, painted like {painting} into {next(iter(files.values())).parent}.")
    paint_keys(plan, engine, files, {painting: 1.0}, note=note)
    return {number: sha256_of(file) for number, file in files.items()}
