"""Whether a module does what its `Dynamics` say, tried on random numbers and on what a user passes."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from multistable.dynamics.calls import Sequences, full_lengths
from multistable.dynamics.registry import known_type
from multistable.dynamics.stack import Stack
from multistable.nn import DoubleLayer
from multistable.nn._layer import RecurrentLayer

__all__ = ["check_agreement", "check_call", "may_differ"]

_BATCH = 2
_STEPS = 2, 1  # of a layer's first and second call on random numbers; a cell's take one
_ROWS, _LONGEST = 8, 100  # sequences of the user's that a module is tried on, and steps of them that a cell is
_SENSITIVE = 10  # how many times what rounding the inputs changes two ways of computing a state may differ by
_CALLED_AS_TORCHS = (nn.RNNBase, nn.RNNCellBase, RecurrentLayer, DoubleLayer)


def may_differ(stack: Stack) -> bool:
    """Whether calls of a module can do something else than the map that it is seen as."""
    module, kind = stack.module, known_type(stack.module)
    if stack.adapter.layout is not None:
        return True
    if kind is None or not isinstance(module, _CALLED_AS_TORCHS):
        return False
    return bool(module._forward_hooks) or _overrides_forward(module, kind)


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
    pieces = _random_pieces(stack) if sequences is None else _pieces(stack, sequences)
    if stack.adapter.layout is not None:
        try:
            apart, again = _apart(stack, pieces), _apart(stack, pieces)
        except Exception:  # a module that takes more than that is compared nowhere
            return
        if apart is not None and apart == again:
            raise _unlike_its_step(stack, apart)
        return
    if not isinstance(module, _CALLED_AS_TORCHS) or kind is None or not _overrides_forward(module, kind):
        return
    name = type(module).__name__
    try:
        apart = _apart(stack, pieces, from_zeros=True)
    except Exception as error:
        raise TypeError(
            f"{name} overrides forward of {kind.__name__} and can't be called as that: {error}; hold a {kind.__name__} "
            f"in a module instead of deriving from it, or {_remedy(name)}"
        ) from error
    if apart is not None:
        raise _unlike_its_type(stack, kind, apart)
    other = _state_by_another_name(stack)
    if other is not None:
        raise TypeError(
            f"{name} must call the state of its forward {stack.adapter.state_name!r}, as {kind.__name__} does, got "
            f"{other!r}"
        )


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
    found = _state_in(stack, given, output, len(call))
    if found is None or (call.state is None and stack.adapter.layout is not None):  # what it started from isn't known
        return
    apart = _distance(stack, found, call)
    if apart is None:
        return
    repeated = _state_in(stack, given, again(), len(call))
    if repeated is not None and _distance(stack, repeated, call) is None:
        name = f"{stack.name!r} ({type(stack.module).__name__})" if stack.name else type(stack.module).__name__
        raise ValueError(
            f"forward hooks of {name} must not change its state, got states that differ by {apart:.1g} from those "
            "without them: they are no part of the map that is looked at"
        )
    if repeated is not None and torch.equal(repeated, found):
        kind = known_type(stack.module)
        if stack.adapter.layout is not None or kind is None:
            raise _unlike_its_step(stack, apart)
        raise _unlike_its_type(stack, kind, apart)


def _unlike_its_step(stack: Stack, apart: float) -> ValueError:
    return ValueError(
        f"step of {type(stack.module).__name__} must do what its forward does, got states that differ by {apart:.1g} "
        "after the same inputs"
    )


def _unlike_its_type(stack: Stack, kind: type[nn.Module], apart: float) -> ValueError:
    name = type(stack.module).__name__
    return ValueError(
        f"{name} overrides forward of {kind.__name__} and does something else: states differ by {apart:.1g} after "
        f"the same inputs; {_remedy(name)}"
    )


def _remedy(name: str) -> str:
    return f"multistable.dynamics.register({name}, step) says what its step is"


def _overrides_forward(module: nn.Module, kind: type[nn.Module]) -> bool:
    return "forward" in vars(module) or type(module).forward is not kind.forward


def _random_pieces(stack: Stack) -> list[Tensor]:
    """Inputs (T, B, I) for two calls, one after the other."""
    like, drawn = stack.zero_state(1), torch.Generator("cpu").manual_seed(0)
    return [
        torch.randn(steps, _BATCH, stack.input_size, generator=drawn, dtype=torch.float64, device="cpu").to(like)
        for steps in ((1, 1) if stack.adapter.is_cell else _STEPS)
    ]


def _pieces(stack: Stack, sequences: Sequences) -> list[Tensor]:
    """The same of a user's sequences: all steps but the last, and the last; of a cell one call a step."""
    steps = int(sequences.lengths[:_ROWS].min())
    inputs = sequences.inputs[:steps, :_ROWS]
    if stack.adapter.is_cell:
        return list(inputs[:_LONGEST].split(1))
    return [inputs[:-1], inputs[-1:]] if steps > 1 else [inputs]


def _apart(stack: Stack, pieces: Sequence[Tensor], *, from_zeros: bool = False) -> float | None:
    """How far the module's states are from the map's, where it is more than rounding explains.

    Each call goes on with what the one before returned; the first one is compared where the state that a module starts
    from is known to be zero.
    """
    place = _state_goes(stack)
    needed = place is not None and place.default is place.empty and place.kind is not place.VAR_KEYWORD
    first = pieces[0]
    batch = first.shape[1]
    drawn = torch.Generator("cpu").manual_seed(1)
    start = (
        torch.randn(batch, stack.state_size, generator=drawn, device="cpu").to(stack.zero_state(1)) if needed else None
    )
    before, flat = _called(stack, first, start)
    if from_zeros and (apart := _distance(stack, flat, Sequences(first, full_lengths(first)))) is not None:
        return apart
    for piece in pieces[1:] if place is not None else []:
        call = Sequences(piece, full_lengths(piece), flat)
        before, flat = _called(stack, piece, before)
        if (apart := _distance(stack, flat, call)) is not None:
            return apart
    return None


def _distance(stack: Stack, found: Tensor, call: Sequences) -> float | None:
    """How far a state is from the one that the map comes to, where it is more than rounding explains."""
    expected = stack.run(call.inputs, call.state, call.lengths)
    apart = (found - expected).abs()
    eps = torch.finfo(expected.dtype).eps
    allowed = eps**0.4 * (1 + expected.abs())  # more than TF32 loses
    if not bool((apart > allowed).any()):
        return None
    state = None if call.state is None else call.state * (1 + eps)
    moved = stack.run(call.inputs * (1 + eps), state, call.lengths)
    allowed += _SENSITIVE * (moved - expected).abs().amax(-1, keepdim=True)  # over long sequences errors may grow
    return apart.max().item() if bool((apart > allowed).any()) else None


def _state_by_another_name(stack: Stack) -> str | None:
    """The second argument of a forward that takes no state by its known name, if it does with it what it should."""
    _, *others = inspect.signature(stack.module.forward).parameters.values()
    if not others or _state_goes(stack) is not None:
        return None
    second = replace(stack.adapter, state_name=None)
    try:
        unlike = _apart(Stack(stack.name, stack.module, second), _random_pieces(stack))
        return others[0].name if unlike is None else None
    except Exception:  # it takes something else
        return None


def _state_goes(stack: Stack) -> inspect.Parameter | None:
    """The argument that takes the state; None where the module takes none."""
    _, *others = inspect.signature(stack.module.forward).parameters.values()
    name = stack.adapter.state_name
    if name is None:
        return others[0] if others else None
    return next((one for one in others if one.name == name or one.kind is one.VAR_KEYWORD), None)


def _called(stack: Stack, inputs: Tensor, state: Any) -> tuple[Any, Tensor]:
    """The state that the module's own forward returns, as it returns it and flat."""
    module: Any = stack.module
    name = stack.adapter.state_name
    given = _given(stack, inputs)
    # Not the module itself: hooks are the user's.
    by_name = {} if state is None or name is None else {name: state}
    by_place = () if state is None or name is not None else (state,)
    output = module.forward(given, *by_place, **by_name)
    for candidate in _candidates(stack, output):
        flat = _read_as_state(stack, given, candidate, inputs.shape[1])
        if flat is not None:
            return candidate, flat
    raise TypeError("no state among what it returns")


def _state_in(stack: Stack, given: Any, output: Any, batch: int) -> Tensor | None:
    """The flat state (B, S) among what a call returned, None where there is none."""
    read = (_read_as_state(stack, given, candidate, batch) for candidate in _candidates(stack, output))
    return next((flat for flat in read if flat is not None), None)


def _read_as_state(stack: Stack, given: Any, candidate: Any, batch: int) -> Tensor | None:
    try:
        flat = stack.read(given, candidate).state
    except (TypeError, ValueError, RuntimeError, AttributeError, IndexError):
        return None
    return flat if flat is not None and flat.shape == (batch, stack.state_size) else None


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
