"""The paint of one or several layers over the plate: from style space to plate values, mixed by strength and matte.

Each layer lies over those before it, as in comp: where it is painted by half, half of what is below shows. Paint
without a ground (`ground: none`) leaves gaps. They show the paint of the layers below and, where there is none,
nothing: the plate is taken away there and the output's alpha with it. So layers whose mattes do not overlap give the
same picture in either order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tsn import alpha, colour
from tsn.rendering.engine import Engine, PreparedFrame


@dataclass(frozen=True, kw_only=True)
class LayerPaint:
    """The paint of a layer in one frame.

    Attributes:
        engine: the layer's.
        prepared: the plate frame as this engine prepares it.
        painted: style space, (3, H, W).
        amount: strength times matte, a number or (1, H, W), 0 to 1.
        coverage: of paint that leaves its ground transparent, (1, H, W); None where it covers all.
    """

    engine: Engine
    prepared: PreparedFrame
    painted: Tensor
    amount: Tensor | float
    coverage: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Composite:
    """Layers over the plate.

    Attributes:
        rgb: plate values (3, H, W), premultiplied where the plate is; the source's own bits where all amounts are 0.
        alpha_left: factor on the plate's alpha, (1, H, W); None where no layer leaves gaps.
        seen: of each layer, how much of it the layers above leave to be seen, times its amount: a number or (1, H, W).
    """

    rgb: Tensor
    alpha_left: Tensor | None
    seen: tuple[Tensor | float, ...]


def composite(layers: Sequence[LayerPaint]) -> Composite:
    """Bring the paint of layers back from style space, and composite them over the plate, the first one lowest."""
    source, plate_alpha = layers[0].prepared.source, layers[0].prepared.alpha
    broken = colour.nonfinite_mask(source)
    mask: Tensor | float = 1.0 if plate_alpha is None else alpha.paint_mask(source, plate_alpha)
    gaps = plate_alpha is not None and any(layer.coverage is not None for layer in layers)
    rgb, left = source, torch.ones_like(source[:1])
    below: Tensor | None = None  # the paint so far over nothing, premultiplied
    solid: Tensor | None = None  # and how much it covers
    seen: list[Tensor | float] = []
    for layer in layers:
        paint = layer.engine.paint_codec.from_style(layer.painted, layer.prepared.reference)
        paint = paint if plate_alpha is None else alpha.premultiply(paint, plate_alpha)
        amount = torch.where(broken, 0.0, layer.amount * mask)
        stated = torch.where(broken, 0.0, torch.as_tensor(layer.amount, dtype=left.dtype, device=left.device))
        cover = layer.coverage if gaps else None
        shown = paint
        if cover is not None:
            shown = paint * cover if below is None else paint * cover + below * (1 - cover)
            full = cover if solid is None else cover + (1 - cover) * solid
            left = left - stated * (left - full)
        elif gaps:
            left = left - stated * (left - 1)
        rgb = alpha.composite(rgb, shown, amount)
        if gaps and len(layers) > 1:
            own = amount if cover is None else amount * cover
            below = paint * own if below is None else alpha.composite(below, paint, own)
            given = stated if cover is None else stated * cover
            solid = given if solid is None else solid + given * (1 - solid)
        hidden = stated if cover is None else stated * cover
        seen = [*(each * (1 - hidden) for each in seen), layer.amount]
    return Composite(rgb=rgb, alpha_left=left if gaps else None, seen=tuple(seen))
