"""What decides pixels on a host besides the shot file: versions of libraries, and its OCIO config."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from tsn import io, ocio
from tsn.errors import InputError
from tsn.shot.model import Shot

if TYPE_CHECKING:
    from tsn.rendering.plan import Plan

LIBRARIES = ("torch", "opencolorio", "opencv-python-headless")
ONNX = ("onnxruntime", "onnxruntime-gpu")
STROKES = ("numba", "llvmlite", "numpy")


def library_versions(shot: Shot) -> dict[str, str]:
    """Name -> version of the libraries that a shot's pixels are computed with; none is imported.

    A library that is not installed, or under another name, is left out; the code that needs it will fail.
    """
    styles = [layer.style for layer in shot.by_layer]
    names = [name for style in styles for name in (*(style.blend or ()), style.model or "")]
    wanted = LIBRARIES + (ONNX if any(".onnx" in name.lower() for name in names) else ())
    wanted += STROKES if any(style.strokes is not None for style in styles) else ()
    return {name: found for name in wanted if (found := _version(name)) is not None}


def _version(name: str) -> str | None:
    try:
        return version(name).split("+")[0]  # a build for CUDA on some hosts, for CPUs on others
    except PackageNotFoundError:
        return None


def colour_fingerprint(shot: Shot, sample: int) -> str:
    """Fingerprint of the plate's colour space with this host's OCIO config.

    Args:
        sample: number of the frame whose header is read where the shot has `auto`.

    Raises:
        UsageError: the space is unknown here.
        InputError: the frame, the config, or a file that the space needs is missing or damaged.
    """
    header = None
    if shot.colour.input.lower() == "auto":
        path = io.FrameSequence.parse(shot.plate, base=Path()).path(sample)
        header = io.read_frame(path, sample, layer=shot.layer).header
    return ocio.space_fingerprint(ocio.resolve_space(shot.colour.input, header))


def require_environment(plan: Plan) -> None:
    """Raise InputError where this host would compute other pixels than the host that made the plan."""
    here: Mapping[str, str] = library_versions(plan.shot)
    if here != plan.libraries:
        name = next(n for n in sorted({*here, *plan.libraries}) if here.get(n) != plan.libraries.get(n))
        raise InputError(
            f"{socket.gethostname()} has another {name} than the plan: expected {plan.libraries.get(name, 'none')},"
            f" found {here.get(name, 'none')}.",
            hint="Give every host the same installation of tsn, or make the plan again on one of these.",
        )
    if plan.colour is None:
        return
    colour = colour_fingerprint(plan.shot, plan.probe_frame)
    if colour != plan.colour:
        raise InputError(
            f"{socket.gethostname()} has another meaning of the plate's colour space than the plan:"
            f" expected {plan.colour}, found {colour}.",
            hint="Give every host the $OCIO config, its context variables and its files as they were where the shot was"
            " submitted, or submit it again.",
        )
