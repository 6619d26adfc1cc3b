"""Powers, logarithms and their like with the same bits on any number of threads.

torch has two codes for them, one for whole vectors and one for what is left over at the end, and they differ in the
last bit. Where a picture is cut among threads each part has an end, so the number of threads showed in the pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

WHOLE = 64
"""Elements: a multiple of what any CPU takes at once, four vectors of 16 floats."""


def steadily(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """function(x) for a function of each element by itself: nothing is left over, whoever takes which part."""
    flat = x.reshape(-1)
    missing = -len(flat) % (WHOLE * torch.get_num_threads())
    whole = F.pad(flat, (0, missing)) if missing else flat  # padding by nothing would still copy
    return function(whole)[: len(flat)].view(x.shape)
