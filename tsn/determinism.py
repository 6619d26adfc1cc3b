"""The same bits on any number of threads.

A frame has one hash, whether it was rendered with 2 threads or with 16. Most kernels of torch and OpenCV compute every
element in one fixed order and need no care. The exceptions that this engine met are listed here, each with the library,
the kernel and the size at which it shows (torch 2.14, on x86 with AVX2 and AVX-512). tests/test_determinism.py has a
test for each that fails without it.

Some places need no shared code and say so themselves: sums of whole numbers (`flow.nets.occlusion.arrival_counts`),
weights whose sums are exact (`flow.nets.proposals`), statistics by NumPy, which uses one thread (`temporal.cuts`),
means row by row (`style.arbitrary`), upsampling by a convolution (`style.nets.layers.upsample2x_smooth`) and the
logarithm of onnxruntime (`style.export.onnx_graph`).
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
"""Elements: a multiple of what any CPU computes at once, four vectors of 16 floats."""
GRAIN_ELEMENTS = 2048, 32768
"""The least number of elements that torch gives a thread, for its vector functions and for everything else."""

_LIMIT = os.environ.get("OMP_THREAD_LIMIT", "")
MAX_THREADS = int(_LIMIT) if _LIMIT.strip().isdecimal() and int(_LIMIT) else 2**31
"""Threads that OpenMP gives at most, whatever torch requests. Like OpenMP, we ignore a limit that is not a number."""

POINTWISE_DILATION = 2
"""Dilation of a 1x1 convolution whose input is in the usual memory format (not channels_last).

On a CPU, torch sends a 1x1 convolution of a batch below 16 to its own code at 1 thread and to oneDNN at 2 or more
(`use_mkldnn` in ATen's Convolution.cpp), which add up in other orders. A dilated one always goes to oneDNN, and a
kernel of one tap has no spread to dilate.
"""
MAX_POINTWISE_CHANNELS = 192
"""Input channels of an undilated 1x1 convolution in channels_last: there oneDNN sums over more channels than this in
an order that depends on the number of threads. A wider one must be split in two, whose results are added."""
SMALL_CONV_ELEMENTS = 20_480
"""Elements of an input up to which torch computes a convolution of a batch of one by its own code instead of oneDNN
(`use_mkldnn` in ATen's Convolution.cpp). That code multiplies matrices by a library whose sums depend on the threads.
"""


def apply_elementwise(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """function(x), for a function of each element by itself such as a power, a logarithm or a sigmoid.

    torch has two codes for them, one for whole vectors and one for the elements left over at the end, and they differ
    in the last bit. When a picture is divided among threads, each part has an end. So the elements are padded until
    every part, on whatever number of threads, consists of whole vectors.
    """
    flat = x.reshape(-1).contiguous()  # a slice of channels_last is strided, and takes the code for left-over elements
    missing = _padded_count(len(flat), min(torch.get_num_threads(), MAX_THREADS)) - len(flat)
    whole = F.pad(flat, (0, missing)) if missing else flat  # padding by 0 would still copy
    return function(whole)[: len(flat)].view(x.shape)


def _padded_count(count: int, threads: int) -> int:
    """The least number of elements, from `count` on, that torch divides into parts of whole vectors."""
    while True:
        parts = lcm(*(max(1, min(threads, -(-count // grain))) for grain in GRAIN_ELEMENTS))
        missing = -count % (VECTOR_ELEMENTS * parts)
        if not missing:
            return count
        count += missing


@contextmanager
def one_thread() -> Iterator[None]:
    """Run the block on one thread of torch, so that its sums and matrix products have one order.

    For small work only. The setting holds for the whole process while the block runs.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def sum_by_rows(x: Tensor) -> Tensor:
    """Sum of all elements of (..., H, W), a float64 scalar: along the rows first, then of the rows' sums.

    torch divides a sum over everything into one part a thread from 32,768 elements on. A sum along one axis has
    one order, and the rows are fewer than that.
    """
    return x.sum(-1, dtype=torch.float64).sum()


def resize_bilinear(image: Tensor, size: tuple[int, int]) -> Tensor:
    """(C, H, W) resized to `size` = (height, width), bilinear with pixel centres at halves, without antialiasing.

    Channel by channel: for three channels torch takes another kernel on one thread than on several.
    """
    return F.interpolate(image[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


def repeat_small_batch(x: Tensor, smallest_input: int) -> Tensor:
    """A batch of one for a convolutional net, repeated to two where one of the net's layers would be too small.

    Batches of two always go to oneDNN, see `SMALL_CONV_ELEMENTS`. Only the first result of the batch counts.

    Args:
        x: (1, C, H, W).
        smallest_input: elements of one sample in the layer where they are fewest.
    """
    return x.expand(2 if smallest_input <= SMALL_CONV_ELEMENTS else 1, -1, -1, -1)
