"""What a painted picture is measured by: at which sizes, by which layers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.style.nets.vgg import VGGFeatures
from tsn_training import losses, objective
from tsn_training.config import StyleConfig

SIZES = {1: {"1_1": 0.5, "2_1": 1.0}, 2: {"3_1": 2.0}}


def pictures(seed: int) -> Tensor:
    blurred = F.avg_pool2d(torch.rand(1, 3, 68, 68, generator=torch.Generator().manual_seed(seed)), 5, stride=1)
    return ((blurred - 0.5) * 2 + 0.5).clamp(0.2, 0.8)


def measured(config: StyleConfig, features: VGGFeatures, painted: Tensor, plate: Tensor) -> dict[str, float]:
    target = objective.target_from_painting(pictures(9), config, features, torch.rand(50, 3))
    return {name: loss.item() for name, loss in objective.loss_parts(painted, plate, target).items()}


def test_at_half_size_what_is_finer_is_free(settings_of: Callable[..., StyleConfig], thin: VGGFeatures) -> None:
    plate = pictures(1)
    sign = torch.tensor([1.0, -1.0]).repeat(32)
    painted = plate + 0.15 * sign[:, None] * sign  # no 2x2 average tells them apart
    found = {
        scale: measured(settings_of(style_layers=SIZES, content_scale=scale), thin, painted, plate)["content"]
        for scale in (1, 2)
    }
    assert found[1] > 1e-4
    assert found[2] == pytest.approx(0, abs=1e-9)


def test_style_is_the_mean_over_the_layers_of_every_size(
    settings_of: Callable[..., StyleConfig], thin: VGGFeatures
) -> None:
    painted = pictures(2)
    found = measured(settings_of(style_layers=SIZES), thin, painted, pictures(1))["style"]
    terms = [
        weight * losses.style_loss(of(painted), of(pictures(9)), {layer: weight})
        for scale, layers in SIZES.items()
        for layer, weight in layers.items()
        for of in [lambda x, s=scale, n=layer: {n: losses.moments(thin(F.avg_pool2d(x, s))[n])}]
    ]
    assert found == pytest.approx(sum(terms).item() / 3.5, rel=1e-5)
    assert found > 1e-3


@pytest.mark.parametrize("content", ["3_2", "4_2"])
@pytest.mark.parametrize(("content_scale", "looked_at"), [(1, {32: "3_1"}), (2, {64: "2_1"})])
def test_no_size_is_looked_at_deeper_than_is_asked(
    settings_of: Callable[..., StyleConfig],
    thin: VGGFeatures,
    monkeypatch: pytest.MonkeyPatch,
    content: str,
    content_scale: int,
    looked_at: dict[int, str],
) -> None:
    config = settings_of(style_layers=SIZES, content_layer=content, content_scale=content_scale)
    target = objective.target_from_painting(pictures(9), config, thin, torch.rand(50, 3))
    seen: list[tuple[int, str | None]] = []
    whole = VGGFeatures.forward

    def forward(self: VGGFeatures, x: Tensor, *, last: str | None = None) -> dict[str, Tensor]:
        seen.append((x.shape[-1], last))
        return whole(self, x, last=last)

    monkeypatch.setattr(VGGFeatures, "forward", forward)
    objective.loss_parts(pictures(2), pictures(1), target)
    plate = (64 // content_scale, content)  # and so the painted picture, whose style layers there lie above it
    assert sorted(seen) == sorted([*looked_at.items(), plate, plate])
