"""Write a frame of the plate as a picture to paint a key over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tsn import colour, io
from tsn.alpha import unpremultiply
from tsn.errors import OutputError
from tsn.io.frame import Frame
from tsn.rendering.plan import Plan
from tsn.shot.model import Shot


def export_keys(plan: Plan, folder: Path, *, force: bool = False) -> Iterator[Path]:
    """Write every frame of a plan as the painter sees it: style space, 16-bit PNG, with the plate's alpha.

    The picture is the plate's display window. Key and plate have the same light where the key is left as it is.

    Args:
        force: write over a file that is there, which somebody may have painted over.

    Yields:
        Each file, `folder`/SHOT.1001.png, when it is there.

    Raises:
        InputError: a plate frame is missing or damaged.
        OutputError: a file is there already, or can't be written.
    """
    shot, sequence = plan.shot, io.FrameSequence.parse(plan.shot.plate, base=Path())
    numbers = [number for chunk in plan.chunks for number in chunk.frames]
    paths = {number: folder / key_name(shot, number) for number in numbers}
    if not force:
        _require_free(paths.values())
    header = io.read_frame(sequence.path(plan.probe_frame), plan.probe_frame, layer=shot.layer).header
    codec = colour.codec(shot.colour.input, header=header, highlights=shot.colour.highlights)
    for number, path in paths.items():
        source = plan.source_of(number)
        assert source is not None
        frame = io.read_frame(sequence.path(source), source, layer=shot.layer)
        picture, alpha = _picture(frame, codec)
        path.parent.mkdir(parents=True, exist_ok=True)
        io.write_png(path, picture, alpha=alpha, bits=16)
        yield path


def key_name(shot: Shot, number: int) -> str:
    """The name of the file of a key that is to be painted by hand: SHOT.1001.png, as `tsn paint` names its own."""
    return f"{shot.file.stem}.{number:04d}.png"


def _require_free(paths: Iterable[Path]) -> None:
    there = [path for path in paths if path.exists()]
    if there:
        raise OutputError(
            f"{there[0]} is there already, and may be painted over.",
            hint="Choose another folder with -o, or write over it with --force.",
        )


def _picture(frame: Frame, codec: colour.Codec) -> tuple[np.ndarray, np.ndarray | None]:
    """A frame in style space, (H, W, 3), and its alpha (H, W), None where the plate has none; the display window."""
    rgb = _placed(frame.rgb, frame)
    if frame.alpha is None:
        return codec.to_style(rgb)[0].permute(1, 2, 0).numpy(), None
    alpha = _placed(frame.alpha[..., None], frame)
    style, _ = codec.to_style(unpremultiply(rgb, alpha))
    return style.permute(1, 2, 0).numpy(), alpha[0].nan_to_num(0.0).numpy()


def _placed(pixels: np.ndarray, frame: Frame) -> Tensor:
    placed = io.place(pixels, frame.data_window, frame.display_window)
    return torch.from_numpy(placed).float().permute(2, 0, 1).contiguous()
