"""The plane in which points in many dimensions are drawn."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["Projection", "principal_components"]


class Projection(NamedTuple):
    """Points in a plane, (P, 2), around zero, and each axis's share of the variance, (2,)."""

    points: Tensor
    shares: Tensor


def principal_components(points: Tensor) -> Projection:
    """Points (P, S) in their first two principal components; for one-dimensional points the second is zero.

    Each axis points to where its largest entry is positive. Where all points coincide, the shares are zero.
    """
    points = points - points.mean(0)
    if points.shape[1] == 1:
        points = pad(points, (0, 1))
    tiny = torch.finfo(points.dtype).tiny
    scaled = points / points.abs().max().clamp(min=tiny)  # what drifts may be too large to be squared
    # Eigenvectors of S x S are much faster than singular vectors of P x S, and exact enough to draw.
    variances, axes = torch.linalg.eigh(scaled.T @ scaled)
    variances, axes = variances.flip(0), axes.flip(1)[:, :2]
    axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    return Projection(points @ axes, variances[:2] / variances.sum().clamp(min=tiny))
