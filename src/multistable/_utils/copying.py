"""Copies of modules."""

import copy
from collections.abc import Iterator
from typing import TypeVar

from torch import Tensor, nn

__all__ = ["copied"]

Module = TypeVar("Module", bound=nn.Module)


def copied(module: Module) -> Module:
    """A deep copy, in which tensors that the module has computed, which torch refuses to copy, have no graph."""
    return copy.deepcopy(module, {id(one): one.detach().clone() for one in _computed(module)})


def _computed(module: nn.Module) -> Iterator[Tensor]:
    for part in module.modules():
        for value in vars(part).values():
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, Tensor) and not one.is_leaf:
                    yield one
