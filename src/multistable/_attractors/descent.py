"""Roots and slow points by descent of the speed, from many states at once."""

from typing import NamedTuple

import torch
from torch import Tensor

from multistable._attractors.steps import moved
from multistable.dynamics import Dynamics, jacobians

__all__ = ["Descended", "descend"]

_STEPS = 200
_FIRST, _LEAST, _MOST = 1e-2, 1e-14, 1e8  # the damping
_FALLS, _RISES = 0.2, 5.0
_GOOD, _POOR = 0.75, 0.25  # shares of the fall that the model expects
_FLAT = 1e-6  # the gradient's length, beside that of the residual
_AT_REST = 1e-13  # residuals below this, relative to 1 + |s|, are rounding


class Descended(NamedTuple):
    """Where the speed is least near each start, (B, S), f(s) - s there, and whether it was reached, (B,)."""

    states: Tensor
    residuals: Tensor
    settled: Tensor


def descend(layer: Dynamics, s: Tensor, u: Tensor) -> Descended:
    """Local minima of the speed q = |f(s, u) - s|^2 / 2 by the method of Levenberg and Marquardt.

    Args:
        layer: the layer or stack.
        s: the states to start from, (B, S).
        u: the constant input, (I,).
    """
    s = s.clone()
    residual = moved(layer, s, u)
    settled = torch.zeros(len(s), dtype=torch.bool, device=s.device)
    damping = torch.full_like(s[:, 0], _FIRST)
    left = torch.isfinite(residual).all(1).nonzero()[:, 0]
    identity = torch.eye(s.shape[1], dtype=s.dtype, device=s.device)
    for _ in range(_STEPS):
        if len(left) == 0:
            break
        now, r, damp = s[left], residual[left], damping[left]
        slope = jacobians(layer, now, u) - identity
        gradient = (slope.mT @ r[..., None])[..., 0]
        normal = slope.mT @ slope
        damped = normal + damp[:, None, None] * identity
        step = torch.linalg.solve_ex(damped, gradient[..., None]).result[..., 0]
        tried = now - step
        after = moved(layer, tried, u)
        fall = r.square().sum(1) - after.square().sum(1)
        expected = (step * (gradient + damp[:, None] * step)).sum(1)
        better = fall > 0
        at_rest = (r.abs() <= _AT_REST * (1 + now.abs())).all(1)
        flat = gradient.norm(dim=1) <= _FLAT * r.norm(dim=1)
        settled[left] = at_rest | flat
        s[left] = torch.where(better[:, None], tried, now)
        residual[left] = torch.where(better[:, None], after, r)
        # As little damping as serves: where the residual does not vanish, the model leaves out what bends it.
        damping[left] = torch.where(
            fall > _GOOD * expected,
            (damp * _FALLS).clamp(min=_LEAST),
            torch.where(fall > _POOR * expected, damp, damp * _RISES),
        )
        left = left[~(at_rest | flat) & (damping[left] < _MOST)]
    return Descended(s, residual, settled)
