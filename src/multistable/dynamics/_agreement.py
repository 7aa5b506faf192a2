"""Whether a module does what its `Dynamics` say, on random numbers and on what a user passes."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import _global_forward_hooks

from multistable.dynamics._comparison import (
    apart,
    distance,
    has_a_start,
    near,
    pieces_of,
    random_pieces,
    state_goes,
    states_in,
)
from multistable.dynamics.calls import Sequences
from multistable.dynamics.registry import known_type
from multistable.dynamics.stack import Stack
from multistable.nn import DoubleLayer
from multistable.nn._layer import RecurrentLayer

__all__ = ["check_agreement", "check_call", "check_hooks", "has_hooks", "may_differ"]

_CALLED_AS_TORCHS = (nn.RNNBase, nn.RNNCellBase, RecurrentLayer, DoubleLayer)


def may_differ(stack: Stack) -> bool:
    """Whether calls of a module in a model can do something else than the map that it is seen as."""
    module, kind = stack.module, known_type(stack.module)
    if stack.adapter.layout is not None:
        return True
    if kind is None or not isinstance(module, _CALLED_AS_TORCHS):
        return False
    return has_hooks(module) or _overrides_forward(module, kind)


def has_hooks(module: nn.Module) -> bool:
    """Whether anything may change what the module returns."""
    return bool(module._forward_hooks) or bool(_global_forward_hooks)


@torch.no_grad()
def check_agreement(stack: Stack, sequences: Sequences | None = None) -> None:
    """Raise unless a module's own forward agrees with the map that it is seen as.

    A type known here that keeps its forward is not asked. A registered one is where it can be called as `layout` says,
    returns its state, and does the same in two equal calls. The module must be in evaluation mode.

    Args:
        stack: the module.
        sequences: what to try it on, past its hooks; a few random numbers by default.

    Raises:
        TypeError: a subclass of a known type overrides forward, and it can't be called as that, or calls its state
            otherwise, so that a model's calls can't be read.
        ValueError: the states that the module and the map come to differ.
    """
    module = stack.module
    kind = known_type(module)
    pieces = random_pieces(stack) if sequences is None else pieces_of(stack, sequences)
    if stack.adapter.layout is not None:
        far = _apart_each_time(lambda: apart(stack, pieces))
        if far is not None:
            raise _unlike_its_step(stack, far)
        if sequences is not None and has_a_start(stack):
            far = _apart_each_time(lambda: apart(stack, pieces[:1], from_zeros=True))
            if far is not None:
                raise _unlike_its_step(stack, far, from_zeros=True)
        return
    if not isinstance(module, _CALLED_AS_TORCHS) or kind is None or not _overrides_forward(module, kind):
        return
    name = type(module).__name__
    try:
        far = apart(stack, pieces, from_zeros=True)
    except Exception as error:
        raise TypeError(
            f"{name} overrides forward of {kind.__name__} and can't be called as that: {error}; hold a {kind.__name__} "
            f"in a module instead of deriving from it, or {_remedy(name)}"
        ) from error
    if far is not None:
        raise _unlike_its_type(stack, kind, far)
    other = _state_by_another_name(stack)
    if other is not None:
        raise TypeError(
            f"{name} must call the state of its forward {stack.adapter.state_name!r}, as {kind.__name__} does, got "
            f"{other!r}"
        )


def _apart_each_time(compare: Callable[[], float | None]) -> float | None:
    """How far apart two comparisons find the states; None if one can't be made, or they differ: it draws at random."""
    try:
        once, again = compare(), compare()
    except Exception:  # a module that takes more than that is compared nowhere
        return None
    return once if once == again else None


@torch.no_grad()
def check_call(stack: Stack, call: Sequences, given: Any, output: Any, again: Callable[[], Any]) -> None:
    """Raise where a model's call of a module came to another state than the map does.

    Args:
        stack: the module.
        call: what it received.
        given: the inputs as the module was given them.
        output: what it returned.
        again: calls it in the same way, past its hooks.

    Raises:
        ValueError: the states differ, and not only because the module draws at random.
    """
    found = states_in(stack, given, output, len(call))
    kind = known_type(stack.module)
    if not found:
        return
    if stack.adapter.layout is None and kind is not None and not _overrides_forward(stack.module, kind):
        once, twice = again(), again()
        if all(map(torch.equal, *(states_in(stack, given, one, len(call)) for one in (once, twice)))):
            check_hooks(stack, call, given, once, output)
        return  # else it draws at random, as a layer does whose dropout a model leaves on
    distances = [distance(stack, one, call) for one in found]
    if None in distances:
        return
    repeated = states_in(stack, given, again(), len(call))
    far = min(one for one in distances if one is not None)
    if any(distance(stack, one, call) is None for one in repeated):
        raise _hooks_change_it(stack, far)
    if not any(torch.equal(one, other) for one, other in zip(repeated, found, strict=False)):
        return  # it draws at random
    if stack.adapter.layout is None and kind is not None:
        raise _unlike_its_type(stack, kind, far)
    raise _unlike_its_step(stack, far, from_zeros=call.state is None)


def check_hooks(stack: Stack, call: Sequences, given: Any, before: Any, after: Any) -> None:
    """Raise where hooks change the state that a call returns.

    Raises:
        ValueError: they do.
    """
    without, hooked = (states_in(stack, given, one, len(call)) for one in (before, after))
    for own, other in zip(without, hooked, strict=False):
        if not near(other, own):
            raise _hooks_change_it(stack, (other - own).abs().max().item())


def _hooks_change_it(stack: Stack, far: float) -> ValueError:
    name = f"{stack.name!r} ({type(stack.module).__name__})" if stack.name else type(stack.module).__name__
    return ValueError(
        f"forward hooks of {name} must not change its state, got states that differ by {far:.1g} from those without "
        "them: they are no part of the map that is looked at"
    )


def _unlike_its_step(stack: Stack, far: float, *, from_zeros: bool = False) -> ValueError:
    start = ", from zeros as it was passed no state: one that it starts from must be passed" if from_zeros else ""
    return ValueError(
        f"step of {type(stack.module).__name__} must do what its forward does, got states that differ by {far:.1g} "
        f"after the same inputs{start}"
    )


def _unlike_its_type(stack: Stack, kind: type[nn.Module], far: float) -> ValueError:
    name = type(stack.module).__name__
    return ValueError(
        f"{name} overrides forward of {kind.__name__} and does something else: states differ by {far:.1g} after "
        f"the same inputs; {_remedy(name)}"
    )


def _remedy(name: str) -> str:
    return f"multistable.dynamics.register({name}, step) says what its step is"


def _overrides_forward(module: nn.Module, kind: type[nn.Module]) -> bool:
    return "forward" in vars(module) or type(module).forward is not kind.forward


def _state_by_another_name(stack: Stack) -> str | None:
    """The second argument of a forward that takes no state by its known name, if it does with it what it should."""
    others = list(inspect.signature(stack.module.forward).parameters.values())[1:]
    if not others or state_goes(stack) is not None:
        return None
    second = replace(stack.adapter, state_name=None)
    try:
        unlike = apart(Stack(stack.name, stack.module, second), random_pieces(stack))
        return others[0].name if unlike is None else None
    except Exception:  # it takes something else
        return None
