"""`Adapter`: how one type of recurrent module is seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from multistable.dynamics.base import Dynamics
from multistable.dynamics.calls import Sequences

__all__ = ["Adapter", "Arguments"]

Arguments = Callable[..., tuple[Any, Any]]
"""(module, *args, **kwargs) -> (inputs, state): what of a call's arguments is which."""


@dataclass(frozen=True)
class Adapter:
    """How one type of recurrent module is seen.

    Attributes:
        layers: the module's `Dynamics`, layer by layer, given the module and its name in the model that was searched.
        read: a call's inputs and state, read as sequences: (module, inputs, state) -> `Sequences`.
        state_name: the argument of `forward` that is the state; None for the second, whatever its name.
        is_cell: whether a call takes a single step.
        arguments: the inputs and the state among a call's arguments, where they are not the first argument and the one
            that `state_name` says. The state is the very object that was passed: calls are joined by it.
        direct: whether a model may call the module's `forward`, past `__call__` and its hooks.
        layout: of a registered type that is called with inputs and a state, how; None for all others.
    """

    layers: Callable[[Any, str], Sequence[Sequence[Dynamics]]]
    read: Callable[[Any, Any, Any], Sequences]
    state_name: str | None
    is_cell: bool
    arguments: Arguments | None = None
    direct: bool = False
    layout: str | None = None
