"""Roots of f^p(s) - s, by Newton's method from many states at once."""

from typing import NamedTuple

import torch
from torch import Tensor

from multistable._attractors.steps import orbit
from multistable.dynamics import Dynamics, jacobians

__all__ = ["RESIDUAL", "Factors", "Found", "chord", "factors_of", "newton", "return_jacobians"]

RESIDUAL = 1e-10
"""The largest entry of f^p(s) - s that counts as none, relative to 1 + |s| of that entry."""

_LOCATED = 1e-7  # how small the next step must be, relative to 1 + |s|: where J - I is near singular, f moves little
_ROUNDING = 4.0  # of a step, in units in the last place
_NEWTON_STEPS = 8
_CHORD_STEPS = 8
_SERVES = 0.3  # a Jacobian serves for as long as each step brings the residual below this share of what it was

Factors = tuple[Tensor, Tensor]


class Found(NamedTuple):
    """Where the method came to, (B, S), and which of these states are roots, (B,)."""

    states: Tensor
    are_roots: Tensor


def return_jacobians(layer: Dynamics, points: Tensor, u: Tensor) -> Tensor:
    """The Jacobians of f^p at the first of p states that follow each other, (p, B, S) -> (B, S, S)."""
    product = jacobians(layer, points[0], u)
    for point in points[1:]:
        product = jacobians(layer, point, u) @ product
    return product


def factors_of(jacobian: Tensor) -> Factors:
    """J - I factored for `chord`; where it is singular, `chord` finds nothing."""
    identity = torch.eye(jacobian.shape[-1], dtype=jacobian.dtype, device=jacobian.device)
    factors, pivots, _ = torch.linalg.lu_factor_ex(jacobian - identity)
    return factors, pivots


def newton(layer: Dynamics, s: Tensor, u: Tensor, period: int = 1) -> Found:
    """Newton's method on f^p(s) - s. A root that it finds need not be where the trajectory from `s` goes.

    Args:
        layer: the layer or stack.
        s: the states to start from, (B, S).
        u: the constant input, (I,).
        period: p.
    """
    s = s.clone()
    are_roots = torch.zeros(len(s), dtype=torch.bool, device=s.device)
    left = torch.arange(len(s), device=s.device)
    before = torch.full_like(s[:, 0], torch.inf)
    for _ in range(_NEWTON_STEPS):
        jacobian = return_jacobians(layer, orbit(layer, s[left], u, period - 1), u)
        found = chord(layer, s[left], u, factors_of(jacobian), period)
        residual = _residual(layer, found.states, u, period).norm(dim=1)
        s[left], are_roots[left] = found.states, found.are_roots
        left, before = (one[~found.are_roots & (residual < before)] for one in (left, residual))
        if len(left) == 0:
            break
    return Found(s, are_roots)


def chord(layer: Dynamics, s: Tensor, u: Tensor, factors: Factors, period: int = 1) -> Found:
    """The same with Jacobians from nearby, kept as they are, down to rounding or for as long as they serve."""
    residual = _residual(layer, s, u, period)
    size = residual.norm(dim=1)
    for _ in range(_CHORD_STEPS):
        tried = s - _solve(factors, residual)
        after = _residual(layer, tried, u, period)
        size_after = after.norm(dim=1)
        better = size_after < size  # not so where the step led to infinity or NaN
        serves = size_after < _SERVES * size
        s, residual = torch.where(better[:, None], tried, s), torch.where(better[:, None], after, residual)
        size = torch.where(better, size_after, size)
        if not serves.any():
            break
    scale = 1 + s.abs()
    at_rest = (residual.abs() <= RESIDUAL * scale).all(1)
    # What the residual is known to, on both sides: it may round to zero far from a root where f hardly moves anything.
    rounding = _ROUNDING * torch.finfo(s.dtype).eps * scale * _signs(s)
    located = [
        (_solve(factors, one).abs() <= _LOCATED * scale).all(1) for one in (residual, residual + rounding, rounding)
    ]
    return Found(s, at_rest & torch.stack(located).all(0))


def _solve(factors: Factors, right: Tensor) -> Tensor:
    solved: Tensor = torch.linalg.lu_solve(*factors, right[..., None])[..., 0]
    return solved


def _signs(s: Tensor) -> Tensor:
    """Fixed signs at random, as of rounding errors."""
    drawn = torch.rand(s.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64, device="cpu")
    return (drawn - 0.5).sign().to(s)


def _residual(layer: Dynamics, s: Tensor, u: Tensor, period: int) -> Tensor:
    return orbit(layer, s, u, period)[-1] - s
