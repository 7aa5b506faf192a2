"""Equilibria and cycles as they are found, each kept once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from multistable.attractors._newton import Factors, chord, factors_of, newton, orbit, return_jacobians
from multistable.attractors._spectrum import spectral_radius
from multistable.dynamics import Dynamics

__all__ = ["SAME", "Cycle", "Equilibria", "closeness", "cycles_from"]

SAME = 1e-6
"""Roots as close as this, relative to 1 + |root|, are one."""

_AT_A_TIME = 32  # states that Newton's method begins from; what it finds serves the others


def closeness(s: Tensor, points: Tensor) -> Tensor:
    """Distances of states to points, (B, S), (P, S) -> (B, P), relative to 1 + |point|."""
    distances = torch.cdist(s, points, compute_mode="donot_use_mm_for_euclid_dist")
    relative: Tensor = distances / (1 + points.norm(dim=1))
    return relative


class Equilibria:
    """The equilibria of a map under one constant input, stable or not, numbered as they are found.

    Attributes:
        points: where they lie, (R, S).
        jacobians: the derivatives of the map there, (R, S, S).
        radii: their spectral radii, (R,).
    """

    def __init__(self, layer: Dynamics, u: Tensor, like: Tensor) -> None:
        self._layer, self._u = layer, u
        size = like.shape[1]
        self.points = like.new_empty(0, size)
        self.jacobians = like.new_empty(0, size, size)
        self.radii = like.new_empty(0)
        self._factors: Factors = self.jacobians, like.new_empty(0, size, dtype=torch.int32)

    def search(self, s: Tensor) -> Tensor:
        """The number of the equilibrium that Newton's method leads to from each state, (B, S) -> (B,); -1 for none."""
        numbers = torch.full((len(s),), -1, device=s.device)
        if len(self.points) > 0:
            numbers = self.search_near(s, closeness(s, self.points).argmin(1))
        left = (numbers < 0).nonzero()[:, 0]
        while len(left) > 0:
            block, left = left[:_AT_A_TIME], left[_AT_A_TIME:]
            known = len(self.points)
            found = newton(self._layer, s[block], self._u)
            numbers[block[found.are_roots]] = self._number(found.states[found.are_roots])
            if len(left) > 0 and len(self.points) > known:
                numbers[left] = self.search_near(s[left], closeness(s[left], self.points).argmin(1))
                left = left[numbers[left] < 0]
        return numbers

    def search_near(self, s: Tensor, near: Tensor) -> Tensor:
        """The same for each state with the Jacobian of the equilibrium numbered `near`, (B, S), (B,) -> (B,)."""
        factors, pivots = (one[near] for one in self._factors)
        found = chord(self._layer, s, self._u, (factors, pivots))
        numbers = torch.full((len(s),), -1, device=s.device)
        numbers[found.are_roots] = self._number(found.states[found.are_roots])
        return numbers

    def _number(self, roots: Tensor) -> Tensor:
        """The numbers of equilibria, of which some may be new."""
        numbers = torch.full((len(roots),), -1, device=roots.device)
        while bool((numbers < 0).any()):
            if len(self.points) > 0:
                nearest = closeness(roots, self.points).min(1)
                numbers = torch.where(nearest.values < SAME, nearest.indices, -1)
            new = roots[numbers < 0]
            if len(new) > 0:
                # Of those that are new, the first of each group.
                self._add(new[(closeness(new, new) < SAME).long().argmax(1).unique()])
        return numbers

    def _add(self, points: Tensor) -> None:
        jacobian = return_jacobians(self._layer, points[None], self._u)
        self.points = torch.cat([self.points, points])
        self.jacobians = torch.cat([self.jacobians, jacobian])
        self.radii = torch.cat([self.radii, spectral_radius(jacobian)])
        factors, pivots = self._factors
        new_factors, new_pivots = factors_of(jacobian)
        self._factors = torch.cat([factors, new_factors]), torch.cat([pivots, new_pivots])


@dataclass(frozen=True)
class Cycle:
    """A cycle of the map: states that follow each other, (p, S), the Jacobian of f^p at the first, its radius."""

    points: Tensor
    jacobian: Tensor
    radius: float

    @property
    def period(self) -> int:
        """p."""
        return len(self.points)


def cycles_from(layer: Dynamics, s: Tensor, u: Tensor, period: int) -> list[Cycle | None]:
    """For each state the cycle, of the period or a part of it, that Newton's method on f^p leads to; (B, S)."""
    found = newton(layer, s, u, period)
    orbits = orbit(layer, found.states, u, period)[:-1]
    return [
        _cycle(layer, points, u) if is_root else None
        for points, is_root in zip(orbits.unbind(1), found.are_roots.tolist(), strict=True)
    ]


def _cycle(layer: Dynamics, points: Tensor, u: Tensor) -> Cycle | None:
    """The cycle through states that follow each other, once around; None if it is an equilibrium."""
    period = len(points)
    repeats = closeness(points, points[:1])[:, 0] < SAME
    shortest = next((p for p in range(1, period) if period % p == 0 and repeats[p]), period)
    if shortest == 1:
        return None
    points = points[:shortest]
    jacobian = return_jacobians(layer, points[:, None], u)
    return Cycle(points, jacobian[0], spectral_radius(jacobian).item())
