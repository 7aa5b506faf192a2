"""Equilibria and cycles as they are found, each kept once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from multistable._attractors.newton import Factors, chord, factors_of, newton, orbit, return_jacobians
from multistable._attractors.spectrum import metric, spectral_radius
from multistable.dynamics import Dynamics

__all__ = ["SAME", "Cycle", "Equilibria", "closeness", "cycles_from"]

SAME = 1e-6
"""Roots as close as this are one."""

_AT_A_TIME = 32  # states that Newton's method begins from; what it finds serves the others


def closeness(s: Tensor, points: Tensor) -> Tensor:
    """Distances of states to points, (B, S), (P, S) -> (B, P); of entries that are large, relative to their size."""
    return torch.cdist(s.asinh(), points.asinh(), compute_mode="donot_use_mm_for_euclid_dist")


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
            numbers = self._search_near(s)
        left = (numbers < 0).nonzero()[:, 0]
        while len(left) > 0:
            block, left = left[:_AT_A_TIME], left[_AT_A_TIME:]
            known = len(self.points)
            found = newton(self._layer, s[block], self._u)
            numbers[block[found.are_roots]] = self._number(found.states[found.are_roots])
            if len(left) > 0 and len(self.points) > known:
                numbers[left] = self._search_near(s[left])
                left = left[numbers[left] < 0]
        return numbers

    def factors(self, numbers: Tensor) -> Factors:
        """J - I at the equilibria with these numbers, (B,), factored."""
        factors, pivots = self._factors
        return factors[numbers], pivots[numbers]

    def distance(self, away: Tensor, numbers: Tensor) -> Tensor:
        """How far states are from the equilibria with these numbers, (B, S), (B,) -> (B,), as `metric` measures it."""
        found, which = numbers.unique(return_inverse=True)
        distances = away.new_empty(len(away))
        for place, number in enumerate(found.tolist()):
            rows = which == place
            distances[rows] = ((away[rows] @ metric(self.jacobians[number])) * away[rows]).sum(1).sqrt()
        return distances

    def _search_near(self, s: Tensor) -> Tensor:
        """The same as `search` with the Jacobian of the equilibrium that is nearest to each state, as it is."""
        near = closeness(s, self.points).argmin(1)
        found = chord(self._layer, s, self._u, self.factors(near))
        numbers = torch.full((len(s),), -1, device=s.device)
        numbers[found.are_roots] = self._number(found.states[found.are_roots])
        return numbers

    def _number(self, roots: Tensor) -> Tensor:
        """The numbers of equilibria, some of which may be new; -1 for a point that its own Jacobian shows is none."""
        new = _first_of_groups(roots[self._known(roots) < 0])
        if len(new) > 0:
            factors = factors_of(return_jacobians(self._layer, new[None], self._u))
            found = chord(self._layer, new, self._u, factors)
            new = found.states[found.are_roots]
            self._add(_first_of_groups(new[self._known(new) < 0]))
        return self._known(roots)

    def _known(self, roots: Tensor) -> Tensor:
        """The numbers of the points that are known already, -1 for the others."""
        if len(self.points) == 0:
            return torch.full((len(roots),), -1, device=roots.device)
        nearest = closeness(roots, self.points).min(1)
        return torch.where(nearest.values < SAME, nearest.indices, -1)

    def _add(self, points: Tensor) -> None:
        if len(points) == 0:
            return
        jacobian = return_jacobians(self._layer, points[None], self._u)
        self.points = torch.cat([self.points, points])
        self.jacobians = torch.cat([self.jacobians, jacobian])
        self.radii = torch.cat([self.radii, spectral_radius(jacobian)])
        factors, pivots = self._factors
        new_factors, new_pivots = factors_of(jacobian)
        self._factors = torch.cat([factors, new_factors]), torch.cat([pivots, new_pivots])


def _first_of_groups(points: Tensor) -> Tensor:
    """The first of each group of points that lie together, (P, S) -> (Q, S)."""
    return points[(closeness(points, points) < SAME).long().argmax(1).unique()] if len(points) > 0 else points


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
