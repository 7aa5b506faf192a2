"""Equilibria and cycles as they are found, each kept once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from multistable._attractors.basin import Basin, sides
from multistable._attractors.grouping import closeness, first_of_groups, nearest
from multistable._attractors.newton import Factors, chord, factors_of, newton, return_jacobians
from multistable._attractors.spectrum import STABLE
from multistable._attractors.steps import orbit
from multistable.dynamics import Dynamics

__all__ = ["SAME", "Cycle", "Equilibria", "basin_of", "cycles_from"]

SAME = 1e-6
"""Roots as close as this are one."""

_AT_A_TIME = 32  # states that Newton's method begins from; what it finds serves the others
_KEPT = 2**25  # entries of factors that are kept to serve others


def basin_of(layer: Dynamics, points: Tensor, u: Tensor) -> Basin:
    """Where f^p shrinks onto the first of p points that follow each other, (p, S)."""
    period = len(points)

    def after(s: Tensor) -> Tensor:
        return orbit(layer, s, u, period)[-1]

    def jacobians_at(s: Tensor) -> Tensor:
        return return_jacobians(layer, orbit(layer, s, u, period - 1), u)

    beside = sides(after, points[0])
    return Basin(after, points[0], jacobians_at(points[:1])[0], None if beside is None else jacobians_at(beside))


class Equilibria:
    """The equilibria of a map under one constant input, stable or not, numbered as they are found.

    Attributes:
        points: where they lie, (R, S).
        basins: around each what goes there.
    """

    def __init__(self, layer: Dynamics, u: Tensor, like: Tensor) -> None:
        self._layer, self._u = layer, u
        size = like.shape[1]
        self.points = like.new_empty(0, size)
        self.basins: list[Basin] = []
        self._factors: Factors = like.new_empty(0, size, size), like.new_empty(0, size, dtype=torch.int32)

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

    def radii(self, numbers: Tensor) -> Tensor:
        """The spectral radii at the equilibria with these numbers, (B,)."""
        return self.points.new_tensor([self.basins[number].radius for number in numbers.tolist()])

    def hold(self, s: Tensor, numbers: Tensor, *, far: bool) -> Tensor:
        """Which states lie around the equilibrium with their number, as `Basin.holds` says it, (B, S), (B,) -> (B,)."""
        held = torch.zeros_like(numbers, dtype=torch.bool)
        for number in numbers.unique().tolist():
            if self.basins[number].radius < STABLE:
                rows = numbers == number
                held[rows] = self.basins[number].holds(s[rows], far=far)
        return held

    def _search_near(self, s: Tensor) -> Tensor:
        """The same as `search` with the Jacobian of the equilibrium that is nearest to each state, as it is."""
        factors, pivots = self._factors
        _, near = nearest(s, self.points[: len(factors)])
        found = chord(self._layer, s, self._u, (factors[near], pivots[near]))
        numbers = torch.full((len(s),), -1, device=s.device)
        numbers[found.are_roots] = self._number(found.states[found.are_roots])
        return numbers

    def _number(self, roots: Tensor) -> Tensor:
        """The numbers of equilibria, some of which may be new; -1 for a point that its own Jacobian shows is none."""
        new = _distinct(roots[self._known(roots) < 0])
        if len(new) > 0:
            factors = factors_of(return_jacobians(self._layer, new[None], self._u))
            found = chord(self._layer, new, self._u, factors)
            new = found.states[found.are_roots]
            self._add(_distinct(new[self._known(new) < 0]))
        return self._known(roots)

    def _known(self, roots: Tensor) -> Tensor:
        """The numbers of the points that are known already, -1 for the others."""
        if len(self.points) == 0:
            return torch.full((len(roots),), -1, device=roots.device)
        if len(roots) == 0:
            return torch.empty(0, dtype=torch.long, device=roots.device)
        distance, number = nearest(roots, self.points)
        return torch.where(distance < SAME, number, -1)

    def _add(self, points: Tensor) -> None:
        if len(points) == 0:
            return
        self.points = torch.cat([self.points, points])
        self.basins += [basin_of(self._layer, point[None], self._u) for point in points]
        factors, pivots = self._factors
        room = max(1, _KEPT // points.shape[1] ** 2) - len(factors)
        if len(factors) == len(self.points) - len(points) and room > 0:
            new = factors_of(return_jacobians(self._layer, points[None, :room], self._u))
            self._factors = torch.cat([factors, new[0]]), torch.cat([pivots, new[1]])


def _distinct(points: Tensor) -> Tensor:
    """The first of each group of points that lie together, (P, S) -> (Q, S)."""
    return points[first_of_groups(points, SAME).unique()]


@dataclass(frozen=True)
class Cycle:
    """A cycle of the map: states that follow each other, (p, S), and what goes to the first of them under f^p."""

    points: Tensor
    basin: Basin

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
    return None if shortest == 1 else Cycle(points[:shortest], basin_of(layer, points[:shortest], u))
