"""Follow trajectories under a constant input until it is known where each goes."""

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from multistable._attractors.grouping import first_of_groups, nearest
from multistable._attractors.kinds import Kind
from multistable._attractors.motion import Motion, drifts, moves_on
from multistable._attractors.roots import SAME, Cycle, Equilibria, cycles_from
from multistable._attractors.spectrum import STABLE
from multistable._attractors.steps import moved, once, orbit
from multistable.dynamics import Dynamics

__all__ = ["LONGEST_PERIOD", "SHORTEST_HORIZON", "Outcome", "Search"]

LONGEST_PERIOD = 64
SHORTEST_HORIZON = 2 * LONGEST_PERIOD

_WINDOW = LONGEST_PERIOD  # steps over which it is seen whether a state comes back
_EARLY = (1, 2, 4, 8, 15, 30, 60)  # steps that are recorded before the first look
_MERGED = 1e-13  # trajectories as close as this are followed as one
_RETURNS = 0.1  # a cycle shows where a state comes back to within this share of how far it goes
_MOTION_FROM = 900  # steps after which trajectories that go on moving are told apart
_DRIFT_FROM = 512
_LARGE, _SHOWN = 1e30, 4  # a step from there may well overflow on its way; entries of a state that an error shows


@dataclass(frozen=True)
class Outcome:
    """Where trajectories go.

    Attributes:
        kinds: what each of the n states comes to.
        roots: for each the number of the equilibrium, cycle or curve that it goes to, or -1, (n,).
        equilibria: all that were found, stable or not.
        cycles: the stable ones that were found.
        motions: how those move that are chaotic or oscillate, by the state's number.
        final: the state of each when it was decided, (n, S).
        steps: steps after which all states were recorded.
        states: the states then, (k, n, S).
        residual: the largest |f(s, u) - s| then.
    """

    kinds: tuple[Kind, ...]
    roots: Tensor
    equilibria: Equilibria
    cycles: tuple[Cycle, ...]
    motions: dict[int, Motion]
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
        self._motions: dict[int, Motion] = {}
        self._ends: list[Tensor] = []  # the states at the ends of the last looks, (n, S)
        self._recorded: list[tuple[int, Tensor, float]] = []
        self._recording = True

    @torch.no_grad()
    def run(self) -> Outcome:
        """Go on until every trajectory is decided, or the horizon is reached."""
        time = 0
        for step in _EARLY:
            if len(self._rows) == 0:
                break
            self._advance(self._layer.hold(self._states[self._rows], self._u, step - time), step)
            time = step
        # Looks end at the horizon, half of it, a quarter, and so on.
        ends = [self._horizon >> k for k in range(self._horizon.bit_length())]
        for end in reversed([end for end in ends if end >= SHORTEST_HORIZON]):
            if len(self._rows) == 0:
                break
            self._merge()
            start = self._layer.hold(self._states[self._rows], self._u, end - _WINDOW - time)
            window = orbit(self._layer, start, self._u, _WINDOW)
            time = end
            window = window[:, self._advance(window[-1], time)]
            self._look(window, time)
        return self._outcome()

    def _advance(self, s: Tensor, time: int) -> Tensor:
        """Take over the states of those that are followed, and record all as long as all are known.

        Returns which of them are left: the states of the others are no longer finite.
        """
        finite = torch.isfinite(s).all(1)
        if not finite.all():
            self._check_growth(self._states[self._rows[~finite]])
        self._states[self._rows[finite]] = s[finite]
        self._recording &= bool(finite.all())
        left = self._decide((~finite).nonzero()[:, 0], "unbounded")
        if self._recording and len(self._rows) > 0:
            self._record(time)
        return left

    def _check_growth(self, s: Tensor) -> None:
        """Raise if states become NaN that are not large: they did not grow, the step is not defined there."""
        for _ in range(self._horizon):
            before, s = s, once(self._layer, s, self._u)
            left = torch.isfinite(s).all(1)
            undefined = s.isnan().any(1) & (before.abs().amax(1) < _LARGE)
            if undefined.any():
                where = before[undefined][0, :_SHOWN].tolist()
                raise FloatingPointError(
                    f"a step of {self._layer.name or 'the network'} must not be NaN, got it at {where}"
                )
            s = s[left]
            if len(s) == 0:
                return

    def _record(self, time: int) -> None:
        followed = torch.zeros(len(self._states), dtype=torch.bool, device=self._states.device)
        followed[self._rows] = True
        followed = followed[self._leader]
        arrived = self._arrival[self._leader] <= time
        self._recording &= bool((followed | arrived).all())
        if self._recording:
            states = self._states[self._leader]
            at_rest = ~followed
            states[at_rest] = self._equilibria.points[self._roots[self._leader[at_rest]]]
            residual = moved(self._layer, self._states[self._rows], self._u).norm(dim=1).max()
            self._recorded.append((time, states, residual.item()))

    def _merge(self) -> None:
        """Of trajectories that have met, follow only the first."""
        first = first_of_groups(self._states[self._rows], _MERGED)
        stands_for = torch.arange(len(self._states), device=first.device)
        stands_for[self._rows] = self._rows[first]
        self._leader = stands_for[self._leader]
        self._rows = self._rows[first.unique()]

    def _look(self, window: Tensor, time: int) -> None:
        """Decide what can be decided from a window of the trajectories, (steps, B, S)."""
        window = window[:, self._find_equilibria(window[-1], time)]
        window = window[:, self._find_cycles(window, time)]
        if time == self._horizon and len(self._rows) > 0:  # not before: chaos may end
            if time >= _MOTION_FROM:
                self._find_motion(window[-1])
            if len(self._ends) >= 2 and time >= _DRIFT_FROM:
                self._find_drift()
        self._ends = [*self._ends[-1:], self._states.clone()]

    def _find_equilibria(self, s: Tensor, time: int) -> Tensor:
        """Decide which lie where all goes to a stable equilibrium; returns which are left."""
        numbers = self._equilibria.search(s)
        which = (numbers >= 0).nonzero()[:, 0]
        which = which[self._equilibria.hold(s[which], numbers[which], far=time == self._horizon)]
        rows, numbers = self._rows[which], numbers[which]
        away = s[which] - self._equilibria.points[numbers]
        self._roots[rows] = numbers
        rates = -self._equilibria.radii(numbers).log()
        self._arrival[rows] = time + (away.norm(dim=1) / self._tol).log().clamp(min=0) / rates
        return self._decide(which, "equilibrium")

    def _find_cycles(self, window: Tensor, time: int) -> Tensor:
        """Decide which lie where all goes to a stable cycle; returns which are left."""
        back = (window[-1] - window[:-1]).norm(dim=2).flip(0)  # how far each is from itself 1, 2, ... steps before
        nearest_back, farthest = back.min(0).values, back.max(0).values
        periods = 1 + (back <= 4 * nearest_back).long().argmax(0)
        candidates = (periods > 1) & (nearest_back < _RETURNS * farthest)
        decided = []
        for period in periods[candidates].unique().tolist():
            which = (candidates & (periods == period)).nonzero()[:, 0]
            cycles = cycles_from(self._layer, window[-1, which], self._u, period)
            for index, cycle in zip(which.tolist(), cycles, strict=True):
                if cycle is None or cycle.basin.radius >= STABLE:
                    continue
                number = self._known(cycle)
                basin = cycle.basin if number is None else self._cycles[number].basin
                at = 0 if number is None else self._phase(cycle, number)
                back_to_first = -at % cycle.period
                visit = orbit(self._layer, window[-1, index][None], self._u, back_to_first)[-1]
                if basin.holds(visit, far=time == self._horizon)[0]:
                    if number is None:
                        self._cycles.append(cycle)
                        number = len(self._cycles) - 1
                    self._roots[self._rows[index]] = number
                    decided.append(index)
        return self._decide(torch.tensor(decided, dtype=torch.long, device=window.device), "cycle")

    def _known(self, cycle: Cycle) -> int | None:
        """The number of a cycle; None where it is new."""
        for number, known in enumerate(self._cycles):
            if known.period == cycle.period and nearest(cycle.points[:1], known.points)[0] < SAME:
                return number
        return None

    def _phase(self, cycle: Cycle, number: int) -> int:
        """How many steps after the first state of a known cycle this one has its own."""
        return int(nearest(cycle.points[:1], self._cycles[number].points)[1])

    def _find_motion(self, s: Tensor) -> None:
        """Decide which are chaotic, and which oscillate."""
        before = self._ends[-1][self._rows] if self._ends else self._states.new_zeros(s.shape)
        motions = moves_on(self._layer, s, self._u, before, self._horizon)
        numbers: dict[int, int] = {}  # of the curves
        for place, motion in motions.items():
            if motion.kind == "slow":
                continue
            row = int(self._rows[place])
            self._kinds[row], self._motions[row] = motion.kind, motion
            if motion.kind == "oscillation":
                self._roots[row] = numbers.setdefault(id(motion.curve), len(numbers))
        going_on = [place for place, row in enumerate(self._rows.tolist()) if row not in self._motions]
        self._rows = self._rows[going_on]

    def _find_drift(self) -> None:
        """Decide which have become large without slowing down."""
        s = self._states[self._rows]
        sizes = [*(one[self._rows].abs() for one in self._ends), s.abs()]
        self._decide(drifts(self._layer, s, self._u, sizes, self._horizon).nonzero()[:, 0], "drift")

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
        leaders = self._leader.tolist()
        kinds = [self._kinds[leader] for leader in leaders]
        # States that would still be on their way to an equilibrium that others go to are slow, too.
        late = (self._arrival[self._leader] > self._horizon).tolist()
        going = Counter(root for kind, root in zip(kinds, roots.tolist(), strict=True) if kind == "equilibrium")
        for row, root in enumerate(roots.tolist()):
            if kinds[row] == "equilibrium" and late[row] and going[root] > 1:
                kinds[row] = "slow"
        steps, states, residual = zip(*self._recorded, strict=True) if self._recorded else ((), (), ())
        return Outcome(
            kinds=tuple(kinds),
            roots=roots,
            equilibria=self._equilibria,
            cycles=tuple(self._cycles),
            motions={row: self._motions[leader] for row, leader in enumerate(leaders) if leader in self._motions},
            final=self._states[self._leader],
            steps=steps,
            states=torch.stack(states) if states else self._states[None][:0],
            residual=residual,
        )
