"""Wrappers of torch's that stand around a module without being part of it."""

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

__all__ = ["inside", "unwrapped"]


def inside(module: nn.Module) -> nn.Module | None:
    """What `DataParallel`, `DistributedDataParallel` or `torch.compile` has wrapped; None for any other module."""
    if isinstance(module, DataParallel | DistributedDataParallel):
        wrapped: nn.Module = module.module
        return wrapped
    return next((child for name, child in module.named_children() if name == "_orig_mod"), None)


def unwrapped(module: nn.Module) -> nn.Module:
    """The module without the wrappers around it."""
    while (inner := inside(module)) is not None:
        module = inner
    return module
