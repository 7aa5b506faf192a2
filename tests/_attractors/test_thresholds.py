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


@pytest.mark.parametrize(("power", "kind"), [(0.5, "slow"), (0.99, "slow"), (1.0, "drift"), (1.2, "drift")])
def test_drift_is_growth_that_does_not_slow_down(power: float, kind: str) -> None:
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


@pytest.mark.parametrize("exponent", [0.05, 0.0045, 0.00045])
def test_chaos_has_the_time_scale_of_its_network(exponent: float) -> None:
    outcome = follow(stretched(exponent), torch.tensor([[1.3], [1.6]], dtype=F64), 10_000)
    assert set(outcome.kinds) == {"chaos"}
    for motion in outcome.motions.values():
        # Displacements of 1e-8 (1 + |x|) have eight digits, seven of them sure; one in 10^8 lies across the step.
        assert motion.exponent == pytest.approx((exponent, 0), abs=1e-6)


@pytest.mark.parametrize(("horizon", "kind"), [(899, "slow"), (900, "chaos")])
def test_the_shortest_horizon_of_chaos(horizon: int, kind: str) -> None:
    tent = Written(lambda s: 1.9 * torch.minimum(s, 1 - s), 1)
    assert set(follow(tent, torch.tensor([[0.3], [0.4]], dtype=F64), horizon).kinds) == {kind}
