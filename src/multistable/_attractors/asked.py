"""What `attractors` and `fixed_points` are asked: maps in float64, constant inputs, and states to start from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from multistable._measure.constants import Constants, Input, constants
from multistable._measure.reach import Reached
from multistable._measure.selection import Selection
from multistable._utils.checks import check_finite
from multistable.dynamics import Dynamics, Product, Stack

__all__ = ["Question", "as_double", "check_states", "questions", "starts_of"]


@dataclass(frozen=True)
class Question:
    """One map under one constant input.

    Attributes:
        layer: the map, in float64.
        s: states to start from, (n, S).
        u: the constant input, (I,).
        alone: the same of its layers alone; empty for a layer.
    """

    layer: Dynamics
    s: Tensor
    u: Tensor
    alone: tuple["Question", ...] = ()


def as_double(tensor: Tensor) -> Tensor:
    """Drawn in the precision of the module, followed in double."""
    return tensor.detach().double()


def check_states(inputs: Any, states: Any, u: Input, stacks: Sequence[Stack]) -> None:
    """Raise unless there are either inputs or states, and these are states of the recurrent modules.

    Raises:
        TypeError: both or none were given, or the states are no floating-point tensor.
        ValueError: the states have a wrong shape, or hold NaN or infinity; or `u` is that of data.
    """
    if (inputs is None) == (states is None):
        raise TypeError(f"either inputs or states must be given, got {'neither' if inputs is None else 'both'}")
    if states is None:
        return
    size = sum(stack.state_size for stack in stacks)
    if not isinstance(states, Tensor) or not states.is_floating_point():
        kind = states.dtype if isinstance(states, Tensor) else type(states).__name__
        raise TypeError(f"states must be a floating-point tensor, got {kind}")
    if states.dim() != 2 or states.shape[1] != size or len(states) == 0:
        raise ValueError(f"states must have shape (n, {size}), got {tuple(states.shape)}")
    check_finite("states", states)
    if isinstance(u, str):
        raise ValueError(f"u must be a tensor, 0 or None where states are given, got {u!r}: there are no data")


def starts_of(selection: Selection, inputs: Any, states: Tensor | None, n: int, generator: torch.Generator) -> Reached:
    """The states to start from: those that prefixes of `n` sequences lead to, or those that a caller gave."""
    if states is None:
        return selection.reach(selection.batches(inputs, n, generator, endless=False), n, generator)
    return _given(states, selection.stacks)


def _given(states: Tensor, stacks: Sequence[Stack]) -> Reached:
    """States that a caller gave, as if sequences without a step had led to them."""
    parts = states.split([stack.state_size for stack in stacks], -1)
    of_stacks = [part.to(stack.parameters()[0].device) for part, stack in zip(parts, stacks, strict=True)]
    numbers = torch.arange(len(states), device="cpu")
    return Reached(of_stacks, numbers, torch.zeros_like(numbers), [])


def questions(selection: Selection, u: Input, reached: Reached, generator: torch.Generator) -> Iterator[Question]:
    """The whole network, with its layers alone, under each of the constant inputs."""
    exact = [stack.in_float64() for stack in selection.stacks]
    network = exact[0] if len(exact) == 1 else Product("", exact)
    states = [as_double(one) for one in reached.states]
    for held in constants(selection, u, reached, generator, torch.float64):
        alone = tuple(_alone(selection, exact, states, held))
        whole = torch.cat([as_double(one) for one in held.stacks])
        yield Question(network, torch.cat(states, -1), whole, alone)


def _alone(
    selection: Selection, exact: Sequence[Stack], states: Sequence[Tensor], held: Constants
) -> Iterator[Question]:
    for stack, copy, start in zip(selection.stacks, exact, states, strict=True):
        for part, same, s in zip(stack.parts, copy.parts, copy.split(start), strict=True):
            if part in selection.layers:
                yield Question(same, s, as_double(held.alone[part]))
