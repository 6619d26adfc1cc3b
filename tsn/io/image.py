"""Display-referred pictures: paintings, painted frames, contact sheets."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from tsn.errors import InputError
from tsn.io.frame import Box, Probe
from tsn.io.sequence import atomic

NOT_SHOWN = {"openexr", "dpx", "cineon", "hdr"}
"""Formats, by their names in OpenImageIO, of values that no monitor gets as they are."""


def read_image(path: Path) -> np.ndarray:
    """Read a PNG, TIFF, JPEG or WebP as it would be shown.

    Returns:
        float32 (H, W, 3) in [0, 1]. Grey becomes RGB, alpha is left out (the colours under it as stored),
        and a camera's orientation tag is obeyed.

    Raises:
        InputError: missing, damaged, not a picture, or one of scene-linear or log values (EXR, DPX).
    """
    pixels, orientation, _ = _read(path)
    rgb = pixels[..., :3] if pixels.shape[-1] >= 3 else np.repeat(pixels[..., :1], 3, axis=-1)
    rgb = _upright(rgb, orientation)
    return np.ascontiguousarray(np.clip(np.nan_to_num(rgb), 0.0, 1.0))


def write_png(path: Path, rgb: np.ndarray) -> None:
    """Write (H, W, 3) in [0, 1] as 8-bit PNG, atomically.

    Raises:
        OutputError: it can't be written.
    """
    import cv2

    codes = np.rint(np.clip(rgb, 0.0, 1.0) * 255).astype(np.uint8)
    # encoded in memory: OpenImageIO can report success over a file that a full disk broke
    encoded = cv2.imencode(".png", np.ascontiguousarray(codes[..., ::-1]))[1]
    with atomic(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def probe(path: Path) -> Probe:
    """Decode the whole picture: the one way to know that these formats are complete."""
    pixels, _, kind = _read(path)
    height, width, count = pixels.shape
    box = Box(0, 0, width, height)
    names = ("Y", "YA", "RGB", "RGBA")[min(count, 4) - 1]
    return Probe(data_window=box, display_window=box, channels=tuple(names), compression="", format=kind)


def _read(path: Path) -> tuple[np.ndarray, int, str]:
    """float32 (H, W, C) as stored, the orientation tag (1 to 8) and the format's name."""
    import OpenImageIO as oiio

    if not path.is_file():
        raise InputError(f"There is no picture {path}")
    if os.fsencode(path).decode("utf-8", "replace") != str(path):
        raise InputError(
            f"{path} is not called in UTF-8, as OpenImageIO wants it", hint="Rename the file or its folder."
        )
    hints = oiio.ImageSpec()
    hints["oiio:UnassociatedAlpha"] = 1  # colours as stored, not darkened where they are transparent
    source = oiio.ImageInput.open(str(path), hints)
    if source is None:
        raise InputError(f"{path} is damaged or no picture: {oiio.geterror().strip() or 'unknown format'}")
    try:
        if source.format_name() in NOT_SHOWN:
            raise InputError(
                f"{path}: expected a picture as it is shown, found {source.format_name()}, which holds scene-linear or"
                " log values.",
                hint="Convert it to sRGB as 16-bit PNG or TIFF.",
            )
        pixels = source.read_image("float")
        fault = source.geterror().strip()
        if pixels is None or fault:
            raise InputError(f"{path} is damaged: {fault or 'its pixels can not be read'}", hint="Save it again.")
        return np.atleast_3d(pixels), source.spec().get_int_attribute("Orientation", 1), source.format_name()
    finally:
        source.close()


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation tag."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
