"""Follow trajectories under a constant input until it is known where each goes."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from multistable.attractors._lyapunov import lyapunov
from multistable.attractors._newton import orbit
from multistable.attractors._roots import SAME, Cycle, Equilibria, closeness, cycles_from
from multistable.dynamics import Dynamics

__all__ = ["LONGEST_PERIOD", "SHORTEST_HORIZON", "Kind", "Outcome", "Search"]

Kind = Literal["equilibrium", "cycle", "slow", "drift", "chaos"]

LONGEST_PERIOD = 64
SHORTEST_HORIZON = 2 * LONGEST_PERIOD

_WINDOW = LONGEST_PERIOD  # steps over which it is seen whether a state comes closer to a root
_EARLY = (1, 2, 4, 8, 15, 30, 60)  # steps that are recorded before the first look
_THERE = 1e-9  # a state as close as this, relative to 1 + |root|, has arrived
_MERGED = 1e-10  # trajectories as close as this are followed as one
_RETURNS = 0.1  # a cycle shows where a state comes back to within this share of how far it goes
_CHAOS_FROM, _CHAOS_STEPS = 900, 1000
_CHAOS_MOVES = 1e-3  # chaos goes at least so far in a step
_CHAOS_LEAST, _CHAOS_ERRORS = 5e-3, 5  # and has an exponent of at least this, so many standard errors above zero
_DRIFT_LEAST, _DRIFT_GROWTH = 10.0, 1.5  # over a stretch twice as long: 2 at a constant rate, 1.4 for a square root


@dataclass(frozen=True)
class Outcome:
    """Where trajectories go.

    Attributes:
        kinds: what each of the n states comes to.
        roots: for each the number of the equilibrium or the cycle that it goes to, or -1, (n,).
        equilibria: all that were found, stable or not.
        cycles: the stable ones that were found.
        exponents: the largest Lyapunov exponent of each chaotic state and its standard error, by the state's number.
        final: the state of each when it was decided, (n, S).
        steps: steps after which all states were recorded.
        states: the states then, (k, n, S).
        residual: the largest |f(s, u) - s| then.
    """

    kinds: tuple[Kind, ...]
    roots: Tensor
    equilibria: Equilibria
    cycles: tuple[Cycle, ...]
    exponents: dict[int, tuple[float, float]]
    final: Tensor
    steps: tuple[int, ...]
    states: Tensor
    residual: tuple[float, ...]


class Search:
    """Trajectories from `s` (n, S) under the constant input `u` (I,), followed for up to `horizon` steps."""

    def __init__(self, layer: Dynamics, s: Tensor, u: Tensor, horizon: int, tol: float) -> None:
        self._layer, self._u, self._horizon, self._tol = layer, u, horizon, tol
        n = len(s)
        self._states = s.clone()  # of all, as they were when last followed
        self._rows = torch.arange(n, device=s.device)  # those that are still followed
        self._leader = self._rows.clone()  # for each the one that is followed in its place
        self._kinds: list[Kind] = ["slow"] * n
        self._roots = torch.full_like(self._rows, -1)
        self._arrival = s.new_full((n,), torch.inf)  # steps after which each is, or will be, within tol of its root
        self._equilibria = Equilibria(layer, u, s)
        self._cycles: list[Cycle] = []
        self._exponents: dict[int, tuple[float, float]] = {}
        self._sizes: list[Tensor] = []  # |s| at the end of each look, (n,)
        self._recorded: list[tuple[int, Tensor, float]] = []
        self._recording = True

    @torch.no_grad()
    def run(self) -> Outcome:
        """Go on until every trajectory is decided, or the horizon is reached."""
        time = 0
        for step in _EARLY:
            self._advance(self._layer.hold(self._states[self._rows], self._u, step - time), step)
            time = step
        # Looks end at the horizon, half of it, a quarter, and so on.
        ends = [self._horizon >> k for k in range(self._horizon.bit_length())]
        for end in reversed([end for end in ends if end >= SHORTEST_HORIZON]):
            self._merge()
            start = self._layer.hold(self._states[self._rows], self._u, end - _WINDOW - time)
            window = orbit(self._layer, start, self._u, _WINDOW)
            time = end
            self._advance(window[-1], time)
            self._look(window, time)
            if len(self._rows) == 0:
                break
        self._find_drift()
        return self._outcome()

    def _advance(self, s: Tensor, time: int) -> None:
        """Take the states of those that are followed, and record all while all are known."""
        if not torch.isfinite(s).all():
            raise FloatingPointError(
                f"states of {self._layer.name or 'the network'} are no longer finite after {time} steps under a "
                "constant input"
            )
        self._states[self._rows] = s
        followed = torch.zeros(len(self._states), dtype=torch.bool, device=s.device)
        followed[self._rows] = True
        followed = followed[self._leader]
        arrived = self._arrival[self._leader] <= time
        self._recording &= bool((followed | arrived).all())
        if self._recording:
            states = self._states[self._leader]
            at_rest = ~followed
            states[at_rest] = self._equilibria.points[self._roots[self._leader[at_rest]]]
            moved = self._layer.step(s, self._u[None]) - s
            self._recorded.append((time, states, moved.norm(dim=1).max().item()))

    def _merge(self) -> None:
        """Follow only the first of those that are together."""
        s = self._states[self._rows]
        first = (closeness(s, s) < _MERGED).long().argmax(1)
        while not torch.equal(first, first[first]):
            first = first[first]
        stands_for = torch.arange(len(self._states), device=s.device)
        stands_for[self._rows] = self._rows[first]
        self._leader = stands_for[self._leader]
        self._rows = self._rows[first.unique()]

    def _look(self, window: Tensor, time: int) -> None:
        """Decide what can be decided from a window of the trajectories, (steps, B, S)."""
        self._sizes.append(self._states.norm(dim=1))
        window = window[:, self._find_equilibria(window, time)]
        window = window[:, self._find_cycles(window)]
        if time >= _CHAOS_FROM:
            self._find_chaos(window)

    def _find_equilibria(self, window: Tensor, time: int) -> Tensor:
        """Decide for those that go to a stable equilibrium; which are left."""
        start, end = window[0], window[-1]
        numbers = self._equilibria.search(start)
        which = (numbers >= 0).nonzero()[:, 0]
        which = which[self._equilibria.radii[numbers[which]] < 1]
        which = which[self._equilibria.search_near(end[which], numbers[which]) == numbers[which]]
        points, rates = self._equilibria.points[numbers[which]], self._equilibria.radii[numbers[which]]
        before, after = ((s[which] - points).norm(dim=1) for s in (start, end))
        closer = _comes_closer(before, after, rates**_WINDOW) | (after < _THERE * (1 + points.norm(dim=1)))
        which = which[closer]
        self._roots[self._rows[which]] = numbers[which]
        still = (after[closer] / self._tol).log().clamp(min=0) / -rates[closer].log()
        self._arrival[self._rows[which]] = time + still
        return self._decide(which, "equilibrium")

    def _find_cycles(self, window: Tensor) -> Tensor:
        """Decide for those that go to a stable cycle; which are left."""
        back = (window[-1] - window[:-1]).norm(dim=2).flip(0)  # how far each is from itself 1, 2, ... steps before
        nearest, farthest = back.min(0).values, back.max(0).values
        periods = 1 + (back <= 4 * nearest).long().argmax(0)
        candidates = (periods > 1) & (nearest < _RETURNS * farthest)
        decided = []
        for period in periods[candidates].unique().tolist():
            which = (candidates & (periods == period)).nonzero()[:, 0]
            cycles = cycles_from(self._layer, window[-1, which], self._u, period)
            for index, cycle in zip(which.tolist(), cycles, strict=True):
                if cycle is not None and cycle.radius < 1 and _goes_to(window[:, index], cycle):
                    self._roots[self._rows[index]] = self._number(cycle)
                    decided.append(index)
        return self._decide(torch.tensor(decided, dtype=torch.long, device=window.device), "cycle")

    def _number(self, cycle: Cycle) -> int:
        """The number of a cycle, which may be new."""
        for number, known in enumerate(self._cycles):
            if closeness(cycle.points[:1], known.points).min() < SAME:
                return number
        self._cycles.append(cycle)
        return len(self._cycles) - 1

    def _find_chaos(self, window: Tensor) -> None:
        """Decide for those along which a small displacement grows."""
        which = ((window[-1] - window[-2]).norm(dim=1) > _CHAOS_MOVES).nonzero()[:, 0]
        if len(which) == 0:
            return
        found = lyapunov(self._layer, window[-1][which], self._u, _CHAOS_STEPS)
        grows = (found.exponent > _CHAOS_LEAST) & (found.exponent > _CHAOS_ERRORS * found.error)
        rows = self._rows[which[grows]].tolist()
        estimates = torch.stack([found.exponent[grows], found.error[grows]], 1).tolist()
        self._exponents.update(zip(rows, map(tuple, estimates), strict=True))
        self._decide(which[grows], "chaos")

    def _find_drift(self) -> None:
        """Decide for those that are left and have grown without slowing down."""
        if len(self._sizes) < 3:
            return
        first, second, third = (sizes[self._rows] for sizes in self._sizes[-3:])
        grows = (second > first) & (third - second > _DRIFT_GROWTH * (second - first)) & (third > _DRIFT_LEAST)
        self._decide(grows.nonzero()[:, 0], "drift")

    def _decide(self, which: Tensor, kind: Kind) -> Tensor:
        """Follow some of the trajectories no longer; which are left."""
        for row in self._rows[which].tolist():
            self._kinds[row] = kind
        left = torch.ones(len(self._rows), dtype=torch.bool, device=which.device)
        left[which] = False
        self._rows = self._rows[left]
        return left

    def _outcome(self) -> Outcome:
        roots = self._roots[self._leader]
        kinds = [self._kinds[leader] for leader in self._leader.tolist()]
        # Slow are also those that would still be on their way to an equilibrium that others go to.
        late = (self._arrival[self._leader] > self._horizon).tolist()
        going = Counter(root for kind, root in zip(kinds, roots.tolist(), strict=True) if kind == "equilibrium")
        for row, root in enumerate(roots.tolist()):
            if kinds[row] == "equilibrium" and late[row] and going[root] > 1:
                kinds[row] = "slow"
        steps, states, residual = zip(*self._recorded, strict=True)
        leaders = self._leader.tolist()
        return Outcome(
            kinds=tuple(kinds),
            roots=roots,
            equilibria=self._equilibria,
            cycles=tuple(self._cycles),
            exponents={row: self._exponents[leader] for row, leader in enumerate(leaders) if leader in self._exponents},
            final=self._states[self._leader],
            steps=steps,
            states=torch.stack(states),
            residual=residual,
        )


def _comes_closer(before: Tensor, after: Tensor, shrinking: Tensor | float) -> Tensor:
    """Whether distances to a root shrink at least half as much as its Jacobian says that they do in the end."""
    return after <= before * (1 + shrinking) / 2


def _goes_to(trajectory: Tensor, cycle: Cycle) -> bool:
    """Whether a trajectory (steps, S), from round to round, comes closer to the first of a cycle's states."""
    rounds = (len(trajectory) - 1) // cycle.period
    goal = cycle.points[0]
    before, after = (trajectory[[-1 - rounds * cycle.period, -1]] - goal).norm(dim=1)
    return bool(_comes_closer(before, after, cycle.radius**rounds) | (after < _THERE * (1 + goal.norm())))
