"""Maps on which a plausible rule misjudges: what only looks like a root, an attractor, or the way to one."""

import math
from collections.abc import Iterator

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
