"""Maps on which a plausible rule misjudges: what only looks like a root, an attractor, or the way to one."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from devices import here, randn
from problems import Written, follow, spread
from torch import Tensor, nn

from multistable import attractors
from multistable.dynamics import register, registry

pytestmark = pytest.mark.usefixtures("device")
F64 = torch.float64


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
    yield here(Integrator())
    del registry._ADAPTERS[Integrator]


def test_a_module_that_keeps_whatever_it_holds_remembers_nothing_for_certain(integrator: Integrator) -> None:
    torch.manual_seed(0)
    found = attractors(integrator, randn(5, 20, 2), generator=0)
    assert found.certified == 0 and found.attractors == () and found.shares["slow"] == 1


@pytest.mark.parametrize("stretch", [1.0, 0.1])
@pytest.mark.parametrize("shrinking", [0.1, 0.01])
@pytest.mark.slow
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
        assert outcome.kinds[16:] == ("oscillation",) * 16 and outcome.roots[16:].eq(0).all()
        curve = outcome.motions[16].curve
        assert curve is not None and curve.rotation == pytest.approx(angle / (2 * math.pi), abs=1e-7)


@pytest.mark.slow
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


def switch_beside_many(own: float, units: int = 48) -> Any:
    """A GRU that moves by a hundredth in a step: one bistable unit, and many that come to 0."""
    gru: Any = nn.GRU(1, units, dtype=F64)
    with torch.no_grad():
        for parameter in gru.parameters():
            parameter.zero_()
        gru.bias_hh_l0[:units] = 100.0
        gru.bias_hh_l0[units : 2 * units] = math.log(99)
        gru.weight_hh_l0[2 * units :] = torch.tensor([2.5] + [own] * (units - 1), dtype=F64).diag()
    return gru


@pytest.mark.parametrize("own", [0.8, 0.85])
@pytest.mark.parametrize("horizon", [256, 1_500])
def test_a_switch_is_not_lost_among_many_units_that_come_closer(own: float, horizon: int) -> None:
    """All but one unit come closer to the wrong well, too, and the distance falls: it is the one that decides."""
    states = spread(60, 48)
    states[:, 0] *= 0.1
    found = attractors(switch_beside_many(own), states=states, u=0, horizon=horizon)
    if horizon == 1_500:
        assert max(found.labels) >= 0
    for label, start in zip(found.labels, states[:, 0].tolist(), strict=True):
        assert label == -1 or found.attractors[label].state[0] * start > 0


@pytest.mark.parametrize("growth", [1.00015, 1.0002, 1.00025])
def test_a_slow_spiral_outwards_is_not_chaos(growth: float) -> None:
    """A pair of tanh units near a focus that repels: what grows is the turn itself."""
    cos, sin = math.cos(0.01), math.sin(0.01)
    weights = growth * torch.tensor([[cos, -sin], [sin, cos]], dtype=F64)
    outcome = follow(Written(lambda s: (s @ weights.to(s).T).tanh(), 2), 1e-5 * spread(4, 2), 10_000)
    assert set(outcome.kinds) <= {"slow", "oscillation"}


def test_what_turns_far_out_does_not_drift() -> None:
    """A rotation of 48 dimensions keeps lengths; of so many entries, some grow for a while at any time."""
    generator = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(48, 48, generator=generator, dtype=F64)).Q
    starts = 30 * torch.randn(40, 48, generator=generator, dtype=F64)
    assert "drift" not in follow(Written(lambda s: s @ turn.to(s).T, 48), starts, 2_000).kinds


def test_states_on_two_sides_of_a_saddle_are_not_taken_for_one() -> None:
    outcome = follow(Written(lambda s: (1.02 * s).tanh(), 1), torch.tensor([[4e-12], [-4e-12]], dtype=F64), 20_000)
    assert outcome.kinds == ("equilibrium", "equilibrium") and outcome.roots[0] != outcome.roots[1]


def test_a_step_that_is_not_defined_is_named_and_not_called_growth() -> None:
    with pytest.raises(FloatingPointError, match=r"a step of written must not be NaN, got it at \[-1.0\]"):
        follow(Written(lambda s: (2 * s).sqrt(), 1), torch.tensor([[-1.0], [1.0]], dtype=F64), 256)


def test_a_step_without_a_derivative_is_refused() -> None:
    with pytest.raises(TypeError, match="step of 'written' must have a derivative by the state, got one that autograd"):
        follow(Written(lambda s: (2 * s.detach()).tanh(), 1), torch.tensor([[0.0], [0.5]], dtype=F64), 256)
