"""Replicas of a module in several processes: the same parameters in each, whole, and without what wraps them."""

import hashlib
import sys
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from multistable._utils.processes import Processes
from multistable.dynamics import Stack

__all__ = ["check_replicas", "check_whole", "replica"]


def replica(module: nn.Module) -> nn.Module:
    """The module that `DistributedDataParallel` wraps, whose forward talks to the other processes."""
    return module.module if isinstance(module, DistributedDataParallel) else module


def check_whole(module: nn.Module) -> None:
    """Raise a `TypeError` if a process may have only a part of a parameter."""
    # Where nobody has imported them, they have made nothing.
    tensor, fsdp = (sys.modules.get(f"torch.distributed.{name}") for name in ("tensor", "fsdp"))
    sharded = {
        f"parameter {name!r}": "DTensor"
        for name, one in module.named_parameters()
        if tensor is not None and isinstance(one, tensor.DTensor)
    } | {
        f"module {name!r}" if name else "module": "FullyShardedDataParallel"
        for name, one in module.named_modules()
        if fsdp is not None and isinstance(one, fsdp.FullyShardedDataParallel)
    }
    for name, kind in sharded.items():
        raise TypeError(
            f"{name} must be whole in each process, got {kind}: warm up, or measure, before FSDP or tensor parallelism "
            "shards the module, or what is put together from its full state dict"
        )


@torch.no_grad()
def check_replicas(processes: Processes, stacks: Sequence[Stack]) -> None:
    """Raise in every process unless the recurrent modules are the same in all: parameters and buffers to the bit.

    Raises:
        ValueError: they are not, or others of the parameters are frozen.
    """
    if processes.size == 1:
        return
    digest = hashlib.sha256()
    for stack in stacks:
        for one in (*stack.parameters(), *stack.module.buffers()):
            digest.update(f"{one.dtype} {tuple(one.shape)} {one.requires_grad}".encode())
            digest.update(one.cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    first, *others = processes.exchange("replicas", digest.digest())
    for rank, other in enumerate(others, 1):
        if other != first:
            raise ValueError(
                "replicas must have the same parameters and buffers, and the same of them frozen, got others in "
                f"process {rank} than in process 0: "
                "wrap the module in DistributedDataParallel first, or seed torch with the same number before it is made"
            )
