"""How much texture a whole picture has, as grain and as strokes, and the gains that give it a wanted amount.

Local gains (`detail.restore_detail`) treat each band by itself, and bands overlap; what silhouettes and clipping at
black and white take away is missing besides. Two gains for the whole frame correct that. They come from means over
the whole frame, so they are as steady as the window, and nothing boils by them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tsn.determinism import sum_by_rows
from tsn.temporal.filters import blur, luma

STROKE_SIGMA_PX = 1.0
"""Sigma of the Gaussian that removes grain, so that strokes are measured."""
SOLVER_ROUNDS = 8
"""Rounds in which the two gains are solved in turn."""
GAIN_LIMITS = 0.6, 2.0
"""Range of the gains. A picture that needs more has lost its strokes, and would get noise instead."""
_NO_ENERGY = 1e-12


def texture_energy(picture: Tensor) -> Tensor:
    """Mean squared gradient of a picture's luma, without and with a Gaussian blur: (3, H, W) -> float64 (2,)."""
    return gradient_products([picture])[:, 0, 0]


def gradient_products(parts: Sequence[Tensor]) -> Tensor:
    """Mean products of the gradients of pictures' luma, each picture with each: n of (3, H, W) -> float64 (2, n, n).

    Without and with a Gaussian blur. They give the `texture_energy` of any weighted sum of the parts.
    """
    lights = [luma(part) for part in parts]
    return torch.stack([_products(lights), _products([blur(light, STROKE_SIGMA_PX) for light in lights])])


def solve_gains(products: Tensor, target: Tensor) -> tuple[float, float]:
    """The gains of grain and strokes with which tone + grain + strokes has the target texture.

    Both energies are quadratic in the two gains, which are solved in turn: that of grain by the energy without a blur,
    that of strokes by the energy with it.

    Args:
        products: `gradient_products` of tone, grain and strokes, (2, 3, 3).
        target: a `texture_energy`, (2,).

    Returns:
        Gain of grain and gain of strokes, each within `GAIN_LIMITS`.
    """
    plain, soft = products.tolist()
    fine, broad = 1.0, 1.0
    for _ in range(SOLVER_ROUNDS):
        broad = _root(soft, 2, fine, float(target[1]))
        fine = _root(plain, 1, broad, float(target[0]))
    return fine, broad


def _root(products: list[list[float]], free: int, other: float, target: float) -> float:
    """The gain of part `free` (1 or 2) with which the sum has the energy `target`; the other part has gain `other`."""
    fixed = 3 - free
    square = products[free][free]
    if square < _NO_ENERGY:
        return 1.0
    half = products[0][free] + other * products[fixed][free]
    rest = products[0][0] + 2 * other * products[0][fixed] + other**2 * products[fixed][fixed] - target
    discriminant = max(0.0, half**2 - square * rest)
    return min(max((discriminant**0.5 - half) / square, GAIN_LIMITS[0]), GAIN_LIMITS[1])


def _products(lights: Sequence[Tensor]) -> Tensor:
    """Mean products of the gradients of n lumas (1, H, W), each with each: float64 (n, n)."""
    count, pixels = len(lights), lights[0].numel()
    steps = [[light.diff(dim=axis) for axis in (-1, -2)] for light in lights]
    found = torch.zeros(count, count, dtype=torch.float64, device=lights[0].device)
    for i in range(count):
        for j in range(i + 1):
            sums = (sum_by_rows(a * b) for a, b in zip(steps[i], steps[j], strict=True))
            found[i, j] = found[j, i] = sum(sums) / pixels
    return found
