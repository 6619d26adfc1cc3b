"""The contract of everything that paints a frame (`Painter`), and the statistics of a shot (`Calibration`).

A painter gets and returns style space, float32 (3, H, W) in [0, 1], one frame at a time. It knows no neighbouring
frames and keeps no state: its result depends on that frame alone, so that a shot can be cut anywhere.
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
"""Limit for the numbers in a calibration; that of a bundled style has 2,200."""


class Painter(Protocol):
    """Anything that paints one frame.

    Attributes:
        name: of the style, for messages.
        fingerprint: changes whenever the result could: with the method, the hash of the weights, the settings, and for
            a painter with frozen statistics with its calibration. The frame hash contains that of the painter before
            its calibration, so that it needs no look at the plate.
    """

    name: str
    fingerprint: str

    def paint(self, image: Tensor, number: int) -> Tensor:
        """Paint a frame.

        Args:
            image: the plate, (3, H, W) float32 in [0, 1], of any size.
            number: of the frame.

        Returns:
            The painted frame, of the same shape and on the same device; the caller may change it in place.
        """
        ...


@runtime_checkable
class Unfrozen(Painter, Protocol):
    """A painter that needs what a survey of the shot found before it paints."""

    def frozen(self, calibration: Calibration) -> Painter:
        """The painter with its statistics frozen. Raises InputError for a calibration of another painter."""
        ...


@runtime_checkable
class Uncalibrated(Unfrozen, Protocol):
    """A painter that should be calibrated on the shot before it paints.

    Without calibration it normalises each frame by itself, and the picture pumps when a highlight enters. The renderer
    calibrates once per shot, and gives the calibration to every worker::

        if isinstance(painter, Uncalibrated):
            painter = painter.frozen(painter.calibrate(images))
    """

    def calibrate(self, images: Iterable[Tensor]) -> Calibration:
        """Take the statistics of a shot.

        Args:
            images: sampled frames, each (3, H, W) as `paint` gets it; or (4, H, W), where the fourth channel in
                [0, 1] is the coverage: the weight of each pixel, 0 for the void around an element.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Statistics of a shot for one painter; a part of the plan, the same for every chunk.

    Attributes:
        painter_fingerprint: of the painter that took it; only that painter can be frozen with it.
        tensors: float32 on the CPU, by name.
    """

    painter_fingerprint: str
    tensors: Mapping[str, Tensor]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the painter's fingerprint and the name, shape and bits of every tensor."""
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
        """The mean of calibrations on single frames, each with the same weight."""
        if not calibrations:
            raise ValueError("A calibration needs at least one frame.")
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
        """Read a file that `save` wrote.

        The metadata hold a checksum, since safetensors has none, and one flipped bit would give other pixels on one
        host of many.

        Raises:
            InputError: the file is missing or damaged.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        from tsn.io.safetensors_file import read_header

        try:
            header = read_header(path)
        except InputError as error:
            raise InputError(f"Cannot read the calibration {path}: {error}", hint="Plan the shot again.") from error
        if "of" not in header.metadata:
            raise InputError(
                f"{path} is not a calibration: its metadata do not name a painter.", hint="Plan the shot again."
            )
        has_right_form = (
            all(entry.dtype == "F32" for entry in header.tensors.values()) and header.element_count <= MAX_NUMBERS
        )
        try:
            tensors = load(path.read_bytes()) if has_right_form else {}
        except (OSError, SafetensorError) as error:
            raise InputError(f"Cannot read the calibration {path}: {error}.", hint="Plan the shot again.") from error
        calibration = Calibration(painter_fingerprint=header.metadata["of"], tensors=tensors)
        if not has_right_form or calibration.fingerprint != header.metadata.get("sha256"):
            raise InputError(f"{path} is damaged: its checksum does not fit its content.", hint="Plan the shot again.")
        return calibration


def require_calibration_of(painter: Painter, calibration: Calibration) -> None:
    """Raise InputError unless `painter` took `calibration`."""
    if calibration.painter_fingerprint != painter.fingerprint:
        raise InputError(
            f"The calibration belongs to another painter than {painter.name!r}:"
            f" expected {painter.fingerprint[:12]}, found {calibration.painter_fingerprint[:12]}.",
            hint="The style's weights, scale or blend have changed since the shot was planned; plan it again.",
        )


def digest(*parts: str | bytes) -> str:
    """SHA-256 in hex over parts, each with its length: ("ab", "c") and ("a", "bc") give different digests."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "little"))
        sha.update(data)
    return sha.hexdigest()
