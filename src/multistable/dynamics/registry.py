"""Which modules are recurrent, and how each is seen as `Dynamics`."""

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

from torch import nn

from multistable._utils.names import type_name
from multistable._utils.wrappers import inside
from multistable.dynamics._direction_adapter import direction_adapter
from multistable.dynamics._of_direction import DirectionDynamics
from multistable.dynamics.adapter import Adapter, Arguments
from multistable.dynamics.base import Dynamics
from multistable.dynamics.calls import Sequences, read_cell_call, read_double_call, read_layer_call
from multistable.dynamics.custom import Layout, Map, Observe, Parameters, custom_adapter
from multistable.dynamics.layers import LayerDynamics
from multistable.dynamics.stack import Stack
from multistable.dynamics.third_party import ADAPTERS as THIRD_PARTY
from multistable.dynamics.torch_layers import GRUDynamics, LSTMDynamics, RNNDynamics
from multistable.nn import BRC, GRU, LSTM, MGU, NBRC, BRCCell, DoubleLayer, MGUCell, NBRCCell

__all__ = ["adapter_of", "dynamics", "known_type", "recurrent_modules", "register", "stacks"]


_ADAPTERS: dict[type[nn.Module], Adapter] = {}


def stacks(module: nn.Module) -> list[Stack]:
    """The recurrent modules in `module`, each as a `Stack`, in the order of `module.named_modules()`.

    Raises:
        TypeError: `module` is not an `nn.Module`.
        ValueError: nothing in it is recurrent.
    """
    return [Stack(name, one, adapter) for name, one, adapter in recurrent_modules(module)]


def dynamics(module: nn.Module) -> list[Dynamics]:
    """Every recurrent layer and direction found in `module`.

    Found are the layers of `nn.RNN`, `nn.GRU` and `nn.LSTM`, the cells `nn.RNNCell`, `nn.GRUCell` and `nn.LSTMCell`,
    layers and cells of `multistable.nn`, both parts of a `DoubleLayer`, and the types added with `register`, whether
    `module` is one of them or holds them. They share the module's parameters.

    Args:
        module: any module.

    Returns:
        The layers, lowest first within a module, named by where they stand (`"rnn.l0"`, `"rnn.l0_reverse"`).

    Raises:
        TypeError: `module` is not an `nn.Module`.
        ValueError: nothing in it is recurrent.

    Examples:
        >>> import torch
        >>> from multistable.dynamics import dynamics
        >>> dynamics(torch.nn.GRU(3, 8, num_layers=2))
        [GRUDynamics('l0', input_size=3, state_size=8), GRUDynamics('l1', input_size=8, state_size=8)]
    """
    return [part for stack in stacks(module) for part in stack.parts]


def recurrent_modules(module: nn.Module) -> list[tuple[str, nn.Module, Adapter]]:
    """The recurrent modules in `module` with their names and how each is seen; raises as `stacks` does."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be an nn.Module, got {type_name(type(module))}")
    found = list(_search(module, "", set()))
    if not found:
        known = ", ".join(sorted(set(map(type_name, _ADAPTERS))))
        raise ValueError(
            f"module must be or hold a recurrent layer, got {type_name(type(module))} without one; known are {known} "
            f"and some of {', '.join(sorted({name.partition('.')[0] for name in THIRD_PARTY}))} "
            "(multistable.dynamics.register adds a type)"
        )
    return found


def adapter_of(module: nn.Module) -> Adapter | None:
    """How `module` itself is seen as recurrent; None if it is not."""
    kind = known_type(module)
    return None if kind is None else _adapter_for(kind)


def known_type(module: nn.Module) -> type[nn.Module] | None:
    """The type that `module` is seen as, the nearest known one that it derives from; None if there is none."""
    return next((kind for kind in type(module).__mro__ if _adapter_for(kind) is not None), None)


def _adapter_for(kind: type) -> Adapter | None:
    return _ADAPTERS.get(kind) or THIRD_PARTY.get(f"{kind.__module__}.{kind.__qualname__}")


def register(
    module_type: type[nn.Module],
    step: Map,
    *,
    input_size: Callable[[Any], int] = attrgetter("input_size"),
    state_size: Callable[[Any], int] = attrgetter("hidden_size"),
    output_size: Callable[[Any], int] | None = None,
    layout: Layout = "step",
    observe: Observe | None = None,
    parameters: Parameters | None = None,
    read: Arguments | None = None,
) -> None:
    """Make a recurrent module of your own known, so that `measure`, `warmup` and all else find it in any model.

    Args:
        module_type: the type; subclasses are found too.
        step: the map (module, s, u) -> s' on (B, S) and (B, I), in plain tensor operations.
        input_size: I, given the module; by default its attribute `input_size`.
        state_size: S, given the module; by default its attribute `hidden_size`.
        output_size: how many of the state's first entries are the output; by default all of them.
        layout: how a model calls the module: `"step"` for `module(u, state)` with u (B, I), `"time_first"` and
            `"batch_first"` for `module(inputs, state)` with inputs (T, B, I) and (B, T, I). The state is left out,
            None, a tensor (B, S) or (1, B, S), or a tuple of tensors that make up s side by side; complex ones are
            taken as `as_real` makes them. One that is left out is zeros: a module that starts elsewhere is to be passed
            its state.
        observe: the part of the state by which states are told apart, (module, s) -> (B, P); by default all of it. VAA
            and VAA* are of this part, so that entries that say nothing (a counter, a normaliser) don't drown the
            others. Residuals, and all that `attractors` and `fixed_points` say but VAA, are of the whole state: only
            as a whole is it the state of a map that can have an attractor.
        parameters: the parameters that the step depends on, given the module; by default its own. They must be copied
            where the module is: one that lives elsewhere is reached by an attribute of the module, such as a list.
        read: what a call's arguments mean, (module, *args, **kwargs) -> (inputs, state), both as `layout` says; by
            default the first two. The state had better be the object that was passed: by it, calls that go on with
            each other are joined.

    Complex parameters stay as they are. A complex state is kept as a real one of twice the size, by `as_real` and
    `as_complex` in the step.

    Before it is looked at, a module is called on a few random numbers, past its hooks, to see whether its forward does
    what `step` does; then a model's calls of it on the first batch are compared. One that can't be called with inputs
    and a state alone, returns no state, or draws at random, is taken on trust.

    Raises:
        TypeError: `module_type` is not a type of module, or something else not a function.
        ValueError: `layout` is none of the three.

    Examples:
        >>> import torch
        >>> from multistable.dynamics import dynamics, register
        >>> class LeakyCell(torch.nn.Module):
        ...     def __init__(self, input_size, hidden_size):
        ...         super().__init__()
        ...         self.input_size, self.hidden_size = input_size, hidden_size
        ...         self.mix = torch.nn.Linear(input_size + hidden_size, hidden_size)
        ...
        ...     def forward(self, u, s):
        ...         return 0.9 * s + 0.1 * self.mix(torch.cat([u, s], -1)).tanh()
        >>> register(LeakyCell, lambda cell, s, u: cell(u, s))
        >>> dynamics(LeakyCell(2, 8))
        [CustomDynamics('cell', input_size=2, state_size=8)]
    """
    if not (isinstance(module_type, type) and issubclass(module_type, nn.Module)):
        raise TypeError(f"module_type must be a type of nn.Module, got {module_type!r}")
    if not callable(step):
        raise TypeError(f"step must be a function (module, s, u) -> s', got {type_name(type(step))}")
    if layout not in ("step", "time_first", "batch_first"):
        raise ValueError(f"layout must be 'step', 'time_first' or 'batch_first', got {layout!r}")
    for name, needed in (("input_size", input_size), ("state_size", state_size)):
        if not callable(needed):
            raise TypeError(f"{name} must be a function of the module, got {type_name(type(needed))}")
    optional = {"output_size": output_size, "observe": observe, "parameters": parameters, "read": read}
    for name, given in optional.items():
        if given is not None and not callable(given):
            raise TypeError(f"{name} must be a function or None, got {type_name(type(given))}")

    _ADAPTERS[module_type] = custom_adapter(
        step,
        input_size=input_size,
        state_size=state_size,
        output_size=output_size,
        layout=lambda _: layout,
        observe=observe,
        parameters=parameters,
        arguments=None if read is None else _pair(read),
        is_cell=layout == "step",
        called_as=layout if read is None else None,
    )


def _pair(read: Arguments) -> Arguments:
    """A user's `read`, held to what it must return."""

    def checked(module: nn.Module, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        found = read(module, *args, **kwargs)
        if not (isinstance(found, tuple) and len(found) == 2):
            kind = type_name(type(module))
            raise TypeError(f"read of {kind} must return a pair (inputs, state), got {type_name(type(found))}")
        return found

    return checked


def _search(module: nn.Module, name: str, seen: set[nn.Module]) -> Iterator[tuple[str, nn.Module, Adapter]]:
    """Depth first; what a recurrent module is made of is not searched, and wrappers have no name."""
    if module in seen:
        return
    seen.add(module)
    wrapped = inside(module)
    if wrapped is not None:
        yield from _search(wrapped, name, seen)
        return
    adapter = adapter_of(module)
    if adapter is not None:
        yield name, module, adapter
        return
    for child_name, child in module.named_children():
        yield from _search(child, f"{name}.{child_name}" if name else child_name, seen)


def _register_directions(
    module_type: type[nn.Module], kind: type[DirectionDynamics], read: Callable[[Any, Any, Any], Sequences]
) -> None:
    _ADAPTERS[module_type] = direction_adapter(kind, read, is_cell=issubclass(module_type, nn.RNNCellBase))


def _double_layers(module: DoubleLayer, prefix: str) -> list[list[Dynamics]]:
    """Direction by direction the first part before the second, as they stand in the module's outputs and states."""
    start = f"{prefix}." if prefix else ""
    layers = []
    for k, parts in enumerate(module.layers):
        by_part = []
        for name, part in zip(("first", "second"), parts, strict=True):
            ((_, _, adapter),) = recurrent_modules(part)
            (directions,) = adapter.layers(part, f"{start}{name}.{k}")
            by_part.append(directions)
        first, second = by_part
        for one in second:
            one.warm = False
        layers.append([one for direction in zip(first, second, strict=True) for one in direction])
    return layers


for _layer_type, _kind in ((nn.RNN, RNNDynamics), (nn.GRU, GRUDynamics), (nn.LSTM, LSTMDynamics)):
    _register_directions(_layer_type, _kind, read_layer_call)
for _cell_type, _kind in ((nn.RNNCell, RNNDynamics), (nn.GRUCell, GRUDynamics), (nn.LSTMCell, LSTMDynamics)):
    _register_directions(_cell_type, _kind, read_cell_call)
for _own_type in (GRU, LSTM, MGU, BRC, NBRC):
    _register_directions(_own_type, LayerDynamics, read_layer_call)
for _own_cell in (MGUCell, BRCCell, NBRCCell):
    _register_directions(_own_cell, LayerDynamics, read_cell_call)
_ADAPTERS[DoubleLayer] = Adapter(_double_layers, read_double_call, "hx", is_cell=False)
