"""Reads plates and pictures, writes frames. A file's format is known by its first bytes, not by its name."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from tsn.errors import InputError, OutputError, UsageError
from tsn.io.atomic import OUTPUT_SETTING, atomic_write, remove_leftovers, write_error
from tsn.io.frame import Box, Frame, Probe, blank_like, crop, place
from tsn.io.sequence import FrameSequence

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")

__all__ = [
    "Box",
    "Frame",
    "FrameSequence",
    "Probe",
    "atomic_write",
    "blank_like",
    "crop",
    "is_complete",
    "place",
    "probe",
    "read_attributes",
    "read_frame",
    "read_image",
    "remove_leftovers",
    "write_frame",
    "write_png",
]


def read_frame(path: Path, number: int, *, layer: str | None = None) -> Frame:
    """Read one plate frame, EXR or DPX.

    Args:
        layer: the layer to paint ("ViewLayer.Combined"); None chooses as `tsn.io.exr.read` does.

    Raises:
        InputError: missing, damaged, of another format, or without that layer.
    """
    kind = _kind(path)
    if kind == "exr":
        from tsn.io import exr

        return exr.read(path, number, layer)
    if kind == "dpx":
        from tsn.io import dpx

        _refuse_layer(path, layer)
        return dpx.read(path, number)
    raise InputError(f"{path} is neither EXR nor DPX", hint="A plate is a sequence of EXR or DPX files.")


def write_frame(
    frame: Frame,
    rgb: np.ndarray,
    path: Path,
    *,
    attributes: Mapping[str, str],
    layers: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> None:
    """Write a frame with new RGB and everything else as it was; atomic, and read back to check.

    Args:
        rgb: shaped like `frame.rgb`, any float dtype. EXR: converted to the stored dtype; finite values stay finite,
            NaN and infinity are kept. DPX: clipped to [0, 1] and rounded to codes.
        attributes: the frame's origin ("tsn:version", ...). EXR: string attributes of the painted part. DPX: user
            data, beside that of another program where the plate has some.
        layers: EXR: channels to write beside the others, by full name, float32 (H, W) on the data window.

    Raises:
        UsageError: the output has the suffix of another format.
        OutputError: it can't be written.
    """
    from tsn.io import dpx

    if rgb.shape != frame.rgb.shape:
        raise ValueError(f"rgb is {rgb.shape}, the frame {frame.rgb.shape}")
    kind = "dpx" if isinstance(frame.handle, dpx.DpxFile) else "exr"
    if path.suffix.lower() != f".{kind}":
        raise UsageError(
            f"The output {path} is not named *.{kind}, but the plate {frame.path.name} is {kind.upper()}",
            hint=f"tsn keeps the plate's format: name the output *.{kind}.",
        )
    with atomic_write(path, OUTPUT_SETTING) as temporary:
        if kind == "dpx":
            dpx.write(frame, rgb, temporary, attributes, name=path.name)
        else:
            from tsn.io import exr

            exr.write(frame, rgb, temporary, attributes, layers)
        try:
            probe(temporary)
        except InputError as error:
            if not path.parent.exists():  # the folder was removed after the write
                gone = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
                raise write_error(path, gone, OUTPUT_SETTING) from error
            raise OutputError(f"Can't write {path}: it came out broken: {error}", hint="Is the disk full?") from error


def probe(path: Path, *, layer: str | None = None) -> Probe:
    """Read a file's header and check that the file is complete; takes about 0.1 ms for EXR and DPX.

    Args:
        layer: EXR: the layer whose windows to give; it must exist. None: the one that `read_frame` chooses.

    Raises:
        InputError: missing, damaged, or without that layer.
    """

    def look(kind: str) -> Probe:
        if kind == "exr":
            from tsn.io import exr

            return exr.probe(path, layer)
        if kind == "dpx":
            from tsn.io import dpx

            _refuse_layer(path, layer)
            return dpx.probe(path)
        from tsn.io import image

        return image.probe(path)

    return _with_format(path, look)


def is_complete(path: Path) -> bool:
    """Whether the file exists, is complete and has a sound header."""
    try:
        probe(path)
    except InputError:
        return False
    return True


def read_attributes(path: Path, *, layer: str | None = None, whole: bool = False) -> dict[str, str]:
    """Read the string attributes of a frame's header, without pixels: EXR all of them, DPX those that tsn wrote.

    Args:
        layer: EXR: the layer that was painted; its part wins where others have the same attribute. None as in
            `read_frame`.
        whole: check that the file is complete, as `probe` does.

    Raises:
        InputError: missing, damaged, neither EXR nor DPX, or without that layer.
    """

    def look(kind: str) -> dict[str, str]:
        if kind == "exr":
            from tsn.io import exr

            return exr.read_attributes(path, layer, whole=whole)
        if kind == "dpx":
            from tsn.io import dpx

            _refuse_layer(path, layer)
            return dpx.read_attributes(path)
        raise InputError(f"{path} is neither EXR nor DPX")

    return _with_format(path, look)


def read_image(path: Path, *, admit: Callable[[int, int], None] | None = None) -> np.ndarray:
    """Read a display-referred picture, float32 (H, W, 3) in [0, 1]; see `tsn.io.image.read_image`."""
    from tsn.io import image

    return image.read_image(path, admit=admit)


def write_png(path: Path, rgb: np.ndarray) -> None:
    """Write (H, W, 3) in [0, 1] as 8-bit PNG; see `tsn.io.image.write_png`."""
    from tsn.io import image

    image.write_png(path, rgb)


def _refuse_layer(path: Path, layer: str | None) -> None:
    if layer is not None:
        raise InputError(f"{path} is a DPX file, which has no layers", hint=f"Remove `layer: {layer}` from the shot.")


def _with_format(path: Path, look: Callable[[str], T]) -> T:
    """Call `look` with the file's format, trying the one of its suffix first: each opening asks the file server."""
    named = path.suffix.lower().removeprefix(".")
    if named not in ("exr", "dpx"):
        return look(_kind(path))
    try:
        return look(named)
    except InputError as error:
        if isinstance(error.__cause__, OSError) or (kind := _kind(path)) == named:
            raise
    return look(kind)


def _kind(path: Path) -> str:
    try:
        with open(path, "rb", buffering=0) as file:
            magic = file.read(4)
    except OSError as error:
        raise InputError(f"Can't read {path}: {error.strerror}") from error
    if not magic:
        raise InputError(f"{path} is empty", hint="Render or copy this frame again.")
    return {b"\x76\x2f\x31\x01": "exr", b"SDPX": "dpx", b"XPDS": "dpx"}.get(magic, "")
