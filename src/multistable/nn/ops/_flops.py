"""How many floating-point operations a recurrence takes, as `torch.utils.flop_counter` counts them."""

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch.utils.flop_counter import register_flop_formula

__all__ = ["register_flops"]

Shape = tuple[int, ...]


def register_flops(name: str, recurrent_shape: Callable[[int], Shape]) -> None:
    """Tell the counter of the operators `multistable::<name>`, `<name>_backward` and `<name>_hold`.

    Counted are matrix products alone, a multiplication and an addition for each entry of a matrix and each row, as it
    counts the same recurrence in plain operations.
    """
    by_matrix = recurrent_shape(1)[0] < recurrent_shape(2)[0]  # otherwise each unit sees itself alone

    def recurrent(states: Shape, weight_hh: Shape) -> int:
        return 2 * prod(states[:-1]) * prod(weight_hh) if by_matrix else 0

    def of_forward(inputs: Shape, h: Shape, weight_ih: Shape, weight_hh: Shape, *_: Any, **__: Any) -> int:
        return 2 * prod(inputs[:-1]) * prod(weight_ih) + recurrent(inputs, weight_hh)

    def of_backward(
        grad_states: Shape | None,
        grad_last: Shape | None,
        gates: Shape,
        states: Shape,
        inners: Shape,
        inputs: Shape,
        h: Shape,
        weight_ih: Shape,
        weight_hh: Shape,
        batch_sizes: Shape | None,
        hardness: Shape | None,
        of_inputs: bool,
        of_weight_ih: bool,
        *_: Any,
        **__: Any,
    ) -> int:
        by_input = 2 * prod(inputs[:-1]) * prod(weight_ih)
        return (of_inputs + of_weight_ih) * by_input + 2 * recurrent(states, weight_hh)

    def of_hold(
        drive: Shape, h: Shape, weight_hh: Shape, hardness: Shape | None, steps: int, *_: Any, **__: Any
    ) -> int:
        return steps * recurrent(h, weight_hh)

    operators = torch.ops.multistable
    register_flop_formula(getattr(operators, name))(of_forward)
    register_flop_formula(getattr(operators, f"{name}_backward"))(of_backward)
    register_flop_formula(getattr(operators, f"{name}_hold"))(of_hold)
