"""Steps of a map under a constant input."""

import torch
from torch import Tensor

from multistable.dynamics import Dynamics

__all__ = ["moved", "once", "orbit"]


def once(layer: Dynamics, s: Tensor, u: Tensor) -> Tensor:
    """f(s, u), (B, S), (I,) -> (B, S)."""
    return layer.step(s, u.expand(len(s), -1))


def moved(layer: Dynamics, s: Tensor, u: Tensor) -> Tensor:
    """f(s, u) - s, (B, S), (I,) -> (B, S)."""
    return once(layer, s, u) - s


def orbit(layer: Dynamics, s: Tensor, u: Tensor, steps: int) -> Tensor:
    """The states s, f(s), ..., (steps + 1, B, S)."""
    states = [s]
    for _ in range(steps):
        states.append(once(layer, states[-1], u))
    return torch.stack(states)
