"""Maps on which a plausible rule misjudges: what only looks like a root, an attractor, or the way to one."""

import math
from collections.abc import Iterator
from itertools import product

import pytest
import torch
from maps import Written, follow
from torch import Tensor, nn

from multistable import attractors
from multistable.dynamics import register, registry

F64 = torch.float64


def spread(n: int, size: int) -> Tensor:
    return 2 * torch.rand(n, size, generator=torch.Generator().manual_seed(0), dtype=F64) - 1


@pytest.mark.parametrize("rates", [(1.0,), (1.0, 1.0), (1.0, 0.5), (1.0, 0.5, -0.9), (-1.0, 0.5)])
def test_a_direction_that_neither_grows_nor_shrinks_certifies_nothing(rates: tuple[float, ...]) -> None:
    """Radii of exactly one, which powers of the Jacobian may round to either side."""
    diagonal = torch.tensor(rates, dtype=F64)
    outcome = follow(Written(lambda s: diagonal * s, len(rates)), spread(10, len(rates)), 1_000)
    assert outcome.roots.eq(-1).all() and set(outcome.kinds) <= {"slow", "cycle"}
    assert len(outcome.cycles) == 0


def test_an_exact_turn_goes_on_for_ever() -> None:
    turn = torch.tensor([[math.cos(0.7), -math.sin(0.7)], [math.sin(0.7), math.cos(0.7)]], dtype=F64)
    outcome = follow(Written(lambda s: s @ turn.T, 2), spread(10, 2), 2_000)
    assert set(outcome.kinds) == {"slow"} and outcome.roots.eq(-1).all()


class Integrator(nn.Module):
    """A state that nothing moves."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.hidden_size = 2, 3
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, u: Tensor, s: Tensor) -> Tensor:
        return s + self.weight * s


@pytest.fixture
def integrator() -> Iterator[Integrator]:
    register(Integrator, lambda module, s, u: s + module.weight * s + 0.01 * u.sum(1, keepdim=True) * (s.abs() < 1e-30))
    yield Integrator()
    del registry._ADAPTERS[Integrator]


def test_a_module_that_keeps_whatever_it_holds_remembers_nothing_for_certain(integrator: Integrator) -> None:
    torch.manual_seed(0)
    found = attractors(integrator, torch.randn(5, 20, 2), generator=0)
    assert found.certified == 0 and found.attractors == () and found.shares["slow"] == 1


def test_a_bottleneck_is_no_equilibrium() -> None:
    """x' = x + c + x^2 has no root for c > 0, and moves by less than a root may where x is small."""
    gap = 1e-11
    starts = torch.stack([torch.linspace(-9e-6, -1e-6, 9, dtype=F64), torch.linspace(-1, 1, 9, dtype=F64)], 1)

    def step(s: Tensor) -> Tensor:
        return torch.stack([s[:, 0] + gap + s[:, 0].square(), 0.5 * s[:, 1]], 1)

    outcome = follow(Written(step, 2), starts)
    assert set(outcome.kinds) == {"slow"} and outcome.roots.eq(-1).all()
    assert len(outcome.equilibria.points) == 0


def test_a_saddle_just_beside_a_node_is_told_from_it() -> None:
    """x' = x - c + x^2 has a node at -sqrt(c) and a saddle at sqrt(c), 2e-4 apart; beyond it, states go to 3."""
    gap = 1e-8
    starts = torch.tensor([[-2e-2], [-2e-4], [0.0], [0.9e-4], [1.1e-4], [2e-4]], dtype=F64)
    outcome = follow(Written(lambda s: (s - gap + s.square()).clamp(max=3.0), 1), starts, 200_000, 1e-5)
    assert set(outcome.kinds) == {"equilibrium"}
    points, radii = (one[outcome.roots] for one in (outcome.equilibria.points[:, 0], outcome.equilibria.radii))
    assert points.tolist() == pytest.approx([-math.sqrt(gap)] * 4 + [3.0] * 2, abs=1e-9)
    assert radii.tolist() == pytest.approx([1 - 2 * math.sqrt(gap)] * 4 + [0.0] * 2, abs=1e-7)


@pytest.mark.parametrize("stretch", [1.0, 0.1])
@pytest.mark.parametrize("shrinking", [0.1, 0.01])
def test_a_focus_and_what_turns_around_it(stretch: float, shrinking: float) -> None:
    """Stable within a radius of 1; outside, states turn at a radius of 2 for ever, and Newton leads to the focus."""

    def step(s: Tensor) -> Tensor:
        x, y = s[:, 0], s[:, 1] / stretch
        square = x.square() + y.square()
        grown = 1 - shrinking * (1 - square) * (1 - square / 4)
        return torch.stack([grown * (cos * x - sin * y), stretch * grown * (sin * x + cos * y)], 1)

    phases = torch.arange(16, dtype=F64) * (2 * math.pi / 16)
    ellipse = torch.stack([phases.cos(), stretch * phases.sin()], 1)
    for angle in (0.3, 2.5):
        cos, sin = math.cos(angle), math.sin(angle)
        outcome = follow(Written(step, 2), torch.cat([0.5 * ellipse, 2 * ellipse]), 2_500)
        assert outcome.kinds[:16] == ("equilibrium",) * 16
        assert outcome.kinds[16:] == ("slow",) * 16 and outcome.roots[16:].eq(-1).all()


@pytest.mark.parametrize("scales", [(1.0,) * 6, (1.0, 0.1, 1.0, 0.3, 1.0, 0.02)], ids=["round", "stretched"])
def test_cycles_of_different_periods_side_by_side(scales: tuple[float, ...]) -> None:
    """Each step passes every unit's value on: the cycle that a state goes to is that of its signs, in any scale."""
    scale = torch.tensor(scales, dtype=F64)
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=6)), dtype=F64)
    rest = 0.9575040240772687  # tanh(2 a) = a

    def step(s: Tensor) -> Tensor:
        return scale * (2 * (s / scale).roll(1, 1)).tanh()

    outcome = follow(Written(step, 6), 0.3 * signs * scale)
    turns = [{tuple(row.roll(k).tolist()) for k in range(6)} for row in signs]
    names: dict[tuple[str, int], set[tuple[float, ...]]] = {}
    for turn, kind, number in zip(turns, outcome.kinds, outcome.roots.tolist(), strict=True):
        assert kind == ("equilibrium" if len(turn) == 1 else "cycle")
        assert names.setdefault((kind, number), turn) == turn
        if kind == "cycle":
            assert outcome.cycles[number].period == len(turn)
    assert len(names) == len({min(turn) for turn in turns}) == 14  # the binary necklaces of length 6
    for cycle in outcome.cycles:
        assert ((cycle.points / scale).abs() - rest).abs().max() < 1e-10


def test_chaos_that_ends_is_not_chaos() -> None:
    """A tent map with a hole at its tip, from where states fall to -1: some live for 2,000 steps, none for 7,500."""

    def step(s: Tensor) -> Tensor:
        falls = (s - 0.5).abs() < 5e-4
        return torch.where((s < 0) | falls, (s.clamp(max=0) - 1) / 2, 1.9 * torch.minimum(s, 1 - s))

    # A state falls in a step with a chance of about 0.0013: that one of 60 lives for 7,500 has a chance of 0.004.
    outcome = follow(Written(step, 1), torch.linspace(0.06, 0.94, 60, dtype=F64)[:, None], 7_500)
    assert set(outcome.kinds) == {"equilibrium"} and len(outcome.roots.unique()) == 1
    assert outcome.equilibria.points[outcome.roots[0]].item() == pytest.approx(-1, abs=1e-10)


def test_chaos_beside_a_stable_equilibrium() -> None:
    """Newton's method leads from most chaotic states to the equilibrium, and trajectories come near it by chance."""

    def step(s: Tensor) -> Tensor:
        x, y = s[:, 0], s[:, 1]
        inside = x.square() + y.square() < 0.01
        chaotic = torch.stack([1.9 * torch.minimum(x, 1 - x), 1.7 * torch.minimum(y, 1 - y)], 1)
        return torch.where(inside[:, None], 0.5 * s, 0.15 + 0.85 * chaotic)

    outcome = follow(Written(step, 2), torch.cat([0.05 * spread(10, 2), 0.5 + 0.2 * spread(30, 2)]), 2_000)
    assert outcome.kinds[:10] == ("equilibrium",) * 10
    assert outcome.kinds[10:] == ("chaos",) * 30 and outcome.roots[10:].eq(-1).all()
