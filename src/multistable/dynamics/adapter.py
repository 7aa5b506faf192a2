"""`Adapter`: how one type of recurrent module is seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from multistable.dynamics.base import Dynamics
from multistable.dynamics.calls import Sequences

__all__ = ["Adapter"]


@dataclass(frozen=True)
class Adapter:
    """How one type of recurrent module is seen.

    Attributes:
        layers: the module's `Dynamics`, layer by layer, given the module and its name in the model that was searched.
        read: a call's first two arguments, read as sequences: (module, inputs, state) -> `Sequences`.
        state_name: the argument of `forward` that is the state; None for the second, whatever its name.
        is_cell: whether a call takes a single step.
        layout: of a registered type, how it is called; None for those called as torch's.
    """

    layers: Callable[[Any, str], Sequence[Sequence[Dynamics]]]
    read: Callable[[Any, Any, Any], Sequences]
    state_name: str | None
    is_cell: bool
    layout: str | None = None
