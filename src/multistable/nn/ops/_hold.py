"""A recurrence held under a constant drive, as an operator of torch's."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.library import custom_op

from multistable.nn.ops._gates import value_of
from multistable.nn.ops._vmap import one_by_one

__all__ = ["Hold", "as_hold"]

Hold = Callable[[Tensor, Tensor, Tensor, Tensor | None, int, str], Tensor]


def as_hold(name: str, step: Callable[..., Tensor]) -> Hold:
    """Make it known to torch as the operator `multistable::<name>_hold`, which has no gradient."""
    operator = custom_op(
        f"multistable::{name}_hold",
        partial(_hold, name, step),
        mutates_args=(),
        schema="(Tensor drive, Tensor h, Tensor weight_hh, Tensor? hardness, int steps, str path) -> Tensor",
    )
    operator.register_fake(lambda drive, h, *_: h.new_empty(h.shape))
    operator.register_vmap(partial(_mapped, operator))
    return operator


def _hold(
    name: str,
    step: Callable[..., Tensor],
    drive: Tensor,
    h: Tensor,
    weight_hh: Tensor,
    hardness: Tensor | None,
    steps: int,
    path: str,
) -> Tensor:
    with torch.autocast(h.device.type, enabled=False):
        if path != "plain":
            from multistable.nn.ops import triton

            return triton.hold(name, path, drive, h, weight_hh, hardness, steps)
        h, value = h.clone(), value_of(hardness)
        for _ in range(steps):
            h = step(drive, h, weight_hh, 0.0 if value is None else value)
        return h


def _mapped(operator: Callable[..., Tensor], info: Any, dims: tuple[int | None, ...], *arguments: Any) -> Any:
    """The rule for `torch.func.vmap`."""
    return torch.stack(one_by_one(operator, info, dims, arguments)), 0
