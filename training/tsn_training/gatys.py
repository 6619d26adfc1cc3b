"""Style transfer by optimising the picture itself: slow, and the reference for the fast nets.

Gatys, Ecker, Bethge, "Image style transfer using convolutional neural networks", CVPR 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tsn_training import objective
from tsn_training.objective import StyleTarget


def optimise(plate: Tensor, target: StyleTarget, *, evaluations: int = 60) -> Tensor:
    """Paint one plate (1, 3, H, W) in [0, 1] by L-BFGS on its pixels, with the loss that the config's net minimises.

    Args:
        evaluations: how often the loss is computed at most.
    """
    # Logits, so that the picture stays in [0, 1] as a net's does.
    logits = torch.logit(target.recolour(plate).clamp(0.02, 0.98)).detach().requires_grad_(True)
    optimizer = torch.optim.LBFGS([logits], max_iter=evaluations, max_eval=evaluations, history_size=20)

    def closure() -> Tensor:
        optimizer.zero_grad()
        weight = target.config.style_weight[1]
        parts = objective.loss_parts(torch.sigmoid(logits), plate, target)
        loss = objective.weighted_sum(parts, target.config, weight)
        loss.backward()
        return loss

    optimizer.step(closure)
    return torch.sigmoid(logits).detach()
