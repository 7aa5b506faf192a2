"""Spectral radii of many matrices at once."""

import torch
from torch import Tensor

__all__ = ["STABLE", "metric", "spectral_radius"]

STABLE = 1 - 1e-9
"""A spectral radius below this is below 1, whatever rounding has done to the Jacobian and its powers."""

_SQUARINGS = 24
_NEGLIGIBLE = 1e-3  # of a power whose square adds to a sum that is at least one


def spectral_radius(matrices: Tensor) -> Tensor:
    """The largest |eigenvalue| of each matrix, (B, S, S) -> (B,), by Gelfand's formula.

    |A^k|^(1/k) is at no k below the spectral radius, and comes down to it. At k = 2^24, reached by squaring, it is
    above it by a factor of c^(1/k), where c says how far A is from normal: 1 + 2e-6 for c = 10^14, and 1 + 2e-5 for a
    Jordan block of 32 rows. Much faster than the eigenvalues of many matrices, and on the safe side of 1. Where the
    powers vanish, they may have done so for being far from normal, and the eigenvalues decide.
    """
    log_norm = torch.zeros_like(matrices[:, 0, 0])  # log |A^k|
    power = matrices  # A^k / |A^k|
    for squaring in range(_SQUARINGS + 1):
        power = power @ power if squaring > 0 else power
        norm = torch.linalg.matrix_norm(power)
        log_norm = 2 * log_norm + norm.log()
        power = power / norm.clamp(min=torch.finfo(norm.dtype).tiny)[:, None, None]
    radius: Tensor = (log_norm / 2**_SQUARINGS).exp()
    vanished = radius == 0
    radius[vanished] = torch.linalg.eigvals(matrices[vanished]).abs().amax(1)
    return radius


def metric(matrix: Tensor) -> Tensor:
    """P, the sum of (A^k)^T A^k over all k, of a stable matrix, (S, S) -> (S, S).

    In the norm sqrt(e^T P e) every step of e' = A e shrinks (Lyapunov), which in |e| it need not: a spiral may be
    stretched, and come closer and go away in turn.
    """
    power, total = matrix, torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
    for _ in range(_SQUARINGS):
        total = total + power.T @ total @ power
        power = power @ power
        if torch.linalg.matrix_norm(power) < _NEGLIGIBLE:
            break
    return total
