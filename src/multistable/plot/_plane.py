"""The plane in which points in many dimensions are drawn."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Plane", "Points", "as_points", "plane_of"]

Points = NDArray[np.float64]

_FLAT = 0.05  # the least height of what is shown, as a share of its width


@dataclass(frozen=True)
class Plane:
    """A plane, and how states get there.

    Attributes:
        origin: the state that lies at zero, (S,).
        axes: what each unit adds to the two coordinates, (S, 2).
        shares: each axis's share of the variance; None where the axes are units.
    """

    origin: Points
    axes: Points
    shares: tuple[float, float] | None

    def project(self, states: Points) -> Points:
        """Where states lie, (..., S) -> (..., 2)."""
        return (states - self.origin) @ self.axes

    def label(self, panel: Axes) -> None:
        """Say what the axes of a panel are."""
        panel.ticklabel_format(scilimits=(-3, 4))  # long numbers would run into each other
        if self.shares is not None:
            first, second = self.shares
            panel.set_xlabel(f"principal component 1 ({first:.0%} of the variance)")
            panel.set_ylabel(f"principal component 2 ({second:.0%})")
            return
        panel.set_xlabel("unit 0")
        if len(self.origin) == 2:
            panel.set_ylabel("unit 1")
        else:
            panel.set_yticks([])

    def widen(self, panel: Axes, drawn: Points, least: float = 0.0) -> None:
        """Keep rounding from filling a panel whose points lie on a line, or all in one place; (P, 2)."""
        if len(drawn):
            low, high = drawn.min(0), drawn.max(0)
            half = np.array([least, max(least, _FLAT * (high - low)[0])])
            panel.update_datalim(np.stack([(low + high) / 2 - half, (low + high) / 2 + half]))
        panel.autoscale_view()


def plane_of(states: Points) -> Plane:
    """One or two units are drawn as they are, more of them in the first two principal components; (P, S).

    Each component points to where its largest entry is positive. Where all points coincide, the shares are zero.
    """
    size = states.shape[1]
    if size <= 2:
        return Plane(np.zeros(size), np.eye(size, 2), None)
    origin = states.mean(0) if len(states) else np.zeros(size)
    points = states - origin
    tiny = np.finfo(points.dtype).tiny
    scaled = points / max(np.abs(points).max(initial=0.0), tiny)  # what drifts may be too large to be squared
    # Eigenvectors of S x S are much faster than singular vectors of P x S, and exact enough to draw.
    variances, axes = np.linalg.eigh(scaled.T @ scaled)
    variances, axes = variances[::-1], axes[:, ::-1][:, :2]
    axes = axes * np.sign(np.take_along_axis(axes, np.abs(axes).argmax(0, keepdims=True), 0))
    first, second = (variances[:2] / max(variances.sum(), tiny)).tolist()
    return Plane(origin, axes, (first, second))


def as_points(states: Tensor) -> NDArray[Any]:
    """A tensor's values in double precision, wherever it is."""
    array: NDArray[Any] = states.detach().cpu().double().numpy()
    return array
