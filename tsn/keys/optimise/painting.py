"""Paint one key: from the plate's picture and the paintings through a method's scales to a picture of the plate's size.

Memory depends on `KeySettings.height`, not on the plate. After each scale the picture is kept in a small file, from
which a run that was killed goes on.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from tsn.errors import InputError, UsageError, near_miss
from tsn.keys.optimise.base import KeySettings, Method, Scale
from tsn.keys.optimise.filling import fill_void
from tsn.keys.optimise.gatys import Gatys
from tsn.keys.optimise.nearest import NearestNeighbours
from tsn.keys.optimise.scales import LEAST_LINES, LEAST_PX, in_colours_wanted, scales_of
from tsn.keys.optimise.unfinished import keep, resumed
from tsn.keys.optimise.upscale import enlarge
from tsn.style.nets.vgg import VGGFeatures
from tsn.style.paintings import Painting
from tsn.style.resize import resize

METHODS: Mapping[str, Method] = {"nearest-neighbours": NearestNeighbours(), "gatys": Gatys()}
SIZES = (0.25, 2.0)
"""Least and greatest stroke size: memory grows with the painting's area."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a key is.

    Attributes:
        done: share of the work, 0 to 1; a step costs as much as its scale has pixels.
        lines: of the present scale.
        seconds_left: by the pace so far; None at the beginning.
        picture: a preview (3, h, w) where a scale has just ended, else None.
    """

    done: float
    lines: int
    seconds_left: float | None = None
    picture: Tensor | None = None


Report = Callable[[Progress], None]


def method_of(settings: KeySettings) -> Method:
    """The method of the settings, which are checked.

    Raises:
        UsageError: no such method, or a number out of its range.
    """
    if settings.method not in METHODS:
        raise UsageError(
            f"No method {settings.method!r} of painting keys: expected one of {', '.join(METHODS)}.",
            hint=near_miss(settings.method, METHODS),
        )
    low, high = SIZES
    for name, value, fits, expected in (
        ("content", settings.content, 0 <= settings.content < 100, "at least 0 and below 100"),
        ("stroke size", settings.stroke_size, low <= settings.stroke_size <= high, f"{low} to {high}"),
        ("height", settings.height, settings.height >= LEAST_LINES, f"at least {LEAST_LINES}"),
        ("effort", settings.effort, 0 < settings.effort <= 100, "above 0 and at most 100"),
    ):
        if not fits:
            raise UsageError(f"The {name} of a key's paint is {value}: expected {expected}.")
    return METHODS[settings.method]


def key_digest(plate: str, paintings: Sequence[Painting], settings: KeySettings, net: str) -> str:
    """SHA-256 (hex) of all that a key's pixels depend on, but for the machine.

    Args:
        plate: a hash of the plate frame's file and of what its colours mean; not of its pixels in style space, whose
            last bits are another machine's own.
        net: SHA-256 of the perceptual net's file.
    """
    facts = {
        **asdict(settings),
        "method": method_of(settings).version,
        "paintings": [[painting.sha256, painting.weight] for painting in paintings],
        "net": net,
        "plate": plate,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def paint_key(
    plate: Tensor,
    cover: Tensor | None,
    paintings: Sequence[Painting],
    settings: KeySettings,
    net: VGGFeatures,
    *,
    digest: str = "",
    unfinished: Path | None = None,
    report: Report = lambda progress: None,
) -> Tensor:
    """Paint one plate frame in the manner of the paintings.

    Args:
        plate: (3, H, W) in style space, [0, 1], straight (not premultiplied).
        cover: how much each pixel counts, (1, H, W) in [0, 1], 0 in void; None where all count fully.
        paintings: at least one; features of all of them are candidates, in proportion to their weights.
        net: in float32, on the plate's device.
        digest: of the key (`key_digest`), which must be that of an unfinished picture to go on with it.
        unfinished: the file that keeps the picture between scales; removed at the end.
        report: called after every step; it may raise, to stop.

    Returns:
        (3, H, W) in [0, 1]; in void, some paint that fits the surroundings.

    Raises:
        UsageError: the settings are out of their ranges.
        InputError: the plate is void everywhere, or tiny.
        OutputError: `unfinished` can't be written.
    """
    method = method_of(settings)
    if min(plate.shape[-2:]) < LEAST_PX:
        raise InputError(
            f"The plate has {plate.shape[2]} x {plate.shape[1]} pixels: expected at least {LEAST_PX} on each side."
        )
    plate = plate.clamp(0, 1)
    if cover is not None:
        if not bool((cover > 0).any()):
            raise InputError("The frame is void everywhere: there is nothing to paint.", hint="Choose another frame.")
        plate = fill_void(plate, cover)
    scales = scales_of(plate, cover, paintings, settings, method)
    work = [method.steps(i, settings.effort) * one.plate[0].numel() for i, one in enumerate(scales)]
    own = deepcopy(net).to(method.precision(plate.device)).to(memory_format=torch.channels_last)
    picture, first = resumed(unfinished, digest, scales)
    started = time.monotonic()
    for i in range(first, len(scales)):
        scale = scales[i]

        def step(count: int, total: int, i: int = i, scale: Scale = scale) -> None:
            done = sum(work[:i]) + work[i] * count / total
            here = done - sum(work[:first])
            left = (time.monotonic() - started) / here * (sum(work) - done)
            report(Progress(done=done / sum(work), lines=scale.plate.shape[1], seconds_left=left))

        before = None if picture is None else resize(picture, *scale.plate.shape[-2:])
        picture = in_colours_wanted(method.paint(scale, before, own, settings, step), scale, cover)
        if unfinished is not None:
            keep(unfinished, digest, i, picture)
        done = sum(work[: i + 1])
        left = (time.monotonic() - started) / (done - sum(work[:first])) * (sum(work) - done)
        report(Progress(done=done / sum(work), lines=scale.plate.shape[1], seconds_left=left, picture=picture))
    assert picture is not None
    result = enlarge(picture, scales[-1].plate, plate)
    if unfinished is not None:
        unfinished.unlink(missing_ok=True)
    return result
