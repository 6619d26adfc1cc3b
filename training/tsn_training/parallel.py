"""One process or many: what `torchrun` gives, and the few places where a training must know of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tsn.errors import DeviceError, UsageError


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where this process stands among all of them.

    Attributes:
        rank: its number, from 0; the first one writes files.
        world: how many there are.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0

    def meet(self) -> None:
        """Wait for all processes."""
        if self.world > 1:
            dist.barrier()

    def of_first(self, value: bytes | None) -> bytes | None:
        """What the first process gave, in all of them."""
        if self.world == 1:
            return value
        told = [value]
        dist.broadcast_object_list(told, src=0)
        return told[0]

    def share(self, net: nn.Module, *, in_turn: bool = False) -> nn.Module:
        """The net with its gradients averaged over all processes (DDP), or as it is where there is one.

        Args:
            in_turn: a step may leave some of its parameters out, the same ones in every process.
        """
        if self.world == 1:
            return net
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(net, device_ids=ids, find_unused_parameters=in_turn)


@contextmanager
def place() -> Iterator[Place]:
    """Join the processes that `torchrun` started (its WORLD_SIZE, RANK and LOCAL_RANK), or stand alone.

    Raises:
        DeviceError: more processes on this machine than GPUs, where it has any.
    """
    world, rank, local = (int(os.environ.get(k, d)) for k, d in (("WORLD_SIZE", 1), ("RANK", 0), ("LOCAL_RANK", 0)))
    if torch.cuda.is_available():
        if local >= torch.cuda.device_count():
            raise DeviceError(f"Process {local} of this machine has no GPU: there are {torch.cuda.device_count()}.")
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    else:
        device = torch.device("cpu")
    if world == 1:
        yield Place(rank=0, world=1, device=device)
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Place(rank=rank, world=world, device=device)
    finally:
        dist.destroy_process_group()


def require_even(batch: int, *, world: int, accumulate: int) -> None:
    """Raise UsageError unless the batch can be shared out evenly."""
    if batch % (world * accumulate):
        raise UsageError(
            f"batch: {batch} samples cannot be shared out evenly over {world} processes x {accumulate} parts.",
            hint=f"Make it a multiple of {world * accumulate}.",
        )


def without_sync(net: nn.Module, *, last: bool) -> AbstractContextManager[object]:
    """Gradients of all but the last part of a step need not travel."""
    return net.no_sync() if isinstance(net, DistributedDataParallel) and not last else nullcontext()
