"""How a command's process treats the CPUs: sleeping while it waits, and no more threads than it may use."""

from __future__ import annotations

import os

WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
"""OpenMP's threads spin while they wait; beside another program they take its CPU for nothing (docs/farm.md)."""


def sleep_while_waiting() -> None:
    """For this process and its children. Before torch is loaded, as OpenMP looks only then; who has set it means it."""
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)


def keep_to_threads() -> None:
    """torch, OpenCV and OpenImageIO take no more threads than `tsn.cpu_quota.thread_count` says.

    torch knows OMP_NUM_THREADS and affinity, but no container's quota; OpenCV knows the latter two; OpenImageIO none,
    and OpenEXR has one thread unless told.
    """
    import cv2
    import torch

    from tsn.cpu_quota import thread_count

    count = min(torch.get_num_threads(), thread_count())
    torch.set_num_threads(count)
    cv2.setNumThreads(count)
    os.environ.setdefault("OPENIMAGEIO_THREADS", str(count))  # which it reads when it is loaded, if it ever is
