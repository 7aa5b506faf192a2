"""Trajectories, roots and what is said of them, where each number is known by hand."""

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from problems import Written, follow
from torch import Tensor

from multistable._attractors.curve import Curve
from multistable._attractors.grouping import closeness
from multistable._attractors.kinds import Kind
from multistable._attractors.lyapunov import lyapunov
from multistable._attractors.motion import Motion
from multistable._attractors.newton import newton, return_jacobians
from multistable._attractors.roots import Cycle, Equilibria, cycles_from
from multistable._attractors.search import Outcome
from multistable._attractors.spectrum import metric
from multistable._attractors.summary import summarise, time_constant

F64 = torch.float64
NOTHING = torch.zeros(1, dtype=F64)


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=F64)[:, None]


@pytest.mark.parametrize("horizon", [512, 700])
def test_what_has_arrived_is_within_tol_by_the_horizon(horizon: int) -> None:
    """x' = 0.99 x: a state is at 1e-4 after log(x / 1e-4) / -log(0.99) steps, at the horizon or ten steps beside it."""
    starts = [1e-4 * 0.99 ** -(horizon + late) for late in (-300, -10, 10)]
    outcome = follow(Written(lambda s: 0.99 * s, 1), column(*starts, *(-one for one in starts)), horizon)
    assert outcome.kinds == ("equilibrium", "equilibrium", "slow") * 2
    assert outcome.roots.eq(outcome.roots[0]).all()
    assert outcome.equilibria.basins[int(outcome.roots[0])].radius == pytest.approx(0.99, rel=1e-5)


def test_the_only_state_to_go_to_an_equilibrium_need_not_have_arrived() -> None:
    """Two wells of x' = x + (x - x^3) / 200, in which distances fall by a factor of 0.99: one state, and three."""
    outcome = follow(Written(lambda s: s + (s - s**3) / 200, 1), column(-1.5, 1.5, 1.4, 1.3), 512)
    assert outcome.kinds == ("equilibrium", "slow", "slow", "slow")
    assert outcome.equilibria.points[outcome.roots][:, 0].tolist() == pytest.approx([-1, 1, 1, 1], abs=1e-9)


def test_states_are_recorded_for_as_long_as_each_is_known() -> None:
    """A cycle is known at the first look, and where it stands later is not; an equilibrium is where it is."""

    def creep(s: Tensor) -> Tensor:
        return torch.where(s > 0, 1 + 0.5 * (s - 1), s - 1e-3)

    outcome = follow(Written(creep, 1), column(3.0, -1.0), 1_024)
    assert outcome.kinds == ("equilibrium", "slow")
    assert outcome.steps == (1, 2, 4, 8, 15, 30, 60, 128, 256, 512, 1_024)
    for t, states in zip(outcome.steps, outcome.states, strict=True):
        assert states[:, 0].tolist() == pytest.approx([1 + 2 * 0.5**t, -1 - 1e-3 * t], abs=1e-9)
    assert outcome.residual == pytest.approx([max(0.5**t, 1e-3) for t in outcome.steps], rel=1e-9)

    def cycle(s: Tensor) -> Tensor:
        return torch.where(s.abs() > 2, s + 1e-3 * s.sign(), -(2 * s).tanh())

    outcome = follow(Written(cycle, 1), column(0.5, 3.0), 1_024)
    assert outcome.kinds == ("cycle", "slow") and outcome.steps[-1] == 128
    assert outcome.final[1].item() == pytest.approx(3 + 1.024)


def test_trajectories_that_have_met_are_followed_as_one() -> None:
    """The function is called with few of the thousand, and the answer is each one's own."""
    most = []

    def step(s: Tensor) -> Tensor:
        most.append(len(s))
        return torch.where(s > 0, torch.where(s > 2, s, 1 + 0 * s), s - 1e-3)

    starts = column(0.5, -1.0, 3.0, 0.7).repeat(250, 1)
    outcome = follow(Written(step, 1), starts, 512)
    assert outcome.kinds[:4] == outcome.kinds[-4:] == ("equilibrium", "slow", "slow", "equilibrium")
    assert outcome.final[:, 0].tolist() == pytest.approx([1, -1.512, 3, 1] * 250)
    assert outcome.states.shape[1] == 1_000 and min(most) <= 3


def test_a_slow_cycle_is_certain_before_it_is_reached() -> None:
    """|x|' = |x| (1 + a (1 - x^2)): around 1 distances fall by 1 - 2 a a step, by 6 % in the steps that are seen."""
    a = 5e-4
    outcome = follow(Written(lambda s: -s * (1 + a * (1 - s.square())), 1), column(1.001, -0.999), 128)
    assert outcome.kinds == ("cycle", "cycle") and len(outcome.cycles) == 1
    (cycle,) = outcome.cycles
    assert cycle.period == 2 and cycle.basin.radius == pytest.approx((1 - 2 * a) ** 2, rel=1e-5)
    assert cycle.points.abs()[:, 0].tolist() == pytest.approx([1, 1], abs=1e-9)


def test_a_cycle_that_repels_is_none() -> None:
    outcome = follow(Written(lambda s: -s * (1 - 5e-4 * (1 - s.square())).clamp(min=0.9), 1), column(1.0, -1.0), 512)
    assert outcome.kinds == ("slow", "slow") and outcome.cycles == ()


def logistic(s: Tensor) -> Tensor:
    """At 3.83 there is a stable cycle of three."""
    return 3.83 * s * (1 - s)


@pytest.mark.parametrize("period", [3, 6])
def test_the_shortest_period_counts(period: int) -> None:
    s = column(0.1561, 0.5)
    with torch.no_grad():
        first, second = cycles_from(Written(logistic, 1), s, NOTHING, period)
    assert first is not None and second is not None
    for cycle in (first, second):
        x = cycle.points[:, 0]
        assert cycle.period == 3 and len(x.unique()) == 3
        assert logistic(x).tolist() == pytest.approx(x.roll(-1).tolist(), abs=1e-9)
        slope = (3.83 * (1 - 2 * x)).prod().item()
        assert cycle.basin.eigenvalues.item() == pytest.approx(slope, rel=1e-6)
        assert cycle.basin.radius == pytest.approx(abs(slope), rel=1e-6)


def test_an_equilibrium_is_no_cycle() -> None:
    with torch.no_grad():
        assert cycles_from(Written(lambda s: 0.5 * s, 1), column(0.3), NOTHING, 4) == [None]
        assert cycles_from(Written(lambda s: s + 1, 1), column(0.3), NOTHING, 4) == [None]


def test_the_jacobian_of_several_steps_is_in_the_order_of_the_steps() -> None:
    def step(s: Tensor) -> Tensor:
        x, y = s.unbind(1)
        return torch.stack([x + 0.3 * y.square(), (x * y).tanh() - 0.2 * x], 1)

    points = [torch.tensor([[0.4, 0.9]], dtype=F64)]
    for _ in range(2):
        points.append(step(points[-1]))
    expected: Any = torch.autograd.functional.jacobian(lambda s: step(step(step(s[None])))[0], points[0][0])
    with torch.no_grad():
        found = return_jacobians(Written(step, 2), torch.stack(points), NOTHING)
    torch.testing.assert_close(found[0], expected, rtol=1e-12, atol=1e-14)


def test_equilibria_are_numbered_as_they_are_found_and_once() -> None:
    """x' = x + sin(pi x) / 10 has its roots at the integers; far from them, Newton's method leads to some of them."""
    layer = Written(lambda s: s + (math.pi * s).sin() / 10, 1)
    with torch.no_grad():
        equilibria = Equilibria(layer, NOTHING, column(0.0))
        starts = torch.arange(50, dtype=F64)[:, None].repeat(3, 1) + column(*[0.1] * 50, *[-0.1] * 50, *[0.05] * 50)
        numbers = equilibria.search(starts)
        again = equilibria.search(starts.flip(0)).flip(0)
    assert torch.equal(numbers, again) and sorted(numbers.unique().tolist()) == list(range(50))
    torch.testing.assert_close(equilibria.points[numbers], starts.round(), rtol=0, atol=1e-9)
    slopes = 1 + math.pi / 10 * (math.pi * equilibria.points[:, 0]).cos()
    torch.testing.assert_close(equilibria.radii(torch.arange(50)), slopes.abs(), rtol=1e-9, atol=0)


@pytest.mark.parametrize("factor", [0.0, 0.5, -0.9, 0.999])
def test_the_metric_of_one_factor(factor: float) -> None:
    found = metric(torch.tensor([[factor]], dtype=F64))
    assert found is not None and found.item() == pytest.approx(1 / (1 - factor**2), rel=2e-6)


def test_closeness_is_relative_where_entries_are_large() -> None:
    found = closeness(column(0.0, 1e6), column(1e-3, 1.001e6))
    assert found[0, 0].item() == pytest.approx(1e-3, rel=1e-5)
    assert found[1, 1].item() == pytest.approx(1e-3, rel=1e-3)


def test_newtons_method_is_not_content_with_what_is_no_root() -> None:
    """x^2 + 1 has none, and 1e-8 x^2 + 2e-10 moves little, but by more than a root may."""
    with torch.no_grad():
        for function in (lambda s: s + s.square() + 1, lambda s: s + 1e-8 * s.square() + 2e-10):
            assert not newton(Written(function, 1), column(0.3, -2.0, 0.0), NOTHING).are_roots.any()


def clocked(rate: Any) -> Written:
    """A clock, and an entry that stays at zero, displacements of which grow by exp(rate(time)) in a step."""

    def step(s: Tensor) -> Tensor:
        time, x = s.unbind(1)
        return torch.stack([0.5 * (time - time.floor()) + time.floor() + 1, x * rate(time.floor()).exp()], 1)

    return Written(step, 2)


def test_the_exponent_is_the_mean_over_the_steps_after_the_first_hundred() -> None:
    """Ten stretches of 100 steps that grow by 0.1 + 0.01 k a step; the first 100 steps would add 500."""

    def rate(time: Tensor) -> Tensor:
        return torch.where(time < 100, 0.5 + 0 * time, 0.1 + 0.01 * ((time - 100) / 100).floor())

    found = lyapunov(
        clocked(rate),
        torch.zeros(2, 2, dtype=F64) + torch.tensor([0.25, 0.0]),
        NOTHING,
        1_000,
        torch.full((2, 2), 1e-8, dtype=F64),
    )
    assert found.exponents[:, 0].tolist() == pytest.approx([0.145] * 2, abs=1e-6)
    spread = 0.01 * math.sqrt(sum((k - 4.5) ** 2 for k in range(10)) / 9)
    assert found.errors[:, 0].tolist() == pytest.approx([spread / math.sqrt(10)] * 2, abs=1e-6)


def motion(kind: Kind, exponent: float, error: float, steps: int = 5_000) -> Motion:
    curve = Curve(column(1.0, 2.0, 3.0), 0.25, 0.1, locked=False) if kind == "oscillation" else None
    return Motion(kind, (exponent, error), -0.02, curve, column(float(steps)), steps)


def outcome_of(kinds: list[Kind], roots: list[int], motions: dict[int, Motion]) -> Outcome:
    def basin(radius: float) -> Any:
        return SimpleNamespace(radius=radius, eigenvalues=torch.tensor([radius], dtype=torch.complex128))

    equilibria = SimpleNamespace(points=column(7.0, 8.0), basins=[basin(0.5), basin(0.25)])
    return Outcome(
        kinds=tuple(kinds),
        roots=torch.tensor(roots),
        equilibria=cast(Equilibria, equilibria),
        cycles=(Cycle(column(1.0, -1.0, 0.5), basin(0.125)),),
        motions=motions,
        final=torch.arange(float(len(kinds)), dtype=F64)[:, None],
        steps=(1,),
        states=torch.zeros(1, len(kinds), 1),
        residual=(0.0,),
    )


def test_what_is_said_of_each_attractor() -> None:
    kinds: list[Kind] = [
        "chaos",
        "slow",
        "equilibrium",
        "slow",
        "cycle",
        "chaos",
        "drift",
        "slow",
        "chaos",
        "equilibrium",
    ]
    kinds += ["oscillation", "oscillation"]
    moving = {0: motion("chaos", 0.1, 0.01), 5: motion("chaos", 0.2, 0.02, 4_000), 8: motion("chaos", 0.3, 0.03)}
    moving |= {10: motion("oscillation", 1e-5, 1e-6, 6_000), 11: motion("oscillation", 2e-5, 1e-6)}
    outcome = outcome_of(kinds, [-1, 1, 1, -1, 0, -1, -1, 1, -1, 1, 0, 0], moving)
    found, labels = summarise(outcome)
    assert [one.kind for one in found] == ["equilibrium", "chaos", "oscillation", "cycle"]
    assert labels == (1, 0, 0, -1, 3, 1, -1, 0, 1, 0, 2, 2)
    rest, chaos, oscillation, cycle = found
    assert [one.basin_share for one in found] == [4 / 12, 3 / 12, 2 / 12, 1 / 12]
    assert (rest.period, rest.spectral_radius, rest.state.item(), rest.rotation) == (1, 0.25, 8, None)
    assert rest.eigenvalues is not None and rest.eigenvalues.item() == 0.25
    assert rest.time_constant == pytest.approx(1 / math.log(4))
    assert (cycle.period, cycle.spectral_radius, len(cycle.state)) == (3, 0.125, 3)
    assert cycle.time_constant == pytest.approx(3 / math.log(8))
    assert (chaos.period, chaos.spectral_radius, chaos.time_constant, chaos.eigenvalues) == (None, None, None, None)
    assert chaos.exponent == pytest.approx(0.2) and chaos.followed == 4_000 and chaos.state.item() == 5_000
    assert chaos.exponent_error == pytest.approx(0.1 / math.sqrt(3))  # between the states: more than 0.02 / sqrt(3)
    assert (oscillation.rotation, oscillation.period, oscillation.time_constant) == (0.25, 4, 50)
    assert (oscillation.exponent, oscillation.exponent_error, oscillation.followed) == (1e-5, 1e-6, 5_000)
    assert oscillation.state[:, 0].tolist() == [1, 2, 3] and oscillation.eigenvalues is None


@pytest.mark.parametrize("count", [1, 4])
def test_the_error_within_states_counts_where_it_is_the_larger(count: int) -> None:
    motions = {row: motion("chaos", 0.2 + 1e-6 * row, 0.04) for row in range(count)}
    (chaos,), labels = summarise(outcome_of(["chaos"] * count, [-1] * count, motions))
    assert labels == (0,) * count and chaos.exponent_error == pytest.approx(0.04 / math.sqrt(count))


def test_what_is_reached_at_once_has_no_time_constant() -> None:
    assert time_constant(0.0, 1) == 0 and time_constant(math.exp(-1), 2) == pytest.approx(2)
