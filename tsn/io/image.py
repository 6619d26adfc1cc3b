"""Display-referred pictures: paintings, painted frames, contact sheets."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tsn.errors import InputError
from tsn.io.atomic import atomic_write
from tsn.io.frame import Box, Probe

SCENE_REFERRED_FORMATS = {"openexr", "dpx", "cineon", "hdr"}
"""OpenImageIO's names of formats that hold scene-linear or log values."""
UNCONVERTED_TIFF_SPACES = {"CIELAB", "ICCLAB", "ITULAB", "LOGL", "LOGLUV"}
"""Colour spaces in TIFF that OpenImageIO reads as if they were RGB."""
STREAMABLE_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of PNG, JPEG and TIFF, which are decoded line by line."""
STREAMED_LIMIT_MB, WHOLE_LIMIT_MB = 8192, 1024
"""The largest picture that is opened, decoded, in MiB: of formats decoded line by line, and of others."""


def read_image(path: Path, *, admit: Callable[[int, int], None] | None = None) -> np.ndarray:
    """Read a PNG, TIFF, JPEG or WebP as it would be displayed.

    Args:
        admit: called with height and width before anything is decoded; it may raise to refuse the picture.

    Returns:
        float32 (H, W, 3) in [0, 1]. Grey becomes RGB, alpha is dropped (unassociated: the colours stay as stored), and
        a camera's orientation tag is applied.

    Raises:
        InputError: missing, damaged, not a picture, or one of scene-linear or log values (EXR, DPX).
    """
    with open_image(path) as source:
        if admit is not None:
            admit(*upright_size(source))
        pixels = apply_orientation(_pixels(source, path), orientation(source))
    rgb = pixels[..., :3] if pixels.shape[-1] >= 3 else np.repeat(pixels[..., :1], 3, axis=-1)
    return clip_to_unit(rgb)


def clip_to_unit(rgb: np.ndarray) -> np.ndarray:
    """Clip to [0, 1], NaN to 0, C-contiguous."""
    return np.ascontiguousarray(np.clip(np.nan_to_num(rgb), 0.0, 1.0))


def write_png(path: Path, rgb: np.ndarray) -> None:
    """Write (H, W, 3) in [0, 1] as 8-bit PNG, atomically.

    Raises:
        OutputError: it can't be written.
    """
    import cv2

    codes = np.rint(np.clip(rgb, 0.0, 1.0) * 255).astype(np.uint8)
    # Encoded in memory: OpenImageIO can report success for a file that a full disk cut short.
    encoded = cv2.imencode(".png", np.ascontiguousarray(codes[..., ::-1]))[1]
    with atomic_write(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def probe(path: Path) -> Probe:
    """Read a picture's size and format. Decodes all of it: nothing else shows that these formats are complete."""
    with open_image(path) as source:
        height, width, count = _pixels(source, path).shape
        kind = source.format_name()
    box = Box(0, 0, width, height)
    names = ("Y", "YA", "RGB", "RGBA")[min(count, 4) - 1]
    return Probe(data_window=box, display_window=box, channels=tuple(names), compression="", format=kind)


@contextmanager
def open_image(path: Path) -> Iterator[Any]:
    """Open a picture as OpenImageIO's `ImageInput`, at most `WHOLE_LIMIT_MB` in memory.

    Raises:
        InputError: missing, damaged, not a picture, too large, or one of scene-linear or log values (EXR, DPX).
    """
    import OpenImageIO as oiio

    if not path.is_file():
        raise InputError(f"There is no picture {path}")
    if os.fsencode(path).decode("utf-8", "replace") != str(path):
        raise InputError(
            f"{path} is not called in UTF-8, as OpenImageIO wants it", hint="Rename the file or its folder."
        )
    hints = oiio.ImageSpec()
    hints["oiio:UnassociatedAlpha"] = 1  # colours as stored, not multiplied by alpha
    limit = STREAMED_LIMIT_MB if is_streamable(path) else WHOLE_LIMIT_MB
    usual = oiio.get_int_attribute("limits:imagesize_MB")
    oiio.attribute("limits:imagesize_MB", limit)  # some formats are decoded when they are opened
    try:
        source = oiio.ImageInput.open(str(path), hints)
    finally:
        oiio.attribute("limits:imagesize_MB", usual)
    if source is None:
        raise _not_opened(path, oiio.geterror().strip(), limit)
    try:
        if source.format_name() in SCENE_REFERRED_FORMATS:
            raise InputError(
                f"{path}: expected a picture as it is shown, found {source.format_name()}, which holds scene-linear or"
                " log values.",
                hint="Convert it to sRGB as 16-bit PNG or TIFF.",
            )
        space = source.spec().get_string_attribute("tiff:ColorSpace")
        if space in UNCONVERTED_TIFF_SPACES:
            raise InputError(
                f"{path}: expected a picture in RGB, grey or CMYK, found {space}.",
                hint="Convert it to sRGB as 16-bit PNG or TIFF.",
            )
        yield source
    finally:
        source.close()


def is_streamable(path: Path) -> bool:
    """Whether OpenImageIO decodes the format line by line; known by the first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(4).startswith(STREAMABLE_MAGIC)
    except OSError as error:
        raise InputError(f"Can't read {path}: {error.strerror}") from error


def upright_size(source: Any) -> tuple[int, int]:
    """Height and width of a picture from `open_image`, its orientation applied."""
    spec = source.spec()
    turned = orientation(source) >= 5
    return (spec.width, spec.height) if turned else (spec.height, spec.width)


def orientation(source: Any) -> int:
    """The EXIF orientation tag of a picture from `open_image`, 1 to 8."""
    return int(source.spec().get_int_attribute("Orientation", 1))


def require_decoded(source: Any, pixels: np.ndarray | None, path: Path) -> np.ndarray:
    """Return the pixels that were read. Raises InputError where OpenImageIO reports a fault."""
    fault = source.geterror().strip()
    if pixels is None or fault:
        raise InputError(f"{path} is damaged: {fault or 'its pixels can not be read'}", hint="Save it again.")
    return pixels


def apply_orientation(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn and mirror (H, W, C) as an EXIF orientation tag demands."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _pixels(source: Any, path: Path) -> np.ndarray:
    """Decode float32 (H, W, C) as stored."""
    return np.atleast_3d(require_decoded(source, source.read_image("float"), path))


def _not_opened(path: Path, fault: str, limit: int) -> InputError:
    """The error for a picture that OpenImageIO did not open."""
    claimed = re.search(r"claimed to be (\d+)x(\d+)", fault)
    if "limits:imagesize_MB" in fault and claimed:
        return too_large(path, int(claimed[2]), int(claimed[1]), f"{limit} MiB")
    return InputError(f"{path} is damaged or no picture: {fault or 'unknown format'}")


def too_large(path: Path, height: int, width: int, limit: str) -> InputError:
    """The error for a picture with too many pixels."""
    return InputError(
        f"{path} says that it is {width} x {height}: more than the {limit} that are read of a picture.",
        hint="Save it smaller, as PNG, JPEG or TIFF.",
    )
