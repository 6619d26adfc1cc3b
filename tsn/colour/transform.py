"""Plate space <-> working space: linear Rec.709, or sRGB-encoded Rec.709 for display-referred plates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import PyOpenColorIO as ocio
import torch
from torch import Tensor

from tsn.determinism import apply_elementwise
from tsn.ocio import WORKING, find_space, processors, translate_errors


@dataclass(frozen=True, kw_only=True)
class WorkingTransform:
    """A transform from plate values to the working space, and back.

    Attributes:
        forward: float32 (3, H, W) -> float32 (3, H, W).
        inverse: the way back.
        linear: both are linear maps.
        display: the working space is sRGB-encoded Rec.709 instead of linear Rec.709.
    """

    forward: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]
    linear: bool
    display: bool


def _matrix(values: np.ndarray) -> Callable[[Tensor], Tensor]:
    rows = values.tolist()

    def apply(rgb: Tensor) -> Tensor:
        # Not a matmul, which may run in TF32 and may give other bits at another image size.
        return torch.stack([a * rgb[0] + b * rgb[1] + c * rgb[2] for a, b, c in rows])

    return apply


def _cpu(processor: Any) -> Callable[[Tensor], Tensor]:
    # OCIO's default optimisation is lossy (1e-3).
    cpu = processor.getOptimizedCPUProcessor(ocio.BIT_DEPTH_F32, ocio.BIT_DEPTH_F32, ocio.OPTIMIZATION_LOSSLESS)

    def apply(rgb: Tensor) -> Tensor:
        pixels = np.ascontiguousarray(rgb.detach().cpu().permute(1, 2, 0).numpy().astype(np.float32))
        cpu.applyRGB(pixels)
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous().to(rgb.device)

    return apply


# Kodak, "Conversion of 10-bit Log Film Data to 8-bit Linear or Video Data": 0.002 density a code, film gamma 0.6.
_CINEON_BLACK = 10 ** ((95 - 685) * 0.002 / 0.6)


def _cineon_to_linear(code: Tensor) -> Tensor:
    return (10 ** ((code * 1023 - 685) * (0.002 / 0.6)) - _CINEON_BLACK) / (1 - _CINEON_BLACK)


def _linear_to_cineon(linear: Tensor) -> Tensor:
    exposure = linear * (1 - _CINEON_BLACK) + _CINEON_BLACK
    return (exposure.clamp(min=10 ** (-685 * 0.002 / 0.6)).log10() * (0.6 / 0.002) + 685) / 1023


def _both_ways(config: Any, name: str, working: str) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    forward, inverse = processors(config, name, working)
    with translate_errors(name):
        return _cpu(forward), _cpu(inverse)


def working_transform(space: str) -> WorkingTransform:
    """The transform of a colour space, see `tsn.ocio.resolve_space`.

    Whether it is linear, log or display-referred is found by probing, not read from its `encoding`, which many shows'
    configs leave empty.
    """
    config, name = find_space(space)
    if config is None:
        return WorkingTransform(
            forward=partial(apply_elementwise, _cineon_to_linear),
            inverse=partial(apply_elementwise, _linear_to_cineon),
            linear=False,
            display=False,
        )
    forward, inverse = _both_ways(config, name, WORKING)
    probe = torch.cat([torch.eye(3), 0.25 * torch.eye(3), torch.full((1, 3), -2.0), torch.zeros(1, 3)]).T[:, None]
    result = forward(probe)[:, 0].double()
    matrix = result[:, :3]
    if torch.allclose(matrix @ probe[:, 0].double(), result, rtol=1e-4, atol=1e-5):
        back = np.linalg.inv(matrix.numpy())
        return WorkingTransform(forward=_matrix(matrix.numpy()), inverse=_matrix(back), linear=True, display=False)
    white = forward(torch.ones(3, 1, 1))
    if not torch.allclose(white, torch.ones(3, 1, 1), atol=0.02):
        return WorkingTransform(forward=forward, inverse=inverse, linear=False, display=False)
    if torch.allclose(matrix, torch.eye(3, dtype=torch.float64), atol=1e-3):
        # Rec.709 primaries with some video gamma: its codes are those of a picture from the web.
        same = _matrix(np.eye(3))
        return WorkingTransform(forward=same, inverse=same, linear=True, display=True)
    forward, inverse = _both_ways(config, name, "srgb_tx")
    return WorkingTransform(forward=forward, inverse=inverse, linear=False, display=True)
