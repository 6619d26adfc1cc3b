"""Write a frame of the plate as a picture to paint a key over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from tsn.errors import OutputError, UsageError
from tsn.io.key_png import write_png16
from tsn.rendering.engine import choose_device
from tsn.rendering.key_files import key_path
from tsn.rendering.output import make_folder
from tsn.rendering.paint_keys import plate_engine, plate_picture
from tsn.rendering.plan import Plan


def export_keys(plan: Plan, folder: Path, *, force: bool = False) -> Iterator[Path]:
    """Write every frame of a plan as the painter sees it: style space, 16-bit PNG, with the plate's cover as alpha.

    The picture is the plate's display window. Where it is left as it is, the key is the plate.

    Args:
        force: write over a file that is there, which somebody may have painted over.

    Yields:
        Each file, `folder`/SHOT.1001.png, when it is there.

    Raises:
        UsageError: a frame that the plate lacks.
        InputError: a plate frame is damaged, or void everywhere.
        OutputError: a file is there already, or can't be written.
    """
    numbers = list(plan.requested)
    if lost := [number for number in numbers if number not in plan.plate.stamps]:
        raise UsageError(f"Frame {lost[0]} is not in the plate {plan.shot.plate}: there is nothing to paint over.")
    paths = {number: key_path(folder, plan.shot.file.stem, number) for number in numbers}
    if not force:
        _require_free(paths.values())
    make_folder(folder)
    engine = plate_engine(plan, choose_device("cpu"))
    for number, path in paths.items():
        picture, cover = plate_picture(engine, plan, number)
        alpha = None if cover is None else cover[0].numpy()
        write_png16(path, picture.permute(1, 2, 0).numpy(), alpha, {})
        yield path


def _require_free(paths: Iterable[Path]) -> None:
    there = [path for path in paths if path.exists()]
    if there:
        raise OutputError(
            f"{there[0]} is there already, and may be painted over.",
            hint="Choose another folder with -o, or write over it with --force.",
        )
