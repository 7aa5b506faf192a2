"""`Dynamics` of a user's own recurrent module, from its step alone."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from torch import Tensor, nn

from multistable.dynamics.base import Dynamics
from multistable.dynamics.calls import Sequences, check_inputs, flat_state, full_lengths

__all__ = ["CustomDynamics", "read_custom_call"]

Layout = Literal["step", "time_first", "batch_first"]


class CustomDynamics(Dynamics):
    """The map of a registered module; `multistable.dynamics.register` says what the arguments mean."""

    def __init__(
        self,
        module: nn.Module,
        step: Callable[[Any, Tensor, Tensor], Tensor],
        name: str,
        input_size: int,
        state_size: int,
        output_size: int | None = None,
    ) -> None:
        super().__init__(name, input_size, state_size, output_size)
        self.module = module
        self._step = step

    def parameters(self) -> Sequence[nn.Parameter]:
        return list(self.module.parameters())

    def step(self, s: Tensor, u: Tensor) -> Tensor:
        new = self._step(self.module, s, u.expand(len(s), -1))  # what is held is one input for all states
        kind = type(self.module).__name__
        if not isinstance(new, Tensor):
            raise TypeError(f"step of {kind} must return a tensor, got {type(new).__name__}")
        if new.shape != s.shape:
            raise ValueError(f"step of {kind} must return a state of shape {tuple(s.shape)}, got {tuple(new.shape)}")
        if new.dtype != s.dtype:
            raise TypeError(f"step of {kind} must return a state of dtype {s.dtype}, got {new.dtype}")
        return new


def read_custom_call(module: nn.Module, inputs: Any, state: Any, input_size: int, layout: Layout) -> Sequences:
    """Read a call of a registered module, as `multistable.dynamics.register` describes them."""
    check_inputs(module, inputs, (1, 2) if layout == "step" else (2, 3), input_size)
    if layout == "step":
        inputs = inputs[None, None] if inputs.dim() == 1 else inputs[None]
    elif inputs.dim() == 2:
        inputs = inputs[:, None]
    elif layout == "batch_first":
        inputs = inputs.transpose(0, 1)
    return Sequences(inputs, full_lengths(inputs), flat_state(state))
