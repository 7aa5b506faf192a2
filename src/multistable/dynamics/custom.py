"""`Dynamics` of a user's own recurrent module, from its step alone."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from torch import Tensor, nn

from multistable._utils.checks import check_int
from multistable._utils.names import type_name
from multistable.dynamics.adapter import Adapter, Arguments
from multistable.dynamics.base import Dynamics
from multistable.dynamics.calls import Sequences, check_inputs, flat_state, full_lengths
from multistable.dynamics.precision import as_real

__all__ = ["CustomDynamics", "Layout", "Map", "Observe", "Parameters", "custom_adapter"]

Layout = Literal["step", "time_first", "batch_first"]

Map = Callable[[Any, Tensor, Tensor], Tensor]
Observe = Callable[[Any, Tensor], Tensor]
Parameters = Callable[[Any], Sequence[nn.Parameter]]


class CustomDynamics(Dynamics):
    """The map of a registered module; `multistable.dynamics.register` says what the arguments mean."""

    def __init__(
        self,
        module: nn.Module,
        step: Map,
        name: str,
        input_size: int,
        state_size: int,
        output_size: int | None = None,
        *,
        observe: Observe | None = None,
        parameters: Parameters | None = None,
    ) -> None:
        super().__init__(name, input_size, state_size, output_size)
        self.module = module
        self._step = step
        self._observe = observe
        self._parameters = parameters

    def parameters(self) -> Sequence[nn.Parameter]:
        if self._parameters is None:
            return list(self.module.parameters())
        found, kind = self._parameters(self.module), type_name(type(self.module))
        if isinstance(found, Tensor) or not isinstance(found, Iterable):
            raise TypeError(f"parameters of {kind} must return several nn.Parameters, got {type_name(type(found))}")
        found = list(found)
        for one in found:
            if not isinstance(one, nn.Parameter):
                raise TypeError(f"parameters of {kind} must hold nn.Parameters, got {type_name(type(one))}")
        return found

    def step(self, s: Tensor, u: Tensor) -> Tensor:
        if len(s) == 0:  # which modules need not be able to take
            return s
        new = self._step(self.module, s, u.expand(len(s), -1))  # what is held is one input for all states
        kind = type_name(type(self.module))
        if not isinstance(new, Tensor):
            raise TypeError(f"step of {kind} must return a tensor, got {type_name(type(new))}")
        if new.shape != s.shape:
            raise ValueError(f"step of {kind} must return a state of shape {tuple(s.shape)}, got {tuple(new.shape)}")
        if new.dtype != s.dtype:
            raise TypeError(f"step of {kind} must return a state of dtype {s.dtype}, got {new.dtype}")
        return new

    def observe(self, s: Tensor) -> Tensor:
        if self._observe is None:
            return s
        observed = self._observe(self.module, s)
        kind = type_name(type(self.module))
        if not (isinstance(observed, Tensor) and observed.is_floating_point()):
            got = observed.dtype if isinstance(observed, Tensor) else type_name(type(observed))
            raise TypeError(f"observe of {kind} must return a floating-point tensor, got {got}")
        if observed.dim() != 2 or len(observed) != len(s):
            raise ValueError(f"observe of {kind} must return shape ({len(s)}, P), got {tuple(observed.shape)}")
        return observed


def custom_adapter(
    step: Map,
    *,
    input_size: Callable[[Any], int],
    state_size: Callable[[Any], int],
    output_size: Callable[[Any], int] | None = None,
    layout: Callable[[Any], Layout],
    observe: Observe | None = None,
    parameters: Parameters | None = None,
    arguments: Arguments | None = None,
    flatten: Callable[[Any], Tensor | None] | None = None,
    is_cell: bool = False,
    called_as: Layout | None = None,
) -> Adapter:
    """How modules of one type are seen, from functions of the module.

    Args:
        step: the map (module, s, u) -> s'.
        input_size: I.
        state_size: S.
        output_size: how many of the state's first entries are the output; by default all of them.
        layout: of the inputs of a call.
        observe: the part of the state that is observed, (module, s) -> (B, P); by default all of it.
        parameters: those that the step depends on; by default the module's.
        arguments: the inputs and the state among a call's arguments; by default the first two.
        flatten: makes a call's state one tensor (B, S); by default as `register` describes it.
        is_cell: whether a call takes a single step.
        called_as: the layout, where a call's arguments are no more than inputs and a state.
    """
    flattened = _flat if flatten is None else flatten

    sizes = {"input_size": input_size, "state_size": state_size}
    if output_size is not None:
        sizes["output_size"] = output_size

    def layers(module: nn.Module, prefix: str) -> list[list[Dynamics]]:
        kind = type_name(type(module))
        found = {name: check_int(f"{name} of {kind}", size(module)) for name, size in sizes.items()}
        if found.get("output_size", 1) > found["state_size"]:
            raise ValueError(
                f"output_size of {kind} must be at most its state_size {found['state_size']}, "
                f"got {found['output_size']}"
            )
        one = CustomDynamics(
            module,
            step,
            prefix or ("cell" if is_cell else "layer"),
            input_size(module),
            state_size(module),
            None if output_size is None else output_size(module),
            observe=observe,
            parameters=parameters,
        )
        if not one.parameters():
            raise ValueError(f"{type_name(type(module))} must have parameters to be seen as dynamics, got none")
        return [[one]]

    def read(module: nn.Module, inputs: Any, state: Any) -> Sequences:
        return _read_call(module, inputs, flattened(state), input_size(module), layout(module))

    return Adapter(layers, read, None, is_cell, arguments, direct=True, layout=called_as)


def _read_call(module: nn.Module, inputs: Any, state: Tensor | None, input_size: int, layout: Layout) -> Sequences:
    check_inputs(module, inputs, (1, 2) if layout == "step" else (2, 3), input_size)
    if layout == "step":
        inputs = inputs[None, None] if inputs.dim() == 1 else inputs[None]
    elif inputs.dim() == 2:
        inputs = inputs[:, None]
    elif layout == "batch_first":
        inputs = inputs.transpose(0, 1)
    return Sequences(inputs, full_lengths(inputs), state)


def _flat(state: Any) -> Tensor | None:
    """Tensors side by side, each (B, S) or (1, B, S) as torch's layers have it; complex ones as real.

    Raises:
        TypeError: it is something else.
    """
    parts = (state,) if isinstance(state, Tensor) else state
    if parts is None:
        return None
    if not isinstance(parts, tuple | list) or not all(isinstance(part, Tensor) for part in parts):
        raise TypeError(f"a state must be a tensor or a tuple of tensors, got {type_name(type(state))}")
    layers = (part[0] if part.dim() == 3 and len(part) == 1 else part for part in parts)
    return flat_state(tuple(as_real(part) if part.is_complex() else part for part in layers))
