"""Recurrent modules in double precision, beside the originals."""

import copy
from collections.abc import Sequence

from torch import nn

from multistable.dynamics.registry import adapter_of
from multistable.dynamics.stack import Stack

__all__ = ["in_float64"]


def in_float64(found: Sequence[tuple[Stack, nn.Module]]) -> list[Stack]:
    """The recurrent modules that `find` found, copied and in float64; their parameters are not the modules' own."""
    stacks = []
    for stack, module in found:
        adapter = adapter_of(module)
        assert adapter is not None
        stacks.append(Stack(stack.name, adapter.layers(copy.deepcopy(module).double(), stack.name)))
    return stacks
