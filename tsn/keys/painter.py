"""Key frames as a painter: what the rest of the engine knows of them (name, fingerprint, what was learnt)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tsn.errors import InputError
from tsn.keys.frame import GuidedFrame
from tsn.keys.guides import Scaling
from tsn.keys.net import net_from_weights
from tsn.keys.painting import paint_frame
from tsn.style.painter import Calibration, Painter, digest, require_calibration_of

METHOD = "keys-1"
"""Version of the pixels that learnt key frames make; part of the fingerprint, so frames of an older tsn are stale."""
WEIGHTS, MEAN, DEVIATION = "net.", "guides.mean", "guides.deviation"
"""Names in what was learnt (a `Calibration`): the net's weights begin with the first; the scaling of the guides."""
PAINTED = "key."
"""Before the number of each frame that tsn painted itself; its value is the SHA-256 of the file, as 32 numbers."""


class KeyPainter:
    """Key frames that are not learnt yet.

    Args:
        name: for messages.
        sources: frame (or `painting`) -> hash of what the key is made of; the fingerprint is of these.
        guides: number of guide channels.
    """

    def __init__(self, *, name: str, sources: Mapping[str, str], guides: int) -> None:
        self.name, self.guides = name, guides
        parts = [part for key in sorted(sources) for part in (key, sources[key])]
        self.fingerprint = digest(METHOD, str(guides), *parts)

    def paint(self, image: Tensor, number: int) -> Tensor:
        """See `Painter.paint`. Raises InputError: nothing is learnt yet."""
        raise InputError(f"Frame {number}: the key frames of this shot are not learnt yet.", hint="Run: tsn learn SHOT")

    def frozen(self, calibration: Calibration) -> Painter:
        """The painter with the net that learnt the keys. Raises InputError for what another shot learnt."""
        require_calibration_of(self, calibration)
        return LearntKeyPainter(self, calibration)


class LearntKeyPainter:
    """The net that has learnt the keys of a shot.

    Attributes:
        scaling: of the guides.
        painted: frame -> SHA-256 of the keys that tsn painted itself.
    """

    def __init__(self, keys: KeyPainter, learnt: Calibration) -> None:
        self.name, self.fingerprint = keys.name, digest(keys.fingerprint, learnt.fingerprint)
        self.scaling = Scaling(mean=learnt.tensors[MEAN], deviation=learnt.tensors[DEVIATION])
        self.painted = painted_frames(learnt.tensors)
        self.net = net_from_weights(net_weights(learnt.tensors)).requires_grad_(False)

    def paint(self, image: Tensor, number: int) -> Tensor:
        """A frame by itself, without AOVs and without what keys show of it; see `Painter.paint`."""
        nothing = torch.zeros_like(image[:1])
        return self.paint_guided(
            GuidedFrame(
                number=number,
                picture=image,
                guides=nothing.expand(self.net.guides, -1, -1),
                carried=torch.zeros_like(image),
                confidence=nothing,
            )
        )

    def paint_guided(self, frame: GuidedFrame) -> Tensor:
        """The paint of a frame, style space (3, H, W) in [0, 1]."""
        return paint_frame(self.net.to(frame.picture.device), frame)


def net_weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of the net in what was learnt."""
    return {name.removeprefix(WEIGHTS): tensor for name, tensor in tensors.items() if name.startswith(WEIGHTS)}


def painted_frames(tensors: Mapping[str, Tensor]) -> dict[int, str]:
    """The frames that tsn painted itself, and the SHA-256 (hex) of each file."""
    return {
        int(name.removeprefix(PAINTED)): bytes(tensor.to(torch.uint8).tolist()).hex()
        for name, tensor in tensors.items()
        if name.startswith(PAINTED)
    }


def painted_mark(number: int, sha256: str) -> tuple[str, Tensor]:
    """A frame that tsn painted itself, as a tensor with its name."""
    return f"{PAINTED}{number}", torch.tensor(list(bytes.fromhex(sha256)), dtype=torch.float32)
