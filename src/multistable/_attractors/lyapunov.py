"""The largest Lyapunov exponents along many trajectories at once."""

from typing import NamedTuple

import torch
from torch import Tensor

from multistable.dynamics import Dynamics

__all__ = ["SETTLING", "Lyapunov", "lyapunov"]

SETTLING = 100
"""Steps in which a random direction turns to the one that grows fastest; they are not counted."""

_EXPONENTS = 2  # one along a closed curve, and one across

_BLOCKS = 10


class Lyapunov(NamedTuple):
    """The exponents per step, the largest first, and their standard errors, (B, k); the states (steps + 1, B, S)."""

    exponents: Tensor
    errors: Tensor
    states: Tensor


def lyapunov(layer: Dynamics, s: Tensor, u: Tensor, steps: int, apart: Tensor) -> Lyapunov:
    """The rates at which small displacements grow along the trajectories.

    Beside each trajectory go others, which are brought back near it after every step, at right angles to each other
    (Benettin et al. 1980, doi:10.1007/BF02128236). The standard error is that of the mean over ten stretches of the
    trajectory.

    Args:
        layer: the layer or stack.
        s: the states to start from, (B, S), in float64.
        u: the constant input, (I,).
        steps: how far to follow the trajectories, a multiple of ten, after 100 steps that are not counted.
        apart: how far from a trajectory the others go, for each entry, (B, S): far from rounding, and from curvature.
    """
    count = min(_EXPONENTS, s.shape[1])
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(count, 1, s.shape[1], generator=generator, dtype=torch.float64, device="cpu")
    away, _ = _upright(drawn.to(s).expand(-1, len(s), -1))
    growth, states = [], []
    for _ in range(SETTLING + steps):
        beside = torch.cat([s[None], s + apart * away]).flatten(0, 1)
        states.append(s)
        s, *after = layer.step(beside, u.expand(len(beside), -1)).unflatten(0, (count + 1, -1)).unbind()
        away, sizes = _upright((torch.stack(after) - s) / apart)
        growth.append(sizes.log())
    states.append(s)
    stretches = torch.stack(growth[SETTLING:]).unflatten(0, (_BLOCKS, -1)).mean(1)
    return Lyapunov(stretches.mean(0).T, (stretches.std(0) / _BLOCKS**0.5).T, torch.stack(states[SETTLING:]))


def _upright(away: Tensor) -> tuple[Tensor, Tensor]:
    """Displacements at right angles and of length one, and how long they were, (k, B, S) -> the same, (k, B)."""
    turned: list[Tensor] = []
    sizes = []
    for one in away:
        for other in turned:
            one = one - (one * other).sum(1, keepdim=True) * other
        size = one.norm(dim=1, keepdim=True).clamp(min=torch.finfo(one.dtype).tiny)
        turned.append(one / size)
        sizes.append(size[:, 0])
    return torch.stack(turned), torch.stack(sizes)
