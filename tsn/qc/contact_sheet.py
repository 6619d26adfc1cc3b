"""A contact sheet: the plate above the result, for a few frames of the shot."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from tsn import colour, io
from tsn import frames as ranges
from tsn.errors import InputError
from tsn.io.frame import Frame
from tsn.shot.model import Shot

COLUMNS = 6
CELL_WIDTH_PX = 480
GAP_PX = 8
BACKGROUND_GREY = 0.12


def contact_sheet(shot: Shot, *, frames: Sequence[int] | None = None) -> Path:
    """Write a sheet of up to six rendered frames beside the output's folder and return its path.

    Both rows go through the plate's colour space and tone map, so that only the paint differs.

    Args:
        frames: the frames to choose from; None = every rendered frame of the shot.

    Raises:
        InputError: none of them is rendered, or one is damaged.
        OutputError: the sheet can't be written.
    """
    plates, results = (io.FrameSequence.parse(pattern, base=Path()) for pattern in (shot.plate, shot.output))
    requested = frames if frames is not None else ranges.parse(shot.frames) if shot.frames else None
    rendered = results.on_disk() if Path(shot.output).parent.is_dir() else ()
    wanted = set(rendered if requested is None else requested)
    chosen = evenly_spaced([number for number in rendered if number in wanted], COLUMNS)
    if not chosen:
        raise InputError(
            f"Nothing to show: {shot.output} has no frame"
            + ("" if requested is None else f" of {ranges.compact(requested)}")
            + (f" (there: {ranges.compact(rendered)})" if rendered else ""),
            hint="Render the shot first: tsn render " + str(shot.file),
        )
    painted = [io.read_frame(results.path(number), number, layer=shot.layer) for number in chosen]
    on_disk = set(plates.on_disk())
    source = [
        io.read_frame(plates.path(number), number, layer=shot.layer) if number in on_disk else None for number in chosen
    ]
    header = next((frame.header for frame in source if frame is not None), painted[0].header)
    # As on a screen with a soft shoulder, whatever the painter saw.
    codec = colour.codec(shot.colour.input, header=header, highlights="keep")
    rows = [[None if frame is None else _display(frame, codec) for frame in row] for row in (source, painted)]
    path = sheet_path(shot.output)
    io.write_png(path, compose(rows, [str(number) for number in chosen]))
    return path


def evenly_spaced(frames: Sequence[int], count: int) -> tuple[int, ...]:
    """Up to `count` of the frames, evenly spaced, with the first and the last."""
    if len(frames) <= count:
        return tuple(frames)
    return tuple(frames[round(i * (len(frames) - 1) / (count - 1))] for i in range(count))


def sheet_path(output: str) -> Path:
    """Path of the sheet for an output pattern: beside the folder of the frames, named after the folder and the files.

    styled/sh010_styled.####.exr -> sh010_styled_contact.png, and styled/sh010/beauty.####.exr ->
    styled/sh010_beauty_contact.png: where each shot or version has a folder, its files may have the same names.
    """
    pattern = Path(io.FrameSequence.parse(output, base=Path()).pattern)
    folder, stem = pattern.parent.name, pattern.stem.replace("#", "").strip("._- ")
    contained = _words(folder) in _words(stem)
    name = stem if contained else "_".join(filter(None, (folder, stem)))
    return pattern.parent.parent / f"{name}_contact.png"


def _words(name: str) -> str:
    """A name between separators, so that it is found in another by whole words only."""
    return f"_{re.sub(r'[._ -]', '_', name)}_"


def compose(rows: Sequence[Sequence[np.ndarray | None]], labels: Sequence[str]) -> np.ndarray:
    """Lay out pictures in rows, with a label burnt into each cell.

    Args:
        rows: pictures (H, W, 3) in [0, 1] of one aspect ratio; None is a black cell labelled "no plate".
        labels: one per column.

    Returns:
        float32 (H', W', 3) in [0, 1]; every cell `CELL_WIDTH_PX` wide.
    """
    height, width = next(cell.shape[:2] for row in rows for cell in row if cell is not None)
    cell_height = max(1, round(height * CELL_WIDTH_PX / width))
    sheet = np.full(
        (GAP_PX + len(rows) * (cell_height + GAP_PX), GAP_PX + len(labels) * (CELL_WIDTH_PX + GAP_PX), 3),
        BACKGROUND_GREY,
        np.float32,
    )
    for line, row in enumerate(rows):
        for column, (cell, label) in enumerate(zip(row, labels, strict=True)):
            y, x = GAP_PX + line * (cell_height + GAP_PX), GAP_PX + column * (CELL_WIDTH_PX + GAP_PX)
            sheet[y : y + cell_height, x : x + CELL_WIDTH_PX] = _cell(cell, label, cell_height)
    return sheet


def _cell(picture: np.ndarray | None, label: str, height: int) -> np.ndarray:
    """A cell of a sheet, float32 (height, `CELL_WIDTH_PX`, 3), with its label."""
    if picture is None:
        pixels, label = np.zeros((height, CELL_WIDTH_PX, 3), np.uint8), f"{label}: no plate"
    else:
        smaller = picture.shape[1] > CELL_WIDTH_PX
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        small = cv2.resize(picture.astype(np.float32), (CELL_WIDTH_PX, height), interpolation=how)
        pixels = np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)
    # White text over black: readable on any plate. OpenCV anti-aliases text on 8-bit pictures only.
    for colour_code, thickness in ((0, 4), (255, 1)):
        at = (10, height - 12)
        cv2.putText(pixels, label, at, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (colour_code,) * 3, thickness, cv2.LINE_AA)
    return pixels.astype(np.float32) / 255


def _display(frame: Frame, codec: colour.Codec) -> np.ndarray:
    """A frame as a display-referred picture (H, W, 3) in [0, 1] of its display window, over black."""
    values = torch.from_numpy(np.ascontiguousarray(frame.rgb)).float().permute(2, 0, 1)
    style, _ = codec.to_style(values)
    return io.place(style.permute(1, 2, 0).numpy(), frame.data_window, frame.display_window)
