"""Gatys, Ecker, Bethge 2016: the picture whose features have the painting's Gram matrices and the plate's content.

Bold, and freer with the painting's forms than nearest neighbours: claws of water where a wave was painted, wherever the
plate lets them. By L-BFGS in full precision, which takes its time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tsn.keys.losses import gram, gram_distance, pixels_of
from tsn.keys.optimise.base import KeySettings, Scale, Step
from tsn.style.nets.vgg import VGGFeatures

STYLE_LAYERS = ("1_1", "2_1", "3_1", "4_1", "5_1")
CONTENT_LAYER = "4_2"
STYLE, CONTENT, SMOOTH = 20.0, 1.0, 0.5
COARSEST_LINES = 240
"""Halved until it has no more lines than this, a picture's coarsest scale settles the large forms."""
EVALUATIONS = (120, 60)
"""Of the loss, at the coarsest scale and at each other."""
HISTORY = 20
INSIDE = 0.02
"""Distance from 0 and 1 at which a picture begins: at the ends themselves its logits are infinite."""


class Gatys:
    """The method; it has no state."""

    version = "gatys-1"

    def precision(self, device: torch.device) -> torch.dtype:
        """See `Method.precision`. L-BFGS takes differences of gradients, which less precision would drown."""
        return torch.float32

    def divisors(self, lines: int) -> tuple[int, ...]:
        """See `Method.divisors`."""
        divisor = 1
        while lines // divisor > COARSEST_LINES:
            divisor *= 2
        return tuple(2**i for i in range(divisor.bit_length() - 1, -1, -1))

    def steps(self, index: int, effort: float) -> int:
        """See `Method.steps`."""
        return max(2, round(EVALUATIONS[min(index, 1)] * effort))

    def paint(self, scale: Scale, before: Tensor | None, net: VGGFeatures, settings: KeySettings, step: Step) -> Tensor:
        """See `Method.paint`."""
        evaluations = self.steps(scale.index, settings.effort)
        with torch.no_grad():
            grams = _mixed_grams([net(painting[None]) for painting in scale.paintings], scale.shares)
            plate = net(scale.plate[None], last=CONTENT_LAYER)[CONTENT_LAYER]
        start = scale.recoloured if before is None else before
        # Logits, so that the picture stays in [0, 1].
        logits = torch.logit(start[None].clamp(INSIDE, 1 - INSIDE)).detach().requires_grad_(True)
        optimizer = torch.optim.LBFGS([logits], max_iter=evaluations, max_eval=evaluations, history_size=HISTORY)
        done = 0

        def loss() -> Tensor:
            nonlocal done
            optimizer.zero_grad()
            picture = torch.sigmoid(logits)
            maps = net(picture)
            style = sum(
                (gram_distance(gram(pixels_of(maps[layer])), wanted) for layer, wanted in grams.items()),
                torch.zeros((), device=picture.device),
            )
            content = (maps[CONTENT_LAYER] - plate).square().mean() / plate.square().mean()
            total = STYLE * style / len(grams) + CONTENT * settings.content * content + SMOOTH * _variation(picture)
            total.backward()
            done += 1
            step(min(done, evaluations), evaluations)
            return total

        optimizer.step(loss)
        return torch.sigmoid(logits.detach())[0]


def _mixed_grams(paintings: Sequence[Mapping[str, Tensor]], shares: Sequence[float]) -> dict[str, Tensor]:
    return {
        layer: torch.stack(
            [share * gram(pixels_of(maps[layer])) for maps, share in zip(paintings, shares, strict=True)]
        ).sum(0)
        for layer in STYLE_LAYERS
    }


def _variation(picture: Tensor) -> Tensor:
    return picture.diff(dim=-1).abs().mean() + picture.diff(dim=-2).abs().mean()
