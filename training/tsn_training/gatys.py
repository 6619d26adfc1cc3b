"""The style transfer that optimises the picture itself: slow, and the yardstick of the nets that are fast.

Gatys, Ecker, Bethge, "Image style transfer using convolutional neural networks", CVPR 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tsn_training import losses, perceptual
from tsn_training.config import StyleConfig


def parts(
    painted: Tensor, plate: Tensor, *, features: perceptual.Features, target: dict[str, Tensor], config: StyleConfig
) -> dict[str, Tensor]:
    """The losses of a training (`losses`) between a painted picture and its plate, both (N, 3, H, W)."""
    maps = features(painted)
    with torch.no_grad():
        wanted = features(plate, last=perceptual.CONTENT_LAYER)[perceptual.CONTENT_LAYER]
    return {
        "content": losses.content_loss(maps[perceptual.CONTENT_LAYER], wanted),
        "style": losses.style_loss({k: losses.gram(maps[k]) for k in target}, target, config.style_layers),
        "tone": losses.tone_loss(painted, plate),
        "smooth": losses.total_variation(painted),
    }


def total(of: dict[str, Tensor], config: StyleConfig, weight: float) -> Tensor:
    """The weighted sum of `parts`, at a weight of the style."""
    return of["content"] + weight * of["style"] + config.tone_weight * of["tone"] + config.smooth_weight * of["smooth"]


def optimise(
    plate: Tensor,
    *,
    features: perceptual.Features,
    target: dict[str, Tensor],
    config: StyleConfig,
    evaluations: int = 60,
) -> Tensor:
    """Paint one plate (1, 3, H, W) by L-BFGS on its pixels, with the loss that the config's net was trained on."""
    # Logits, so that the picture stays in [0, 1] as a net's does.
    logits = torch.logit(plate.clamp(0.02, 0.98)).detach().requires_grad_(True)
    optimizer = torch.optim.LBFGS([logits], max_iter=evaluations, max_eval=evaluations, history_size=20)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = total(
            parts(torch.sigmoid(logits), plate, features=features, target=target, config=config),
            config,
            config.style_weight[1],
        )
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]  # torch annotates the closure as float
    return torch.sigmoid(logits).detach()
