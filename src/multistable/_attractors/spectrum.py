"""Eigenvalues, and norms in which stable matrices shrink what they map."""

import torch
from torch import Tensor

__all__ = ["STABLE", "eigen_metric", "eigenvalues", "largest_stretch", "metric"]

STABLE = 1 - 1e-9
"""A spectral radius below this is below 1, whatever rounding has done to the Jacobian."""

_ALL_UP_TO = 512  # rows of a matrix all of whose eigenvalues are computed
_KRYLOV, _RESTARTS, _CONVERGED = 64, 6, 1e-9
_DOUBLINGS = 40
_WELL_CONDITIONED = 1e10  # the largest by the smallest eigenvalue of P, at most
_NEGLIGIBLE = 1e-3  # of a power whose square adds to a sum that is at least one
_STRETCHED, _ROUNDS = 4, 24  # vectors, and how often they are turned to where a matrix stretches most


def eigenvalues(matrix: Tensor) -> Tensor:
    """The eigenvalues of a matrix, (S, S) -> (S,), the largest first; of a large one those of them that are largest.

    The largest eigenvalue of a large matrix is that of its projection on a Krylov space (Arnoldi's method, restarted),
    where it has settled there, and else that of the matrix.
    """
    if len(matrix) > _ALL_UP_TO:
        found = _largest(matrix)
        if found is not None:
            return found
    values: Tensor = torch.linalg.eigvals(matrix)
    ordered: Tensor = values[values.abs().argsort(descending=True, stable=True)]
    return ordered


def _largest(matrix: Tensor) -> Tensor | None:
    """The eigenvalues that Arnoldi's method is sure of, the largest first; None where the largest is not among them."""
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(len(matrix), generator=generator, dtype=matrix.dtype, device="cpu").to(matrix)
    for _ in range(_RESTARTS):
        basis, small = _arnoldi(matrix, start)
        values, vectors = torch.linalg.eig(small[:-1])
        # Behind the basis, a Ritz vector is off by its last entry times what the next step would have added.
        off = small[-1, -1].abs() * vectors[-1].abs()
        order = values.abs().argsort(descending=True, stable=True)
        values, off = values[order], off[order]
        sure = off <= _CONVERGED * values.abs().clamp(min=1e-3)
        if sure[:2].all():
            known: Tensor = values[: int(sure.long().cumprod(0).sum())]
            return known
        start = (vectors[:, order[:4]].real.sum(1) @ basis[:-1]).to(matrix)
    return None


def _arnoldi(matrix: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """An orthonormal basis of the Krylov space (k + 1, S), and the matrix in it, (k + 1, k)."""
    basis = matrix.new_zeros(_KRYLOV + 1, len(matrix))
    small = matrix.new_zeros(_KRYLOV + 1, _KRYLOV)
    basis[0] = start / start.norm()
    for k in range(_KRYLOV):
        after = matrix @ basis[k]
        for _ in range(2):  # once more, for what rounding left
            parts = basis[: k + 1] @ after
            small[: k + 1, k] += parts
            after = after - parts @ basis[: k + 1]
        size = after.norm()
        small[k + 1, k] = size
        basis[k + 1] = after / size.clamp(min=torch.finfo(size.dtype).tiny)
    return basis, small


def eigen_metric(matrix: Tensor) -> tuple[Tensor, Tensor] | None:
    """P, for which every step of e' = A e shrinks e^T P e by the square of the spectral radius at least.

    In the basis of its eigenvectors, a matrix multiplies each part by its eigenvalue. P is at least the identity.

    Returns:
        P (S, S), and the eigenvectors, of complex pairs the real and the imaginary part, (S, S); None where they nearly
        coincide, or where there are too many of them.
    """
    if len(matrix) > _ALL_UP_TO:
        return None
    values, vectors = torch.linalg.eig(matrix)
    inverse, failed = torch.linalg.inv_ex(vectors)
    found = (inverse.mH @ inverse).real
    least = torch.linalg.eigvalsh(found)[0] if torch.isfinite(found).all() else found.new_zeros(())
    if failed or not least * _WELL_CONDITIONED > torch.linalg.matrix_norm(found):
        return None
    directions = torch.cat([vectors.real[:, values.imag >= 0].T, vectors.imag[:, values.imag > 0].T])
    return found / least, directions


def metric(matrix: Tensor) -> Tensor | None:
    """P, the sum of (A^k)^T A^k over all k, (S, S) -> (S, S); None where the sum does not end: A is not stable.

    In the norm sqrt(e^T P e) every step of e' = A e shrinks (Lyapunov), which in |e| it need not: a spiral may be
    stretched, and come closer and go away in turn.
    """
    power, total = matrix, torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
    for _ in range(_DOUBLINGS):
        total = total + power.T @ total @ power
        power = power @ power
        size = torch.linalg.matrix_norm(power)
        if not torch.isfinite(size):
            return None
        if size < _NEGLIGIBLE:
            return total
    return None


def largest_stretch(matrix: Tensor) -> tuple[float, Tensor]:
    """By how much a matrix stretches at most, about, and directions that it stretches most, (S, S) -> (k, S)."""
    generator = torch.Generator().manual_seed(0)
    count = min(_STRETCHED, len(matrix))
    vectors = torch.randn(len(matrix), count, generator=generator, dtype=matrix.dtype, device="cpu").to(matrix)
    for _ in range(_ROUNDS):
        vectors = torch.linalg.qr(matrix.T @ (matrix @ vectors)).Q
    _, sizes, turned = torch.linalg.svd(matrix @ vectors, full_matrices=False)
    return float(sizes[0]), (vectors @ turned.T).T
