"""How a process uses CPU cores: threads sleep while they wait, and there are no more of them than allowed."""

from __future__ import annotations

import os

PASSIVE_WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Environment for OpenMP, whose threads otherwise spin while they wait and slow down other programs on the host."""


def set_passive_waiting() -> None:
    """Set `PASSIVE_WAITING` for this process and its children, unless the user set it; before torch is loaded."""
    for name, value in PASSIVE_WAITING.items():
        os.environ.setdefault(name, value)


def limit_threads() -> None:
    """torch, OpenCV and OpenImageIO use at most `tsn.cpu_quota.thread_count` threads.

    torch respects OMP_NUM_THREADS and affinity but not a container's quota; OpenCV respects the last two; OpenImageIO
    respects none of them; OpenEXR uses one thread by default.
    """
    import cv2
    import torch

    from tsn.cpu_quota import thread_count

    count = min(torch.get_num_threads(), thread_count())
    torch.set_num_threads(count)
    cv2.setNumThreads(count)
    os.environ.setdefault("OPENIMAGEIO_THREADS", str(count))  # read when OpenImageIO is loaded
