"""Follow trajectories under a constant input until it is known where each goes."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from multistable._attractors.lyapunov import lyapunov
from multistable._attractors.newton import Factors, factors_of, orbit
from multistable._attractors.roots import SAME, Cycle, Equilibria, closeness, cycles_from
from multistable._attractors.spectrum import STABLE
from multistable.dynamics import Dynamics

__all__ = ["LONGEST_PERIOD", "SHORTEST_HORIZON", "Kind", "Outcome", "Search"]

Kind = Literal["equilibrium", "cycle", "held", "slow", "drift", "chaos"]

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
        self._sizes: list[Tensor] = []  # the largest entry of each state at the end of each look, (n,)
        self._sought = self._roots.clone()  # the root that each was seen to go to at the last look, or -1
        self._distance = s.new_full((len(s),), torch.inf)  # from it, then
        self._seen = 0  # when that was
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
        return self._outcome()

    def _advance(self, s: Tensor, time: int) -> None:
        """Take over the states of those that are followed, and record all as long as all are known."""
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
        """Of trajectories that have met, follow only the first."""
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
        self._sizes.append(self._states.abs().amax(1))
        window = window[:, self._find_equilibria(window, time)]
        window = window[:, self._find_cycles(window)]
        if time == self._horizon:  # not before: chaos may end
            window = window[:, self._find_drift()]
            if time >= _CHAOS_FROM:
                self._find_chaos(window)

    def _find_equilibria(self, window: Tensor, time: int) -> Tensor:
        """Decide which trajectories go to a stable equilibrium; returns which are left."""
        numbers = self._equilibria.search(window[0])
        which = (numbers >= 0).nonzero()[:, 0]
        which = which[self._equilibria.radii[numbers[which]] < STABLE]
        numbers = numbers[which]
        points, radii = self._equilibria.points[numbers], self._equilibria.radii[numbers]
        away = window[-1, which] - points
        there = away.norm(dim=1) < _THERE * (1 + points.norm(dim=1))
        straight = _heads_for(window[:, which], points, self._equilibria.factors(numbers))
        # The last look must have seen it head for the same root, and it must have come closer ever since.
        rows, passed, rates = self._rows[which], time - self._seen, -radii.log()
        distance = self._equilibria.distance(away, numbers)
        came = (self._sought[rows] == numbers) & (passed * rates > 1)
        came &= (distance / self._distance[rows]).log() < -0.5 * passed * rates
        decided = there | (straight & came)
        self._sought.fill_(-1)
        self._sought[rows[straight]], self._distance[rows[straight]] = numbers[straight], distance[straight]
        self._seen = time
        self._roots[rows[decided]] = numbers[decided]
        still = (away[decided].norm(dim=1) / self._tol).log().clamp(min=0) / rates[decided]
        self._arrival[rows[decided]] = time + still
        return self._decide(which[decided], "equilibrium")

    def _find_cycles(self, window: Tensor) -> Tensor:
        """Decide which go to a stable cycle; returns which are left."""
        back = (window[-1] - window[:-1]).norm(dim=2).flip(0)  # how far each is from itself 1, 2, ... steps before
        nearest, farthest = back.min(0).values, back.max(0).values
        periods = 1 + (back <= 4 * nearest).long().argmax(0)
        candidates = (periods > 1) & (nearest < _RETURNS * farthest)
        decided = []
        for period in periods[candidates].unique().tolist():
            which = (candidates & (periods == period)).nonzero()[:, 0]
            cycles = cycles_from(self._layer, window[-1, which], self._u, period)
            for index, cycle in zip(which.tolist(), cycles, strict=True):
                if cycle is not None and cycle.radius < STABLE and _goes_round(window[:, index], cycle):
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
        """Decide along which a small displacement grows."""
        which = ((window[-1] - window[-2]).norm(dim=1) > _CHAOS_MOVES).nonzero()[:, 0]
        if len(which) == 0:
            return
        found = lyapunov(self._layer, window[-1][which], self._u, _CHAOS_STEPS)
        grows = (found.exponent > _CHAOS_LEAST) & (found.exponent > _CHAOS_ERRORS * found.error)
        rows = self._rows[which[grows]].tolist()
        estimates = torch.stack([found.exponent[grows], found.error[grows]], 1).tolist()
        self._exponents.update(zip(rows, map(tuple, estimates), strict=True))
        self._decide(which[grows], "chaos")

    def _find_drift(self) -> Tensor:
        """Decide which have become large without slowing down; returns which are left."""
        if len(self._sizes) < 3:
            return self._decide(self._rows[:0], "drift")
        first, second, third = (sizes[self._rows] for sizes in self._sizes[-3:])
        grows = (second > first) & (third - second > _DRIFT_GROWTH * (second - first)) & (third > _DRIFT_LEAST)
        return self._decide(grows.nonzero()[:, 0], "drift")

    def _decide(self, which: Tensor, kind: Kind) -> Tensor:
        """Stop following some of the trajectories; returns which are left."""
        for row in self._rows[which].tolist():
            self._kinds[row] = kind
        left = torch.ones(len(self._rows), dtype=torch.bool, device=which.device)
        left[which] = False
        self._rows = self._rows[left]
        return left

    def _outcome(self) -> Outcome:
        roots = self._roots[self._leader]
        kinds = [self._kinds[leader] for leader in self._leader.tolist()]
        # States that would still be on their way to an equilibrium that others go to are slow, too.
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


def _goes_round(trajectory: Tensor, cycle: Cycle) -> bool:
    """Whether a trajectory (steps, S), seen once in a round, goes to the first of a cycle's states."""
    rounds = trajectory[(len(trajectory) - 1) % cycle.period :: cycle.period, None]
    radius = rounds.new_tensor([cycle.radius])
    return bool(_go_to(rounds, cycle.points[:1], factors_of(cycle.jacobian[None]), radius))


def _go_to(visits: Tensor, points: Tensor, factors: Factors, radii: Tensor) -> Tensor:
    """Whether trajectories go to stable roots, (visits, B, S), (B, S) -> (B,).

    They head for them, and from the first visit to the last the distance shrinks by at least half of what the Jacobian
    says that it shrinks in the end; or they are there.
    """
    distances = (visits[[0, -1]] - points).norm(dim=2)
    closer = distances[1] <= distances[0] * (1 + radii ** (len(visits) - 1)) / 2
    there = distances[1] < _THERE * (1 + points.norm(dim=1))
    go: Tensor = (_heads_for(visits, points, factors) & closer) | there
    return go


def _heads_for(visits: Tensor, points: Tensor, factors: Factors) -> Tensor:
    """Whether from every visit a step of Newton's method with the root's Jacobian leads more than half-way there."""
    away = visits - points
    moved = (visits[1:] - visits[:-1]).permute(1, 2, 0)
    left = away[:-1] - torch.linalg.lu_solve(*factors, moved).permute(2, 0, 1)
    heads: Tensor = (left.norm(dim=2) <= away[:-1].norm(dim=2) / 2).all(0)
    return heads
