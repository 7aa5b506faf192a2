"""Maps on either side of each threshold that the documentation of `attractors` names."""

import math

import pytest
import torch
from problems import Written, follow
from torch import Tensor

F64 = torch.float64


def power_law(power: float) -> Written:
    """x' = (x^(1/p) + 1)^p: from x = 0 the state is t^p after t steps."""
    return Written(lambda s: (s ** (1 / power) + 1) ** power, 1)


@pytest.mark.parametrize(("power", "kind"), [(0.5, "slow"), (0.55, "slow"), (0.62, "drift"), (1.0, "drift")])
def test_drift_is_growth_that_does_not_slow_down(power: float, kind: str) -> None:
    """What is grown over the last half is 2^p times what was grown over the quarter before: 1.5 for p = 0.585."""
    outcome = follow(power_law(power), torch.zeros(2, 1, dtype=F64), 512)
    assert outcome.final.min() > 10 and set(outcome.kinds) == {kind}


@pytest.mark.parametrize(("size", "kind"), [(9.9, "slow"), (10.1, "drift")])
@pytest.mark.parametrize("sign", [1, -1])
def test_what_drifts_is_large(size: float, kind: str, sign: int) -> None:
    outcome = follow(Written(lambda s: s + sign * size / 512, 1), torch.zeros(2, 1, dtype=F64), 512)
    assert outcome.final.tolist() == [[pytest.approx(sign * size)]] * 2 and set(outcome.kinds) == {kind}


@pytest.mark.parametrize(("horizon", "kind"), [(256, "slow"), (511, "slow"), (512, "drift")])
def test_drift_takes_three_looks(horizon: int, kind: str) -> None:
    assert set(follow(Written(lambda s: s + 1, 1), torch.zeros(2, 1, dtype=F64), horizon).kinds) == {kind}


def test_what_comes_back_from_far_away_does_not_drift() -> None:
    """The state was larger at the look before the last but one than at the last."""
    outcome = follow(Written(lambda s: s - 1, 1), torch.full((2, 1), 4_000.0, dtype=F64), 2_048)
    assert outcome.final.min() > 10 and set(outcome.kinds) == {"slow"}


def stretched(exponent: float) -> Written:
    """x' = exp(exponent) x, less 1 above 2: every displacement grows by the same factor."""

    def step(s: Tensor) -> Tensor:
        grown = math.exp(exponent) * s
        return grown - (grown >= 2).to(s)

    return Written(step, 1)


@pytest.mark.parametrize(("exponent", "kind"), [(0.0045, "slow"), (0.0055, "chaos")])
def test_the_least_exponent_of_chaos(exponent: float, kind: str) -> None:
    outcome = follow(stretched(exponent), torch.tensor([[1.3], [1.6]], dtype=F64), 1_000)
    assert set(outcome.kinds) == {kind} and len(outcome.exponents) == (2 if kind == "chaos" else 0)
    for found, error in outcome.exponents.values():
        # Displacements of 1e-8 (1 + |x|) have eight digits, seven of them sure; one in 10^8 lies across the step.
        assert found == pytest.approx(exponent, abs=1e-6) and error < 1e-6


@pytest.mark.parametrize(("horizon", "kind"), [(899, "slow"), (900, "chaos")])
def test_the_shortest_horizon_of_chaos(horizon: int, kind: str) -> None:
    tent = Written(lambda s: 1.9 * torch.minimum(s, 1 - s), 1)
    assert set(follow(tent, torch.tensor([[0.3], [0.4]], dtype=F64), horizon).kinds) == {kind}


@pytest.mark.parametrize(("moves", "kind"), [(0.9e-3, "slow"), (1.1e-3, "chaos")])
def test_the_least_move_of_chaos(moves: float, kind: str) -> None:
    """Beside a chaotic entry that is too small to see, two that move steadily."""

    def step(s: Tensor) -> Tensor:
        x, y, small = s.unbind(1)
        cos, sin = math.cos(moves), math.sin(moves)
        return torch.stack([cos * x - sin * y, sin * x + cos * y, 1.9 * torch.minimum(small, 1e-5 - small)], 1)

    starts = torch.tensor([[1.0, 0.0, 0.3e-5], [0.0, 1.0, 0.4e-5]], dtype=F64)
    assert set(follow(Written(step, 3), starts, 1_000).kinds) == {kind}


@pytest.mark.parametrize(("first", "kind"), [(25, "slow"), (-45, "chaos")])
def test_an_exponent_that_is_uncertain_is_not_chaos(first: int, kind: str) -> None:
    """On a slow circle, an entry at zero is pushed away from it on one side, and drawn back on the other.

    Along a quarter of the circle from 25 degrees on, the push changes by so much that its mean lies only 2 to 3
    standard errors above zero; from -45 degrees on, 30.
    """
    turn = math.pi / 2 / 1_000

    def step(s: Tensor) -> Tensor:
        x, y, pushed = s.unbind(1)
        cos, sin = math.cos(turn), math.sin(turn)
        return torch.stack([cos * x - sin * y, sin * x + cos * y, (0.1 * x).exp() * pushed], 1)

    horizon, settling = 1_000, 100
    start = math.radians(first) - turn * (horizon + settling)
    outcome = follow(Written(step, 3), torch.tensor([[math.cos(start), math.sin(start), 0.0]], dtype=F64), horizon)
    assert set(outcome.kinds) == {kind}
