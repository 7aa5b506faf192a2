"""Constant inputs: drawn, given, or none."""

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from multistable._measure.reach import Reached
from multistable._measure.selection import Selection
from multistable._utils.checks import check_finite
from multistable.dynamics import Dynamics, Stack

__all__ = ["Constants", "Input", "check_input", "constants", "draw_constant"]

Input = Tensor | float | Literal["data"] | None
"""What is held: a tensor (I,) or (K, I), 0, `"data"`, or None for an input drawn from N(0, I)."""


@dataclass(frozen=True)
class Constants:
    """One constant input of a network, and those of its upper layers driven alone.

    Attributes:
        stacks: for each stack the input of its lowest layer, (I,).
        alone: for each layer that is looked at its input when it is driven alone, (I,).
    """

    stacks: list[Tensor]
    alone: dict[Dynamics, Tensor]


def check_input(u: Input, stacks: Sequence[Stack]) -> None:
    """Raise unless `u` is an input of these recurrent modules.

    Raises:
        TypeError: it is neither a tensor, nor 0, nor `"data"`, nor None.
        ValueError: it has a wrong shape, holds NaN or infinity, or is another number or text.
    """
    if isinstance(u, Tensor):
        size = sum(stack.input_size for stack in stacks)
        if u.dim() not in (1, 2) or u.shape[-1] != size or u.numel() == 0:
            raise ValueError(f"u must have shape ({size},) or (K, {size}), got {tuple(u.shape)}")
        if not u.is_floating_point():
            raise TypeError(f"u must be a floating-point tensor, got {u.dtype}")
        check_finite("u", u)
    elif isinstance(u, str):
        if u != "data":
            raise ValueError(f"u must be a tensor, 0 or 'data', got {u!r}")
    elif isinstance(u, bool) or not isinstance(u, numbers.Real | None):
        raise TypeError(f"u must be a tensor, 0 or 'data', got {type(u).__name__}")
    elif u is not None and u != 0:
        raise ValueError(f"u must be a tensor, 0 or 'data', got {u}: one number does not say which features it is for")


def constants(
    selection: Selection,
    u: Input,
    reached: Reached | None,
    generator: torch.Generator,
    dtype: torch.dtype | None = None,
) -> list[Constants]:
    """The inputs that `u` stands for, one for each of its rows.

    What is drawn is drawn for each stack, and then for each layer above the lowest one. Under a given input these get
    none of their own when they are driven alone.

    Args:
        selection: the layers that are looked at.
        u: as `check_input` takes it.
        reached: says what data look like; needed for `"data"` alone.
        generator: draws the inputs.
        dtype: of inputs that are given; by default that of the parameters, in which others are drawn.

    Raises:
        ValueError: an input is too large for the dtype.
    """
    stacks = selection.stacks
    if u is None or isinstance(u, str):
        drawn = [draw_constant(stack, generator) for stack in stacks]
        if isinstance(u, str):
            assert reached is not None
            drawn = [mean + scale * one for one, (mean, scale) in zip(drawn, reached.moments, strict=True)]
        return [Constants(drawn, _alone(selection, drawn, generator))]
    sizes = [stack.input_size for stack in stacks]
    rows = u.reshape(-1, sum(sizes)) if isinstance(u, Tensor) else torch.zeros(1, sum(sizes), device="cpu")
    found = []
    for row in rows:
        given = []
        for part, stack in zip(row.split(sizes), stacks, strict=True):
            like = stack.zero_state(1)
            given.append(part.to(like.device, dtype or like.dtype))
            check_finite(f"u in {given[-1].dtype}", given[-1])
        found.append(Constants(given, _alone(selection, given, None)))
    return found


def draw_constant(layer: Dynamics, generator: torch.Generator) -> Tensor:
    """A constant input u ~ N(0, I) for a layer, (I,)."""
    like = layer.zero_state(1)
    drawn = torch.randn(layer.input_size, generator=generator, device=generator.device, dtype=torch.float64)
    return drawn.to(like)


def _alone(selection: Selection, of_stacks: list[Tensor], generator: torch.Generator | None) -> dict[Dynamics, Tensor]:
    found: dict[Dynamics, Tensor] = {}
    for stack, u in zip(selection.stacks, of_stacks, strict=True):
        for part in (part for part in stack.parts if part in selection.layers):
            # Alone under the same constant input, the lowest layer does what it does in the stack.
            if part in stack.layers[0]:
                found[part] = u
            else:
                found[part] = u.new_zeros(part.input_size) if generator is None else draw_constant(part, generator)
    return found
