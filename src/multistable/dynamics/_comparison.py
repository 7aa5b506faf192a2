"""How far the states that a module's own forward comes to are from those of its map."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from multistable.dynamics.calls import Sequences, full_lengths
from multistable.dynamics.stack import Stack
from multistable.nn._reparametrised import refresh

__all__ = ["apart", "distance", "has_a_start", "near", "pieces_of", "random_pieces", "state_goes", "states_in"]

_BATCH = 2
_STEPS = 2, 1  # of a layer's first and second call on random numbers; a cell's take one
_ROWS, _LONGEST = 8, 100  # sequences of the user's that a module is tried on, and steps of them that a cell is
_ROUNDINGS = 100  # units of rounding that two ways of computing a state may differ by
_DRAWS, _SENSITIVE = 4, 10  # of rounding noise on all that goes in, and how many times as far its effect may go
_COARSE = 2**-10  # the unit of rounding where float32 may be multiplied as TF32

_Pick = Callable[[Any], Any]


def random_pieces(stack: Stack) -> list[Tensor]:
    """Inputs (T, B, I) for two calls, one after the other."""
    like, drawn = stack.zero_state(1), torch.Generator("cpu").manual_seed(0)
    return [
        torch.randn(steps, _BATCH, stack.input_size, generator=drawn, dtype=torch.float64, device="cpu").to(like)
        for steps in ((1, 1) if stack.adapter.is_cell else _STEPS)
    ]


def pieces_of(stack: Stack, sequences: Sequences) -> list[Tensor]:
    """The same of a user's sequences: all steps but the last, and the last; of a cell one call a step."""
    steps = int(sequences.lengths[:_ROWS].min())
    inputs = sequences.inputs[:steps, :_ROWS]
    if stack.adapter.is_cell:
        return list(inputs[:_LONGEST].split(1))
    return [inputs[:-1], inputs[-1:]] if steps > 1 else [inputs]


def apart(stack: Stack, pieces: Sequence[Tensor], *, from_zeros: bool = False) -> float | None:
    """How far the module's states are from the map's, where it is more than rounding explains.

    Each call goes on with what the one before returned; the first one is compared where the state that a module starts
    from must be zero. What of all that it returns is its state is not known: it may be whatever agrees.
    """
    refresh(stack.module)
    found, errors = [], []
    for pick in _picks(stack):
        try:
            found.append(_apart_by(stack, pieces, pick, from_zeros))
        except Exception as error:  # another way to pick may do
            errors.append(error)
    if not found:
        raise errors[0]
    distances = [one for one in found if one is not None]
    return min(distances) if len(distances) == len(found) else None


def _apart_by(stack: Stack, pieces: Sequence[Tensor], pick: _Pick, from_zeros: bool) -> float | None:
    first, batch = pieces[0], pieces[0].shape[1]
    drawn = torch.Generator("cpu").manual_seed(1)
    start = None
    if not has_a_start(stack):
        start = torch.randn(batch, stack.state_size, generator=drawn, device="cpu").to(stack.zero_state(1))
    before, flat = _called(stack, first, start, pick)
    if from_zeros and (far := distance(stack, flat, Sequences(first, full_lengths(first)))) is not None:
        return far
    for piece in pieces[1:] if state_goes(stack) is not None else []:
        call = Sequences(piece, full_lengths(piece), flat)
        before, flat = _called(stack, piece, before, pick)
        if (far := distance(stack, flat, call)) is not None:
            return far
    return None


def distance(stack: Stack, found: Tensor, call: Sequences) -> float | None:
    """How far a state is from the one that the map comes to, where it is more than rounding explains."""
    start = stack.zero_state(len(call)) if call.state is None else call.state
    expected = stack.run(call.inputs, start, call.lengths)
    if near(found, expected):
        return None
    # Rounding may grow in the course of a sequence: as it does there, noise of its size does in others.
    drawn, moved = torch.Generator("cpu").manual_seed(0), 0.0
    for _ in range(_DRAWS):
        other = stack.run(_rounded(call.inputs, drawn), _rounded(start, drawn), call.lengths)
        moved = max(moved, (other - expected).abs().max().item())
    return None if near(found, expected, _SENSITIVE * moved) else (found - expected).abs().max().item()


def near(found: Tensor, expected: Tensor, allowed: float = 0.0) -> bool:
    """Whether two states differ by rounding alone, and by what is allowed."""
    bound = _ROUNDINGS * _unit(expected)
    return bool(torch.isclose(found, expected, rtol=bound, atol=bound + allowed, equal_nan=True).all())


def _rounded(values: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(values.shape, generator=generator, dtype=torch.float64, device="cpu").to(values)
    return values + _unit(values) * (1 + values.abs()) * noise


def _unit(like: Tensor) -> float:
    exact = like.device.type == "cpu" and torch.get_float32_matmul_precision() == "highest"
    return torch.finfo(like.dtype).eps if exact or like.dtype != torch.float32 else _COARSE


def has_a_start(stack: Stack) -> bool:
    """Whether a call need not be given a state; of a registered type's `*args` nobody knows, and it is given one."""
    place = state_goes(stack)
    if place is None or place.default is not place.empty or place.kind is place.VAR_KEYWORD:
        return True
    return place.kind is place.VAR_POSITIONAL and stack.adapter.layout is None


def state_goes(stack: Stack) -> inspect.Parameter | None:
    """The argument that takes the state; None where the module takes none."""
    parameters = list(inspect.signature(stack.module.forward).parameters.values())
    several = [one for one in parameters if one.kind is one.VAR_POSITIONAL]
    others, name = several or parameters[1:], stack.adapter.state_name
    if name is None:
        return others[0] if others else None
    takes_all = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return next((one for one in parameters if one.name == name or one.kind in takes_all), None)


def _called(stack: Stack, inputs: Tensor, state: Any, pick: _Pick) -> tuple[Any, Tensor]:
    """The state that the module's own forward returns, as it returns it and flat."""
    module: Any = stack.module
    given, place = _given(stack, inputs), state_goes(stack)
    name = None if place is None or place.kind is place.VAR_POSITIONAL else stack.adapter.state_name
    # Not the module itself: hooks are the user's.
    if state is None:
        output = module.forward(given)
    else:
        output = module.forward(given, state) if name is None else module.forward(given, **{name: state})
    candidate = pick(output)
    flat = _read_as_state(stack, given, candidate, inputs.shape[1])
    if flat is None:
        raise TypeError("no state among what it returns")
    return candidate, flat


def states_in(stack: Stack, given: Any, output: Any, batch: int) -> list[Tensor]:
    """All that may be the flat state (B, S) among what a call returned."""
    read = (_read_as_state(stack, given, pick(output), batch) for pick in _picks(stack))
    return [flat for flat in read if flat is not None]


def _read_as_state(stack: Stack, given: Any, candidate: Any, batch: int) -> Tensor | None:
    try:
        flat = stack.read(given, candidate).state
    except (TypeError, ValueError, RuntimeError, AttributeError, IndexError):
        return None
    return flat if flat is not None and flat.shape == (batch, stack.state_size) else None


def _picks(stack: Stack) -> Iterator[_Pick]:
    """What may be the state: all that a call returns, the last of it, or the first that a cell does."""
    yield lambda output: output
    yield lambda output: output[-1] if isinstance(output, tuple) else None
    if stack.adapter.is_cell:
        yield lambda output: output[0] if isinstance(output, tuple) else None


def _given(stack: Stack, inputs: Tensor) -> Tensor:
    """(T, B, I) in the module's own layout."""
    if stack.adapter.is_cell:
        return inputs[0]
    layout = stack.adapter.layout
    batch_first = bool(stack.module.batch_first) if layout is None else layout == "batch_first"
    return inputs.transpose(0, 1) if batch_first else inputs
