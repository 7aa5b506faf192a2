"""VAA and VAA*: how many attractors a set of states shows.

Source: Lambrechts, De Geeter, Vecoven, Ernst and Drion, "Warming up recurrent neural networks to maximise reachable
multistability greatly improves learning", Neural Networks 2023, arXiv:2106.01001.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from multistable._utils.checks import check_finite, check_positive

__all__ = ["vaa", "vaa_star"]

# Distances held at a time: 2^20 of them take 8 MiB in float64, and a backward pass holds a few such blocks.
_DISTANCES_AT_A_TIME = 2**20


def vaa(states: Tensor, tol: float = 1e-4) -> Tensor:
    """Variability among attractors, `(1/n) sum_i 1 / #{j : |s_i - s_j| < tol}`.

    The share of states that are distinct: `1/n` when all lie together, 1 when every state stands alone. Distances are
    Euclidean and exact, computed in blocks so that memory stays bounded.

    Args:
        states: the states, shape (n, d), floating point, any device. Half precision is computed in float32.
        tol: states closer than this count as one.

    Returns:
        A tensor without dimensions, in the dtype of the computation. VAA is piecewise constant: no gradient.

    Raises:
        TypeError: `states` is not a floating-point tensor, `tol` is not a number.
        ValueError: `states` is not (n, d) with n at least 1, or holds NaN or infinity; `tol` is not above 0.

    Examples:
        >>> import torch
        >>> from multistable import vaa
        >>> vaa(torch.tensor([[0.0], [0.0], [1.0], [2.0]]))
        tensor(0.7500)
    """
    states = _as_states(states, tol).detach()

    def inverse_neighbours(rows: Tensor) -> Tensor:
        neighbours = (_distances(rows, states) < tol).sum(1, dtype=states.dtype)
        return neighbours.clamp(min=1).reciprocal()  # a state is its own neighbour, also where `tol` rounds to 0

    return _blockwise(states, inverse_neighbours).mean()


def vaa_star(states: Tensor, tol: float = 1e-4) -> Tensor:
    """Differentiable stand-in for VAA, `(1/n) sum_i 1 / sum_j C(|tanh s_i - tanh s_j|)`.

    `C(d) = 1 - relu(d - tol) / (d + 1e-6)` is 1 for states within `tol` of each other and falls to 0 with distance. The
    gradient is finite everywhere; where all states lie within `tol` of each other, it is exactly zero.

    Args:
        states: the states, shape (n, d), floating point, any device. Half precision is computed in float32.
        tol: states closer than this count as one.

    Returns:
        A tensor without dimensions, in the dtype of the computation, differentiable once with respect to `states`.

    Raises:
        TypeError: `states` is not a floating-point tensor, `tol` is not a number.
        ValueError: `states` is not (n, d) with n at least 1, or holds NaN or infinity; `tol` is not above 0.

    Examples:
        >>> import torch
        >>> from multistable import vaa_star
        >>> vaa_star(torch.tensor([[0.0], [0.0], [9.0], [-9.0]])).round(decimals=3)
        tensor(0.7500)
    """
    points = _as_states(states, tol).tanh()
    if len(_blocks(points)) == 1:
        return _inverse_closeness(points, points, tol).mean()
    blockwise: Tensor = _BlockwiseVAAStar.apply(points, tol)  # type: ignore[no-untyped-call]
    return blockwise


def _as_states(states: Tensor, tol: float) -> Tensor:
    check_positive("tol", tol)
    if not isinstance(states, Tensor) or not states.is_floating_point():
        got = states.dtype if isinstance(states, Tensor) else type(states).__name__
        raise TypeError(f"states must be a floating-point tensor, got {got}")
    if states.dim() != 2 or states.shape[0] == 0:
        raise ValueError(f"states must have shape (n, d) with n at least 1, got {tuple(states.shape)}")
    check_finite("states", states.detach())
    return states.float() if states.dtype in (torch.float16, torch.bfloat16) else states


def _blocks(points: Tensor) -> tuple[Tensor, ...]:
    blocks: tuple[Tensor, ...] = points.split(max(1, _DISTANCES_AT_A_TIME // len(points)))
    return blocks


def _blockwise(points: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
    """A number for each point, a block of rows at a time, (n, d) -> (n,)."""
    # The results of all blocks have their place from the start: small tensors that stay, between large ones that go,
    # would keep the allocator from using the large ones' memory again.
    scores = points.new_empty(len(points))
    for rows, scores_of_rows in zip(_blocks(points), _blocks(scores), strict=True):
        scores_of_rows.copy_(score(rows))
    return scores


def _distances(rows: Tensor, points: Tensor) -> Tensor:
    # The default mode expands |a - b|^2 into a matrix product above 25 rows, whose rounding error exceeds `tol`.
    return torch.cdist(rows, points, compute_mode="donot_use_mm_for_euclid_dist")


def _inverse_closeness(rows: Tensor, points: Tensor, tol: float) -> Tensor:
    distance = _distances(rows, points)
    closeness = 1 - (distance - tol).relu() / (distance + 1e-6)
    return closeness.sum(1).reciprocal()


class _BlockwiseVAAStar(torch.autograd.Function):
    """VAA* of many points: the backward pass computes each block again, so that no more than one is held at a time."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, tol: float) -> Tensor:
        ctx.save_for_backward(points)
        ctx.tol = tol
        return _blockwise(points, lambda rows: _inverse_closeness(rows, points, tol)).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (points,) = ctx.saved_tensors
        total = torch.zeros_like(points)
        for rows, total_of_rows in zip(_blocks(points), _blocks(total), strict=True):
            rows, others = rows.detach().requires_grad_(), points.detach().requires_grad_()
            with torch.enable_grad():
                inverse = _inverse_closeness(rows, others, ctx.tol).sum()
            of_rows, of_others = torch.autograd.grad(inverse, (rows, others))
            total += of_others
            total_of_rows += of_rows
        return grad * total / len(points), None
