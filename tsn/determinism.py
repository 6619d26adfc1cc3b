"""Powers, logarithms and their like with the same bits on any number of threads.

torch has two codes for them, one for whole vectors and one for what is left over at the end, and they differ in the
last bit. Where a picture is cut among threads each part has an end, so the number of threads showed in the pixels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import lcm

import torch
import torch.nn.functional as F
from torch import Tensor

VECTOR_ELEMENTS = 64
"""Elements: a multiple of what any CPU takes at once, four vectors of 16 floats."""
GRAIN_ELEMENTS = 2048, 32768
"""Elements of which torch gives a thread at least so many: its vector functions, and all else."""

_LIMIT = os.environ.get("OMP_THREAD_LIMIT", "")
MAX_THREADS = int(_LIMIT) if _LIMIT.strip().isdecimal() and int(_LIMIT) else 2**31
"""Threads that OpenMP gives whoever asks for more. What is no number it passes over, and so do we."""


def apply_elementwise(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """function(x) for a function of each element by itself: nothing is left over, whoever takes which part."""
    flat = x.reshape(-1).contiguous()  # channels_last leaves a channel's elements apart: the other code takes those
    missing = _whole(len(flat), min(torch.get_num_threads(), MAX_THREADS)) - len(flat)
    whole = F.pad(flat, (0, missing)) if missing else flat  # padding by nothing would still copy
    return function(whole)[: len(flat)].view(x.shape)


def _whole(count: int, threads: int) -> int:
    """The least number of elements from `count` on that falls into parts of whole vectors, however torch parts it."""
    while True:
        parts = lcm(*(max(1, min(threads, -(-count // grain))) for grain in GRAIN_ELEMENTS))
        missing = -count % (VECTOR_ELEMENTS * parts)
        if not missing:
            return count
        count += missing


@contextmanager
def one_thread() -> Iterator[None]:
    """Within this block a sum has one order: sums that depend on a thread count would give the same shot other bits on
    another host."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


POINTWISE_DILATION = 2
"""Dilation of a 1x1 convolution whose bits must not depend on the number of threads.

On a CPU, torch sends a 1x1 convolution of a small batch to one library at 1 thread and to another at 2 or more
(`use_mkldnn` in ATen's Convolution.cpp). A dilated one always goes to the same library, and a kernel of one tap has no
spread to dilate.
"""
