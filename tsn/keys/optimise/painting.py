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
from tsn.io.atomic import atomic_write
from tsn.keys.optimise import colours
from tsn.keys.optimise.base import KeySettings, Method, Scale
from tsn.keys.optimise.filling import fill_void
from tsn.keys.optimise.gatys import Gatys
from tsn.keys.optimise.nearest import NearestNeighbours
from tsn.keys.optimise.upscale import enlarge
from tsn.style.nets.vgg import VGGFeatures
from tsn.style.paintings import Painting
from tsn.style.resize import resize

METHODS: Mapping[str, Method] = {"nearest-neighbours": NearestNeighbours(), "gatys": Gatys()}
LEAST_PX = 16
"""Shorter side of a picture of which the net's last block sees one place."""
LEAST_LINES = 32
"""Shorter side of the coarsest scale of a larger picture: the net's block 4 needs places to look at."""
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
    scales = _scales(plate, cover, paintings, settings, method)
    work = [method.steps(i, settings.effort) * one.plate[0].numel() for i, one in enumerate(scales)]
    own = deepcopy(net).to(method.precision(plate.device)).to(memory_format=torch.channels_last)
    picture, first = _resumed(unfinished, digest, scales)
    started = time.monotonic()
    for i in range(first, len(scales)):
        scale = scales[i]

        def step(count: int, total: int, i: int = i, scale: Scale = scale) -> None:
            done = sum(work[:i]) + work[i] * count / total
            here = done - sum(work[:first])
            left = (time.monotonic() - started) / here * (sum(work) - done)
            report(Progress(done=done / sum(work), lines=scale.plate.shape[1], seconds_left=left))

        before = None if picture is None else resize(picture, *scale.plate.shape[-2:])
        picture = _in_colours_wanted(method.paint(scale, before, own, settings, step), scale, cover)
        if unfinished is not None:
            _keep(unfinished, digest, i, picture)
        done = sum(work[: i + 1])
        left = (time.monotonic() - started) / (done - sum(work[:first])) * (sum(work) - done)
        report(Progress(done=done / sum(work), lines=scale.plate.shape[1], seconds_left=left, picture=picture))
    assert picture is not None
    result = enlarge(picture, scales[-1].plate, plate)
    if unfinished is not None:
        unfinished.unlink(missing_ok=True)
    return result


def _scales(
    plate: Tensor, cover: Tensor | None, paintings: Sequence[Painting], settings: KeySettings, method: Method
) -> list[Scale]:
    height, width = plate.shape[-2:]
    lines = min(height, settings.height)
    total = sum(painting.weight for painting in paintings)
    shares = tuple(painting.weight / total for painting in paintings)
    images = [painting.image.to(plate) for painting in paintings]
    own = colours.statistics([plate], [_weight(cover, plate.shape)])
    if settings.colours == "plate":
        theirs = colours.of_paintings(images, shares)
        images = [colours.recolour(image, theirs, own).clamp(0, 1) for image in images]
        recoloured = plate
    else:
        recoloured = colours.recolour(plate, own, colours.of_paintings(images, shares)).clamp(0, 1)
    shorter = min(lines, round(width * lines / height))
    divisors = [d for d in method.divisors(lines) if shorter // d >= LEAST_LINES] or [1]
    scales = []
    for i, divisor in enumerate(divisors):
        size = lines // divisor, max(LEAST_PX, round(width * lines / height / divisor))
        tall = max(LEAST_LINES, round(lines * settings.stroke_size / divisor))
        scales.append(
            Scale(
                plate=resize(plate, *size),
                recoloured=resize(recoloured, *size),
                paintings=tuple(
                    resize(image, tall, max(LEAST_LINES, round(image.shape[2] * tall / image.shape[1])))
                    for image in images
                ),
                shares=shares,
                index=i,
                count=len(divisors),
            )
        )
    return scales


def _in_colours_wanted(picture: Tensor, scale: Scale, cover: Tensor | None) -> Tensor:
    """After each scale, since what it changes of the contrast changes the content that the next one aims at."""
    own = colours.statistics([picture], [_weight(cover, picture.shape)])
    return colours.recolour(picture, own, colours.of_paintings(scale.paintings, scale.shares)).clamp(0, 1)


def _weight(cover: Tensor | None, shape: torch.Size) -> Tensor | float:
    return 1.0 if cover is None else resize(cover, *shape[-2:])


def _keep(path: Path, digest: str, index: int, picture: Tensor) -> None:
    from safetensors.torch import save

    with atomic_write(path) as temporary:
        content = save({"picture": picture.cpu().contiguous()}, metadata={"key": digest, "scale": str(index)})
        temporary.write_bytes(content)


def _resumed(path: Path | None, digest: str, scales: Sequence[Scale]) -> tuple[Tensor | None, int]:
    """The picture of the last scale that was finished, and the scale to go on with. Another key's file is ignored."""
    if path is None or not path.is_file():
        return None, 0
    from safetensors.torch import load

    from tsn.io.safetensors_file import read_header

    try:
        facts = read_header(path).metadata
        index = int(facts.get("scale", "-1"))
        picture = load(path.read_bytes())["picture"].to(scales[0].plate.device)
    except (InputError, ValueError, KeyError, OSError):  # cut short, or no such file: begin anew
        return None, 0
    fits = facts.get("key") == digest and 0 <= index < len(scales) and picture.shape == scales[index].plate.shape
    return (picture, index + 1) if fits else (None, 0)
