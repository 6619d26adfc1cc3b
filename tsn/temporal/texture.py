"""How much texture a whole picture has, as grain and as strokes, and how to give it exactly so much.

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
"""Pixels of the Gaussian under which strokes are measured."""
SOLVER_ROUNDS = 8
GAIN_LIMITS = 0.6, 2.0
"""A picture that needs more than this has lost its strokes, and would get noise instead."""
_NOTHING = 1e-12


def texture_energy(picture: Tensor) -> Tensor:
    """Mean squared gradient of a picture's luma, as it is and under a Gaussian: (3, H, W) -> float64 (2,)."""
    return gradient_products([picture])[:, 0, 0]


def gradient_products(parts: Sequence[Tensor]) -> Tensor:
    """Mean products of the gradients of pictures' luma, each picture with each: n of (3, H, W) -> float64 (2, n, n).

    As they are, and under a Gaussian. With them the `texture_energy` of any weighted sum of the parts is known.
    """
    lights = [luma(part) for part in parts]
    return torch.stack([_products(lights), _products([blur(light, STROKE_SIGMA_PX) for light in lights])])


def solve_gains(of: Tensor, wanted: Tensor) -> tuple[float, float]:
    """By what to multiply grain and strokes, so that tone + grain + strokes has the texture that is wanted.

    Both energies are quadratic in the two factors; they are solved in turn, grain for the picture as it is, strokes
    for it under the Gaussian.

    Args:
        of: `gradient_products` of tone, grain and strokes, the parts of a picture.
        wanted: a `texture_energy`.
    """
    plain, soft = of.tolist()
    fine, broad = 1.0, 1.0
    for _ in range(SOLVER_ROUNDS):
        broad = _root(soft, 2, fine, float(wanted[1]))
        fine = _root(plain, 1, broad, float(wanted[0]))
    return fine, broad


def _root(products: list[list[float]], free: int, other: float, wanted: float) -> float:
    """The factor of part `free` (1 or 2) that gives the sum the energy `wanted`, the other part having `other`."""
    fixed = 3 - free
    square = products[free][free]
    if square < _NOTHING:
        return 1.0
    half = products[0][free] + other * products[fixed][free]
    rest = products[0][0] + 2 * other * products[0][fixed] + other**2 * products[fixed][fixed] - wanted
    inside = max(0.0, half**2 - square * rest)
    return min(max((inside**0.5 - half) / square, GAIN_LIMITS[0]), GAIN_LIMITS[1])


def _products(lights: Sequence[Tensor]) -> Tensor:
    count, pixels = len(lights), lights[0].numel()
    steps = [[light.diff(dim=axis) for axis in (-1, -2)] for light in lights]
    found = torch.zeros(count, count, dtype=torch.float64, device=lights[0].device)
    for i in range(count):
        for j in range(i + 1):
            sums = (sum_by_rows(a * b) for a, b in zip(steps[i], steps[j], strict=True))
            found[i, j] = found[j, i] = sum(sums) / pixels
    return found
