"""What the rooms around the net of key frames hand to each other: keys, and frames as the net sees them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Key:
    """A painted frame.

    Attributes:
        number: of the plate frame that was painted.
        paint: style space, float32 (3, H, W) in [0, 1], at the plate's size.
        weight: where it is painted, (1, H, W) in [0, 1]: its alpha times its matte; 0 = take it from elsewhere.
    """

    number: int
    paint: Tensor
    weight: Tensor


@dataclass(frozen=True, kw_only=True)
class GuidedFrame:
    """A plate frame as the net sees it; all tensors float32, of one size and on one device.

    Attributes:
        number: of the frame.
        picture: the plate in style space, (3, H, W) in [0, 1].
        guides: AOVs brought to about [-1, 1]: normals, depth, places on surfaces, object ids; (G, H, W), the same G
            for all frames of a shot; G = 0 where it has none.
        carried: the paint of the keys that show each place best, carried here by motion, (3, H, W); where none shows
            it, the value does not matter.
        confidence: how far `carried` is to be trusted, (1, H, W) in [0, 1]; 0 where no key shows the place.
        cover: how much each pixel counts, (1, H, W) in [0, 1], 0 in void; None where all count fully.
    """

    number: int
    picture: Tensor
    guides: Tensor
    carried: Tensor
    confidence: Tensor
    cover: Tensor | None = None
