"""`Adapter` of modules whose parameters are named as torch's."""

from collections.abc import Callable
from typing import Any

from torch import nn

from multistable.dynamics._of_direction import DirectionDynamics
from multistable.dynamics.adapter import Adapter, Arguments
from multistable.dynamics.base import Dynamics
from multistable.dynamics.calls import Sequences
from multistable.nn._directions import Direction, directions_of

__all__ = ["direction_adapter"]


def direction_adapter(
    kind: type[DirectionDynamics],
    read: Callable[[Any, Any, Any], Sequences],
    *,
    is_cell: bool,
    arguments: Arguments | None = None,
) -> Adapter:
    """How a layer or cell with torch's names is seen, each layer and direction as `kind`; `Adapter` says the rest."""

    def layers(module: nn.Module, prefix: str) -> list[list[Dynamics]]:
        return [[kind(one, _name(prefix, one)) for one in of_layer] for of_layer in directions_of(module)]

    return Adapter(layers, read, "hx", is_cell, arguments)


def _name(prefix: str, direction: Direction) -> str:
    """A cell is called as it is in the model, a layer as its module with its own name behind."""
    if isinstance(direction.module, nn.RNNCellBase):
        return prefix or direction.name
    return f"{prefix}.{direction.name}" if prefix else direction.name
