"""The contract of everything that paints, and of the statistics a painter is locked to.

Style space in, style space out: float32 (3, H, W) in [0, 1], one frame at a time. A painter knows no
neighbours and keeps no history; what a frame becomes depends on that frame alone, so that a shot may be
cut anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from tsn.errors import InputError

MAX_NUMBERS = 1 << 22
"""Numbers in a survey; that of a shipped style has 2,200."""


class Painter(Protocol):
    """Anything that paints one frame."""

    name: str
    fingerprint: str
    """Changes whenever the result could: method, weights' hash, survey, settings. Not the plate."""

    def paint(self, image: Tensor, number: int) -> Tensor:
        """Paint frame `number`: (3, H, W) float32 in [0, 1] -> the same shape, on the image's device.

        Any H and W. The result is an ordinary tensor: it may be changed in place.
        """
        ...


@runtime_checkable
class Uncalibrated(Painter, Protocol):
    """A painter that should see the shot before it paints it.

    It paints unlocked too, but then each frame is normalised by itself, and the picture pumps when a
    highlight enters. The renderer does this once a shot, and hands the survey to every worker::

        if isinstance(painter, Unlocked):
            painter = painter.frozen(painter.calibrate(images))
    """

    def calibrate(self, images: Iterable[Tensor]) -> Calibration:
        """Statistics of the shot from sampled frames, each (3, H, W) as `paint` would get it.

        A fourth channel in [0, 1] says how much each pixel counts: void around an element has no say.
        """
        ...

    def frozen(self, calibration: Calibration) -> Painter:
        """The painter at those statistics. Raises InputError for a survey of another painter."""
        ...


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What an unlocked painter learnt of a shot; part of the plan, the same for every chunk.

    Attributes:
        painter_fingerprint: fingerprint of the painter that took it: only that painter can be locked to it.
        tensors: float32 on the CPU, by name.
    """

    painter_fingerprint: str
    tensors: Mapping[str, Tensor]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the painter, the names, the shapes and the bits."""
        parts: list[str | bytes] = [self.painter_fingerprint]
        for name in sorted(self.tensors):
            array = self.tensors[name].contiguous().numpy()
            parts += [name, str(array.shape), array.tobytes()]
        return digest(*parts)

    @property
    def size(self) -> int:
        """Bytes of its tensors."""
        return sum(tensor.nbytes for tensor in self.tensors.values())

    @staticmethod
    def mean(calibrations: Sequence[Calibration]) -> Calibration:
        """The mean of the surveys of single frames: each frame counts the same."""
        if not calibrations:
            raise ValueError("A survey needs one frame at least.")
        first = calibrations[0]
        return Calibration(
            painter_fingerprint=first.painter_fingerprint,
            tensors={name: torch.stack([s.tensors[name] for s in calibrations]).mean(0) for name in first.tensors},
        )

    def save(self, path: Path) -> None:
        """Write a safetensors file, atomically. Raises OutputError."""
        from safetensors.torch import save

        from tsn.io.atomic import atomic_write

        metadata = {"of": self.painter_fingerprint, "sha256": self.fingerprint}
        content = save({k: v.contiguous() for k, v in self.tensors.items()}, metadata=metadata)
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)

    @staticmethod
    def load(path: Path) -> Calibration:
        """Read what `save` wrote.

        Raises:
            InputError: it is missing or damaged; safetensors has no checksum of its own, and a flipped bit would give
                another picture on one host of many.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        from tsn.io.safetensors_file import read_header

        try:
            header = read_header(path)
        except InputError as error:
            raise InputError(f"Cannot read the survey {path}: {error}", hint="Plan the shot again.") from error
        if "of" not in header.metadata:
            raise InputError(f"{path} is not a survey: it does not say of which painter.", hint="Plan the shot again.")
        right_form = (
            all(entry.dtype == "F32" for entry in header.tensors.values()) and header.element_count <= MAX_NUMBERS
        )
        try:
            tensors = load(path.read_bytes()) if right_form else {}
        except (OSError, SafetensorError) as error:
            raise InputError(f"Cannot read the survey {path}: {error}.", hint="Plan the shot again.") from error
        calibration = Calibration(painter_fingerprint=header.metadata["of"], tensors=tensors)
        if not right_form or calibration.fingerprint != header.metadata.get("sha256"):
            raise InputError(f"{path} is damaged: its content is not what was written.", hint="Plan the shot again.")
        return calibration


def require_calibration_of(painter: Painter, calibration: Calibration) -> None:
    """Raise InputError unless `painter` took `survey`: other statistics would paint another picture."""
    if calibration.painter_fingerprint != painter.fingerprint:
        raise InputError(
            f"The survey belongs to another painter than {painter.name!r}:"
            f" expected {painter.fingerprint[:12]}, found {calibration.painter_fingerprint[:12]}.",
            hint="The style's weights, scale or blend have changed since the shot was planned; plan it again.",
        )


def digest(*parts: str | bytes) -> str:
    """SHA-256 in hex over parts, each with its length, so that ("ab", "c") and ("a", "bc") differ."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "little"))
        sha.update(data)
    return sha.hexdigest()
