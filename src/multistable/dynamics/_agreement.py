"""Whether a module does what its `Dynamics` say, tried on a few random numbers."""

import inspect
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from multistable.dynamics.calls import Sequences
from multistable.dynamics.registry import known_type
from multistable.dynamics.stack import Stack
from multistable.nn import DoubleLayer
from multistable.nn._layer import RecurrentLayer

__all__ = ["check_agreement"]

_BATCH = 2
_STEPS = 2, 1  # of a layer's first and second call; a cell's take one
_CALLED_AS_TORCHS = (nn.RNNBase, nn.RNNCellBase, RecurrentLayer, DoubleLayer)


@torch.no_grad()
def check_agreement(stack: Stack) -> None:
    """Raise unless a module's own forward agrees with the map that it is seen as.

    A type known here that keeps its forward is not asked. A registered one is where it can be called as `layout` says,
    returns its state, and does the same in two equal calls. The module must be in evaluation mode.

    Raises:
        TypeError: a subclass of a known type overrides forward, and it can't be called as that, or calls its state
            otherwise, so that a model's calls can't be read.
        ValueError: the states that the module and the map come to differ.
    """
    module = stack.module
    kind = known_type(module)
    if stack.adapter.layout is not None:
        try:
            apart, again = _apart(stack), _apart(stack)
        except Exception:  # a module that takes more than that is compared nowhere
            return
        if apart is not None and apart == again:
            raise ValueError(
                f"step of {type(module).__name__} must do what its forward does, got states that differ by {apart:.1g} "
                "after the same inputs"
            )
        return
    if not isinstance(module, _CALLED_AS_TORCHS) or kind is None or not _overrides_forward(module, kind):
        return
    name = type(module).__name__
    remedy = f"multistable.dynamics.register({name}, step) says what its step is"
    try:
        apart = _apart(stack, from_zeros=True)
    except Exception as error:
        raise TypeError(
            f"{name} overrides forward of {kind.__name__} and can't be called as that: {error}; hold a {kind.__name__} "
            f"in a module instead of deriving from it, or {remedy}"
        ) from error
    if apart is not None:
        raise ValueError(
            f"{name} overrides forward of {kind.__name__} and does something else: states differ by {apart:.1g} after "
            f"the same inputs; {remedy}"
        )
    other = _state_by_another_name(stack)
    if other is not None:
        raise TypeError(
            f"{name} must call the state of its forward {stack.adapter.state_name!r}, as {kind.__name__} does, got "
            f"{other!r}"
        )


def _overrides_forward(module: nn.Module, kind: type[nn.Module]) -> bool:
    return "forward" in vars(module) or type(module).forward is not kind.forward


def _apart(stack: Stack, *, from_zeros: bool = False) -> float | None:
    """How far the module's states are from the map's, where it is more than rounding explains.

    The second of two calls goes on with what the first one returned; the first one is compared where the state that a
    module starts from is known to be zero.
    """
    like = stack.zero_state(1)
    drawn = torch.Generator().manual_seed(0)
    first, second = (
        torch.randn(steps, _BATCH, stack.input_size, generator=drawn, dtype=torch.float64).to(like)
        for steps in ((1, 1) if stack.adapter.is_cell else _STEPS)
    )
    place = _state_goes(stack)
    needed = place is not None and place.default is place.empty and place.kind is not place.VAR_KEYWORD
    start = torch.randn(_BATCH, stack.state_size, generator=drawn).to(like) if needed else None
    before = _called(stack, first, start)
    compared = [] if not from_zeros else [(_flat(stack, first, before), stack.run(first))]
    if place is not None:
        after = _called(stack, second, before)
        compared.append((_flat(stack, second, after), stack.run(second, _flat(stack, first, before))))
    for found, expected in compared:
        apart = (found - expected).abs()
        allowed = torch.finfo(like.dtype).eps ** 0.4 * (1 + expected.abs())  # more than TF32 loses
        if bool((apart > allowed).any()):
            return apart.max().item()
    return None


def _state_by_another_name(stack: Stack) -> str | None:
    """The second argument of a forward that takes no state by its known name, if it does with it what it should."""
    _, *others = inspect.signature(stack.module.forward).parameters.values()
    if not others or _state_goes(stack) is not None:
        return None
    second = replace(stack.adapter, state_name=None)
    try:
        return others[0].name if _apart(Stack(stack.name, stack.module, second)) is None else None
    except Exception:  # it takes something else
        return None


def _state_goes(stack: Stack) -> inspect.Parameter | None:
    """The argument that takes the state; None where the module takes none."""
    _, *others = inspect.signature(stack.module.forward).parameters.values()
    name = stack.adapter.state_name
    if name is None:
        return others[0] if others else None
    return next((one for one in others if one.name == name or one.kind is one.VAR_KEYWORD), None)


def _called(stack: Stack, inputs: Tensor, state: Any) -> Any:
    """The state that the module's own forward returns, as it returns it."""
    module: Any = stack.module
    name = stack.adapter.state_name
    given = _given(stack, inputs)
    # Not the module itself: hooks are the user's.
    by_name = {} if state is None or name is None else {name: state}
    by_place = () if state is None or name is not None else (state,)
    output = module.forward(given, *by_place, **by_name)
    for candidate in _candidates(stack, output):
        try:
            flat = stack.read(given, candidate).state
        except (TypeError, ValueError, RuntimeError, AttributeError, IndexError):
            continue
        if flat is not None and flat.shape == (_BATCH, stack.state_size):
            return candidate
    raise TypeError("no state among what it returns")


def _candidates(stack: Stack, output: Any) -> Iterator[Any]:
    """What may be the state: all that a cell returns, the last or the first thing that others do."""
    if isinstance(output, tuple) and not stack.adapter.is_cell:
        yield output[-1]
    yield output
    if isinstance(output, tuple) and stack.adapter.is_cell:
        yield output[-1]
        yield output[0]


def _given(stack: Stack, inputs: Tensor) -> Tensor:
    """(T, B, I) in the module's own layout."""
    if stack.adapter.is_cell:
        return inputs[0]
    layout = stack.adapter.layout
    batch_first = bool(stack.module.batch_first) if layout is None else layout == "batch_first"
    return inputs.transpose(0, 1) if batch_first else inputs


def _flat(stack: Stack, inputs: Tensor, state: Any) -> Tensor:
    read: Sequences = stack.read(_given(stack, inputs), state)
    assert read.state is not None
    return read.state
