"""What is held and scored, against maps that are known by hand."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multistable import measure, vaa
from multistable._measure.constants import constants, draw_constant
from multistable._measure.results import Multistability
from multistable._measure.score import score
from multistable._measure.selection import select
from multistable._measure.settling import at_rest
from multistable.dynamics import register, registry, stacks


def shrinking(*factors: float) -> Any:
    """h' = relu(diag(factors) h), whatever the input."""
    rnn: Any = nn.RNN(1, len(factors), nonlinearity="relu", bias=False, dtype=torch.float64)
    rnn.weight_hh_l0.data = torch.tensor(factors, dtype=torch.float64).diag()
    rnn.weight_ih_l0.data.zero_()
    return rnn


def scored(module: nn.Module, reached: list[Tensor], horizon: int, tol: float, seed: int) -> Multistability:
    """Under constant inputs drawn with a seed."""
    selection = select(module, None)
    (held,) = constants(selection, None, None, torch.Generator().manual_seed(seed))
    return score(selection, reached, horizon, tol, held)


def test_vaa_and_residual_at_each_horizon_of_states_that_shrink() -> None:
    """States k / 10 after t steps are factor^t k / 10 apart by steps of factor^t / 10, and move by 1 - factor of it."""
    factor, start = 0.5, torch.arange(1, 11, dtype=torch.float64)[:, None] / 10
    found = scored(shrinking(factor), [start], 10, 1e-3, seed=0)
    assert found.trace.horizons == (1, 2, 4, 8, 10)
    # 0.1 / 2^t is above 1e-3 up to t = 6. Later, of ten in a row each has as neighbours those less than 2^t / 100 away.
    for t, value, residual in zip(found.trace.horizons, found.trace.vaa, found.trace.residual, strict=True):
        reach = math.ceil(2**t / 100) - 1
        expected = sum(1 / (min(9, k + reach) - max(0, k - reach) + 1) for k in range(10)) / 10
        assert value == pytest.approx(expected, rel=1e-12)
        assert residual == pytest.approx((1 - factor) * factor**t, rel=1e-12)
    (layer,) = found.per_layer
    assert layer.trace == found.trace
    assert found.trace.vaa[-2:] == (layer.trace.vaa[-2], layer.vaa) == (layer.trace.vaa[-2], found.vaa)
    assert layer.vaa < layer.trace.vaa[-2] and found.residual == layer.residual < layer.trace.residual[-2]
    torch.testing.assert_close(found.states, start * factor**10, rtol=1e-12, atol=0)
    assert (found.n, found.horizon, found.tol) == (10, 10, 1e-3)


def test_the_residual_is_the_length_of_the_step_of_the_state_that_moves_most() -> None:
    start = torch.tensor([[3.0, 4.0], [0.3, 0.4]], dtype=torch.float64)
    found = scored(shrinking(0.5, 0.5), [start], 1, 1e-4, seed=0)
    assert found.residual == pytest.approx(0.25 * 5)


@pytest.mark.parametrize("horizon", [1, 2, 7, 60, 119, 120, 121, 239, 240, 500])
def test_horizons_are_log_spaced_and_end_where_they_should(horizon: int) -> None:
    start = torch.ones(2, 1, dtype=torch.float64)
    found = scored(shrinking(0.999), [start], horizon, 1e-4, seed=0)
    known = (1, 2, 4, 8, 15, 30, 60, 120, 240, 480)
    assert found.trace.horizons == (*(step for step in known if step < horizon), horizon)
    assert found.states[0, 0].item() == pytest.approx(0.999**horizon, rel=1e-12)


class Side(nn.Module):
    """Two layers side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = shrinking(0.5), shrinking(0.9)

    def forward(self, values: Tensor) -> Tensor:
        outputs: Tensor = self.first(values)[0] + self.second(values)[0]
        return outputs


def test_a_network_of_several_modules_has_their_states_side_by_side() -> None:
    """States that one module alone would confuse are apart in the other."""
    one, two = (torch.tensor(values, dtype=torch.float64)[:, None] for values in ([1.0, 1, 2, 2], [3.0, 4, 3, 4]))
    found = scored(Side(), [one, two], 1, 1e-4, seed=0)
    assert [layer.vaa for layer in found.per_layer] == [0.5, 0.5] and found.vaa == 1
    torch.testing.assert_close(found.states, torch.cat([0.5 * one, 0.9 * two], 1), rtol=1e-12, atol=0)
    largest = max(math.hypot(0.25 * a, 0.09 * b) for a, b in zip(one[:, 0].tolist(), two[:, 0].tolist(), strict=True))
    assert found.residual == pytest.approx(largest)


def test_at_rest_is_what_would_go_less_than_tol_in_as_many_steps_again() -> None:
    """After 10 steps k / 10 moves by k / 20 / 2^10: two of ten by less than 1e-3 / 10."""
    start = torch.arange(1, 11, dtype=torch.float64)[:, None] / 10
    assert scored(shrinking(0.5), [start], 10, 1e-3, seed=0).at_rest == pytest.approx(0.2)
    assert scored(shrinking(1.0), [start], 10, 1e-3, seed=0).at_rest == 1


def test_rounding_to_and_fro_is_rest_and_rounding_on_and_on_is_not() -> None:
    """States of up to 1,000 that a step moves by their last two bits, within 1e-2 over 50 steps or beyond."""
    eps = torch.finfo(torch.float32).eps
    now = 1e3 * torch.rand(20, 1, generator=torch.Generator().manual_seed(0))
    moved = 2 * eps * now
    assert (moved > 1e-2 / 100).any()
    assert at_rest([50, 100], [now + moved, now], moved, 1e-2).all()
    drifted = at_rest([50, 100], [now - 50 * moved, now], moved, 1e-2)
    assert torch.equal(drifted, (100 * moved <= 1e-2)[:, 0])
    assert not at_rest([50, 100], [now, now], 10 * moved + 1e-3, 1e-2).any()


def test_a_slow_gate_in_single_precision_is_not_at_rest() -> None:
    """Each step is a rounding or less of the state, and all go one way: by more than 100 tol in 100,000 steps."""
    torch.manual_seed(0)
    gru = nn.GRU(2, 8)
    with torch.no_grad():
        gru.get_parameter("bias_hh_l0")[8:16] = 15.5
    start = [torch.randn(32, 8) / 2]
    early, late = (scored(gru, start, horizon, 1e-4, seed=0) for horizon in (2_000, 100_000))
    assert ((late.states - early.states).norm(dim=1) > 1e-2).all()
    assert early.at_rest < 0.1


@pytest.mark.parametrize(("factor", "start", "drive", "growing"), [
    (1.1, 1.0, 0.0, True), (1.1, 1e-4, 0.0, False), (1.0, 100.0, 0.0, False), (1.0, 100.0, 5.0, False),
    (0.99, 100.0, 5.0, False), (1.05, 100.0, 5.0, True),
])  # fmt: skip
def test_only_what_grows_ever_faster_is_growing(factor: float, start: float, drive: float, growing: bool) -> None:
    """h' = factor h + drive: exponential growth, but not an even one, and not of what is still small."""
    rnn = nn.RNN(1, 1, nonlinearity="relu", dtype=torch.float64)
    with torch.no_grad():
        for parameter in rnn.parameters():
            parameter.zero_()
        rnn.get_parameter("weight_hh_l0").fill_(factor)
        rnn.get_parameter("bias_hh_l0").fill_(drive)
    found = scored(rnn, [torch.tensor([[start], [start / 2]], dtype=torch.float64)], 100, 1e-4, seed=0)
    assert found.growing == growing


@pytest.mark.parametrize("angle", [0.001 * 1.3**k for k in range(20)])
def test_what_turns_at_a_distance_does_not_grow(angle: float, turning: Any) -> None:
    """Its largest entry rises and falls between 70 and 100."""
    starts = 100 * torch.tensor([[math.cos(a), math.sin(a)] for a in range(7)], dtype=torch.float64)
    assert not scored(turning(angle), [starts], 480, 1e-4, seed=0).growing


@pytest.fixture
def turning() -> Iterator[Any]:
    class Turning(nn.Module):
        input_size, hidden_size = 1, 2

        def __init__(self, angle: float) -> None:
            super().__init__()
            cos, sin = math.cos(angle), math.sin(angle)
            self.turn = nn.Parameter(torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64))

        def forward(self, u: Tensor, s: Tensor) -> Tensor:
            return s @ self.turn

    register(Turning, lambda cell, s, u: s @ cell.turn)
    yield Turning
    del registry._ADAPTERS[Turning]


def test_autocast_around_it_reaches_no_state() -> None:
    """Against plain steps in the module's own precision, 24 bits, where bfloat16 has 8."""
    torch.manual_seed(0)
    module = nn.RNN(1, 8)
    (stack,) = stacks(module)
    start = torch.randn(6, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16), select(module, None).opened(torch.Generator().manual_seed(0)):
        found = scored(module, [start], 3, 1e-4, seed=1)
        assert not torch.is_autocast_enabled("cpu")
    u = draw_constant(stack, torch.Generator().manual_seed(1)).expand(6, -1)
    with torch.no_grad():
        for _ in range(3):
            start = stack.step(start, u)
    # Three steps of some ten operations.
    torch.testing.assert_close(found.states, start, rtol=0, atol=30 * torch.finfo(torch.float32).eps)


def test_constant_inputs_are_standard_normal() -> None:
    (layer,) = stacks(nn.GRU(20_000, 1))
    u = draw_constant(layer, torch.Generator().manual_seed(0))
    # Within five standard errors: of the mean 1 / sqrt(n), of the variance sqrt(2 / n).
    assert u.shape == (20_000,) and u.dtype == torch.float32
    assert abs(u.mean().item()) < 5 / 20_000**0.5 and abs(u.var().item() - 1) < 5 * (2 / 20_000) ** 0.5


def test_without_arguments_it_measures_as_the_paper_does() -> None:
    module, inputs = nn.GRU(1, 2), torch.randn(3, 120, 1)
    found = measure(module, inputs, generator=0)
    assert (found.horizon, found.tol, found.n) == (10_000, 1e-4, 100)
    assert found.vaa == vaa(found.states, 1e-4).item()


def test_results_of_the_same_seed_are_equal() -> None:
    module, inputs = nn.GRU(1, 2), torch.randn(3, 20, 1)
    one, same, other = (measure(module, inputs, horizon=9, generator=seed) for seed in (0, 0, 1))
    assert one == same and one != other
