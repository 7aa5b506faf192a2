"""The largest Lyapunov exponent along many trajectories at once."""

from typing import NamedTuple

import torch
from torch import Tensor

from multistable.dynamics import Dynamics

__all__ = ["Lyapunov", "lyapunov"]

_APART = 1e-8  # of two trajectories side by side, relative to 1 + |s|: about as far from rounding as from curvature
_SETTLING = 100  # steps in which a random direction turns to the one that grows fastest
_BLOCKS = 10


class Lyapunov(NamedTuple):
    """The exponents (B,), per step, their standard errors (B,), and the states at the end (B, S)."""

    exponent: Tensor
    error: Tensor
    states: Tensor


def lyapunov(layer: Dynamics, s: Tensor, u: Tensor, steps: int) -> Lyapunov:
    """The rate at which a small displacement grows along the trajectories.

    Beside each trajectory goes a second one, which is brought back near it after every step (Benettin et al. 1976,
    doi:10.1103/PhysRevA.14.2338). The standard error is that of the mean over ten stretches of the trajectory.

    Args:
        layer: the layer or stack.
        s: the states to start from, (B, S), in float64.
        u: the constant input, (I,).
        steps: how far to follow the trajectories, a multiple of ten, after 100 steps that are not counted.
    """
    generator = torch.Generator().manual_seed(0)
    away = torch.randn(s.shape[1], generator=generator, dtype=torch.float64, device="cpu").to(s).expand_as(s)
    growth = []
    for _ in range(_SETTLING + steps):
        apart = _APART * (1 + s.norm(dim=1, keepdim=True))
        away = apart * away / _size(away)
        beside, s = layer.step(s + away, u[None]), layer.step(s, u[None])
        away = beside - s
        growth.append((_size(away) / apart)[:, 0].log())
    stretches = torch.stack(growth[_SETTLING:]).unflatten(0, (_BLOCKS, -1)).mean(1)
    return Lyapunov(stretches.mean(0), stretches.std(0) / _BLOCKS**0.5, s)


def _size(away: Tensor) -> Tensor:
    """The lengths of displacements, (B, S) -> (B, 1); not zero where a displacement is."""
    size: Tensor = away.norm(dim=1, keepdim=True).clamp(min=torch.finfo(away.dtype).tiny)
    return size
