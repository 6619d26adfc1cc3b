"""Keys that tsn paints itself, in the manner of a painting: which frames, and their files."""

from __future__ import annotations

from collections.abc import Callable

from tsn.io.hashing import sha256_of
from tsn.keys.optimise.base import KeySettings
from tsn.rendering.engine import Engine
from tsn.rendering.key_coverage import survey_coverage
from tsn.rendering.key_files import own_key_folder
from tsn.rendering.paint_keys import KeyProgress, paint_keys
from tsn.rendering.plan import Plan


def paint_own_keys(engine: Engine, plan: Plan, painting: str, note: Callable[[str], None]) -> dict[int, str]:
    """Choose the frames that show a shot best and paint them, unless they are painted already.

    Returns:
        Frame -> SHA-256 of its file, which lies beside the output frames (`key_files.own_key_folder`).

    Raises:
        InputError: the painting can't be read, or the weights of the perceptual net are not here.
        UsageError: in place of such a file there is one that somebody else painted.
        OutputError: a key can't be written.
    """
    numbers = survey_coverage(engine, plan).choose()
    folder = own_key_folder(plan.shot)
    note(f"Keys: {', '.join(map(str, numbers))}, painted like {painting} into {folder}; minutes each.")

    def tell(progress: KeyProgress) -> None:
        if progress.preview is not None:
            note(f"Key {progress.frame}: {progress.progress.done:.0%}, so far {progress.preview}")

    painted = paint_keys(
        plan,
        numbers,
        {painting: 1.0},
        folder,
        KeySettings(),
        device=str(engine.device),
        repaint=True,
        note=note,
        report=tell,
    )
    return {number: sha256_of(file) for number, file in painted.items()}
