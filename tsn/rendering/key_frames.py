"""From a shot's `style.keys` to what the room of key frames needs: the keys on the canvas, and guides from AOVs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tsn import io
from tsn.alpha import unpremultiply
from tsn.errors import InputError, at_frame
from tsn.io.frame import Box, Frame
from tsn.io.hashing import sha256_of
from tsn.keys.frame import Key
from tsn.keys.guides import raw_guides
from tsn.keys.key_file import read_matte, read_painted, require_shape
from tsn.keys.painter import KeyPainter
from tsn.rendering.aovs import read_channel, read_ids, read_layer, read_surface
from tsn.rendering.engine import Engine
from tsn.rendering.plan import Plan
from tsn.shot.model import Style
from tsn.style.resize import resize

KEPT_KEYS = 6
"""Keys in memory at a time: more than count in one frame, unless they are painted in parts."""


def key_painter(style: Style, guides: int) -> KeyPainter:
    """The painter that `style.keys` and the keys beside it describe, which has learnt nothing yet.

    Args:
        guides: number of guide channels that the plate has for it (`guides_of`).

    Raises:
        InputError: a file can't be read.
    """
    assert style.keys is not None
    sources = {key: _sha256(file) for key, file in style.keys.items()}
    sources |= {f"matte {key}": _sha256(file) for key, file in (style.key_mattes or {}).items()}
    named = ", ".join(style.keys)
    return KeyPainter(name=f"keys:{named}", sources=sources, guides=guides)


def _sha256(file: str) -> str:
    try:
        return sha256_of(file)
    except OSError as error:
        raise InputError(
            f"Cannot read the key {file}: {error.strerror}.", hint="A relative path is relative to the shot file."
        ) from error


def guides_of(style: Style, frame: Frame, canvas: Box) -> Tensor:
    """The raw guides (G, H, W) of a plate frame, from the AOVs that the shot names.

    Raises:
        InputError: the plate lacks a layer or channel, or several could be meant.
    """

    def layer(key: str, name: str | None) -> np.ndarray | None:
        return None if name is None else read_layer(frame, key, name, canvas)

    with at_frame(frame.path, frame.number):
        return raw_guides(
            height=canvas.height,
            width=canvas.width,
            normals=layer("direction", None if style.direction == "auto" else style.direction),
            depth=None if style.depth is None else read_channel(frame, "depth", style.depth, canvas),
            surface=None if style.surface is None else read_surface(frame, "surface", style.surface, canvas),
            ids=None if style.ids is None else read_ids(frame, style.ids, canvas),
        )


def read_keys(engine: Engine, plan: Plan, files: Mapping[int, str], mattes: Mapping[int, str]) -> tuple[Key, ...]:
    """The keys on the canvas and the device, by frame.

    Args:
        files: frame -> file; EXR in the plate's colour space, other formats as displayed.
        mattes: frame -> matte.

    Raises:
        InputError: a file is missing, damaged, or of other proportions than the plate.
    """
    on_disk = KeysOnDisk(engine, plan, files, mattes)
    return tuple(on_disk[number] for number in on_disk)


class KeysOnDisk(Mapping[int, Key]):
    """The keys of a shot by frame, read when they are asked for; the last ones stay in memory. Otherwise `read_keys`.

    A chunk so reads only the keys that reach it, and those that are EXR only the plate frames of these.
    """

    def __init__(self, engine: Engine, plan: Plan, files: Mapping[int, str], mattes: Mapping[int, str]) -> None:
        self._engine, self._plan, self._files, self._mattes = engine, plan, files, mattes
        self._kept: OrderedDict[int, Key] = OrderedDict()

    def __getitem__(self, number: int) -> Key:
        if number not in self._kept:
            file, matte = self._files[number], self._mattes.get(number)
            self._kept[number] = _read_key(self._engine, self._plan, number, file, matte)
        self._kept.move_to_end(number)
        while len(self._kept) > KEPT_KEYS:
            self._kept.popitem(last=False)
        return self._kept[number]

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._files))

    def __len__(self) -> int:
        return len(self._files)


def _read_key(engine: Engine, plan: Plan, number: int, file: str, matte: str | None) -> Key:
    display, path = engine.display_window, Path(file)
    size = {"height": display.height, "width": display.width}
    if path.suffix.lower() == ".exr":
        paint, weight = _read_exr(engine, plan, number, path)
    else:
        paint, weight = read_painted(path, **size)
    if matte is not None:
        weight = weight * read_matte(Path(matte), **size)

    def on_canvas(picture: Tensor) -> Tensor:
        placed = io.place(picture.permute(1, 2, 0).numpy(), display, engine.canvas)
        return torch.from_numpy(placed).permute(2, 0, 1).contiguous().to(engine.device)

    return Key(number=number, paint=on_canvas(paint), weight=on_canvas(weight))


def _read_exr(engine: Engine, plan: Plan, number: int, path: Path) -> tuple[Tensor, Tensor]:
    """A key in the plate's own values, at the display window: to style space as the plate's frame of that number goes.

    A highlight of the plate has a gain there, by which the paint is divided: painted as bright as the plate it is
    white.
    """
    display = engine.display_window
    found = io.read_frame(path, number)
    require_shape(
        path, found.display_window.height, found.display_window.width, height=display.height, width=display.width
    )

    def whole(pixels: np.ndarray, frame: Frame) -> Tensor:
        placed = io.place(pixels.astype(np.float32), frame.data_window, frame.display_window)
        return torch.from_numpy(placed).permute(2, 0, 1).contiguous()

    rgb = whole(found.rgb, found)
    alpha = torch.ones_like(rgb[:1]) if found.alpha is None else whole(found.alpha[..., None], found)
    plate = engine.read(io.FrameSequence.parse(plan.shot.plate, base=Path()).path(number), number)
    beneath = whole(plate.rgb, plate)
    if plate.alpha is not None:
        beneath = unpremultiply(beneath, whole(plate.alpha[..., None], plate))
    if rgb.shape != beneath.shape:  # a proxy or a multiple; linear and premultiplied, with values beyond 1
        size = beneath.shape[-2:]
        rgb = F.interpolate(rgb[None], size=size, mode="bicubic", antialias=True, align_corners=False)[0].clamp(min=0)
        alpha = resize(alpha, *size)
    _, reference = engine.codec.to_style(beneath)
    return engine.codec.paint_to_style(unpremultiply(rgb, alpha), reference), alpha


def require_in_shot(frames: Sequence[int], plan: Plan) -> None:
    """Raise InputError for a key of a frame that the shot hasn't got."""
    present = set(plan.plate.present)
    if lost := [number for number in frames if number not in present]:
        raise InputError(
            f"style.keys: frame {lost[0]} is not among the shot's {len(present)} frames on disk,"
            f" {plan.plate.present[0]} to {plan.plate.present[-1]}.",
            hint="A key is painted over a frame of the plate: correct its number, or `frames:`.",
        )
