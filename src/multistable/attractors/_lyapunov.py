"""The largest Lyapunov exponent along many trajectories at once."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import jvp

from multistable.dynamics import Dynamics

__all__ = ["Lyapunov", "lyapunov"]

_SETTLING = 100  # steps in which a random direction turns to the one that grows fastest
_BLOCKS = 10


class Lyapunov(NamedTuple):
    """The exponents (B,), per step, their standard errors (B,), and the states at the end (B, S)."""

    exponent: Tensor
    error: Tensor
    states: Tensor


def lyapunov(layer: Dynamics, s: Tensor, u: Tensor, steps: int) -> Lyapunov:
    """The rate at which a small displacement grows along the trajectories, from exact derivatives.

    The standard error is that of the mean over ten stretches of the trajectory.

    Args:
        layer: the layer or stack.
        s: the states to start from, (B, S).
        u: the constant input, (I,).
        steps: how far to follow the trajectories, a multiple of ten, after 100 steps that are not counted.
    """

    def step(states: Tensor) -> Tensor:
        return layer.step(states, u[None])

    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(s.shape[1], generator=generator, dtype=torch.float64).to(s).expand_as(s)
    growth = []
    for _ in range(_SETTLING + steps):
        direction = direction / direction.norm(dim=1, keepdim=True)
        s, direction = jvp(step, (s,), (direction,))  # type: ignore[misc]  # two results, not three, without `has_aux`
        growth.append(direction.norm(dim=1).clamp(min=torch.finfo(s.dtype).tiny).log())
    stretches = torch.stack(growth[_SETTLING:]).unflatten(0, (_BLOCKS, -1)).mean(1)
    return Lyapunov(stretches.mean(0), stretches.std(0) / _BLOCKS**0.5, s)
