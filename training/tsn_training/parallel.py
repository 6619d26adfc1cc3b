"""One process or many: what `torchrun` sets up, and the few places where a training must know of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tsn.errors import DeviceError, UsageError

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True, kw_only=True)
class Process:
    """This process among all that train together.

    Attributes:
        rank: its number, from 0.
        world_size: how many there are.
        device: where its share is computed.
    """

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and messages."""
        return self.rank == 0

    def barrier(self) -> None:
        """Wait until all processes are here."""
        if self.world_size > 1:
            dist.barrier()

    def broadcast_from_first(self, value: bytes | None) -> bytes | None:
        """Return the first process's `value` in all of them."""
        if self.world_size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]

    def move(self, net: Net) -> Net:
        """Move a net to this process's device, its kernels in channels_last order."""
        return net.to(self.device).to(memory_format=torch.channels_last)

    def data_parallel(self, net: nn.Module, *, find_unused: bool = False) -> nn.Module:
        """Return the net with gradients averaged over all processes (DDP); with one process, the net itself.

        Args:
            find_unused: a step may leave some parameters without a gradient, the same ones in every process.
        """
        if self.world_size == 1:
            return net
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(net, device_ids=ids, find_unused_parameters=find_unused)


@contextmanager
def process_group() -> Iterator[Process]:
    """Join the processes that `torchrun` started (its WORLD_SIZE, RANK and LOCAL_RANK), or run alone.

    Raises:
        DeviceError: there are more processes on this machine than GPUs, where it has any.
    """
    world_size, rank, local = (
        int(os.environ.get(key, default)) for key, default in (("WORLD_SIZE", 1), ("RANK", 0), ("LOCAL_RANK", 0))
    )
    if torch.cuda.is_available():
        if local >= torch.cuda.device_count():
            raise DeviceError(f"Process {local} of this machine has no GPU: there are {torch.cuda.device_count()}.")
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    else:
        device = torch.device("cpu")
    if world_size == 1:
        yield Process(rank=0, world_size=1, device=device)
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Process(rank=rank, world_size=world_size, device=device)
    finally:
        dist.destroy_process_group()


def require_even_shares(batch: int, *, world_size: int, accumulate: int) -> None:
    """Raise UsageError unless every process, and every accumulated part, gets the same number of samples."""
    if batch % (world_size * accumulate):
        raise UsageError(
            f"batch: {batch} samples cannot be shared out evenly over {world_size} processes x {accumulate} parts.",
            hint=f"Make it a multiple of {world_size * accumulate}.",
        )


def without_sync(net: nn.Module, *, last: bool) -> AbstractContextManager[object]:
    """Keep the gradients of all but the last part of a step in their process: only the sum need be averaged."""
    return net.no_sync() if isinstance(net, DistributedDataParallel) and not last else nullcontext()
