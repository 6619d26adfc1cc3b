"""Powers, logarithms and their like with the same bits on any number of threads.

torch has two codes for them, one for whole vectors and one for what is left over at the end, and they differ in the
last bit. Where a picture is cut among threads each part has an end, so the number of threads showed in the pixels.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from math import lcm

import torch
import torch.nn.functional as F
from torch import Tensor

WHOLE = 64
"""Elements: a multiple of what any CPU takes at once, four vectors of 16 floats."""
GRAINS = 2048, 32768
"""Elements of which torch gives a thread at least so many: its vector functions, and all else."""

_LIMIT = os.environ.get("OMP_THREAD_LIMIT", "")
MOST = int(_LIMIT) if _LIMIT.strip().isdecimal() and int(_LIMIT) else 2**31
"""Threads that OpenMP gives whoever asks for more. What is no number it passes over, and so do we."""


def steadily(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """function(x) for a function of each element by itself: nothing is left over, whoever takes which part."""
    flat = x.reshape(-1).contiguous()  # channels_last leaves a channel's elements apart: the other code takes those
    missing = _whole(len(flat), min(torch.get_num_threads(), MOST)) - len(flat)
    whole = F.pad(flat, (0, missing)) if missing else flat  # padding by nothing would still copy
    return function(whole)[: len(flat)].view(x.shape)


def _whole(count: int, threads: int) -> int:
    """The least number of elements from `count` on that falls into parts of whole vectors, however torch parts it."""
    while True:
        parts = lcm(*(max(1, min(threads, -(-count // grain))) for grain in GRAINS))
        missing = -count % (WHOLE * parts)
        if not missing:
            return count
        count += missing
