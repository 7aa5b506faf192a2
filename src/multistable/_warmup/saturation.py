"""Cell states that have outgrown tanh."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from multistable._measure.selection import Selection
from multistable.dynamics import Sequences

__all__ = ["Saturation", "saturation"]

_FLAT = 0.95  # of tanh(c), where its slope is a tenth


class Saturation(NamedTuple):
    """The share of a layer's cell states where tanh(c) is nearly flat, and the layer's name."""

    share: float
    layer: str


def saturation(selection: Selection, sequences: Sequence[Sequences], count: int) -> Saturation:
    """The layer with the largest share at the end of the first `count` sequences; 0 where no layer has cell states."""
    largest = Saturation(0.0, "")
    for stack, received in zip(selection.stacks, sequences, strict=True):
        parts = [part for part in stack.parts if part in selection.layers]
        if not any(part.cell_state(part.zero_state(1)) is not None for part in parts) or len(received) == 0:
            continue
        received = received.rows(torch.arange(min(count, len(received)), device="cpu"))
        states = stack.run(received.inputs, received.state, received.lengths)
        for part, state in zip(stack.parts, stack.split(states), strict=True):
            cells = part.cell_state(state)
            if cells is not None and part in parts:
                share = (cells.tanh().abs() > _FLAT).float().mean().item()
                largest = max(largest, Saturation(share, part.name))
    return largest
