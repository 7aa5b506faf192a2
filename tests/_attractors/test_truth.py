"""Networks whose attractors are known by hand."""

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from problems import Written, follow, spread
from torch import Tensor, nn

from multistable import Attractors, attractors, init
from multistable._attractors.search import Outcome
from multistable.dynamics import dynamics, stacks
from multistable.tasks import flip_flop, flip_flop_stream


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that is above 0 at `low` and below 0 at `high` vanishes, by bisection."""
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return low


def tanh_rnn(weight_hh: Tensor, bias: float = 0.0) -> Any:
    """h' = tanh(W h + b), one input that nothing listens to."""
    rnn: Any = nn.RNN(1, len(weight_hh), dtype=torch.float64)
    with torch.no_grad():
        rnn.weight_hh_l0.copy_(weight_hh)
        rnn.weight_ih_l0.zero_()
        rnn.bias_ih_l0.fill_(bias)
        rnn.bias_hh_l0.zero_()
    return rnn


def search(module: nn.Module, s: Tensor, horizon: int = 10_000) -> Outcome:
    """From given states, without input."""
    (layer,) = stacks(module)
    return follow(layer, s, horizon)


@pytest.mark.parametrize("bias", [0.0, 0.05])
@pytest.mark.parametrize("weight", [0.5, 0.95, 1.05, 2.0, 3.0])
def test_the_pitchfork_of_one_unit(weight: float, bias: float) -> None:
    def pull(h: float) -> float:
        return math.tanh(weight * h + bias) - h

    outcome = search(
        tanh_rnn(torch.tensor([[weight]], dtype=torch.float64), bias),
        torch.linspace(-0.95, 0.95, 20, dtype=torch.float64)[:, None],
    )
    upper = root(pull, 0.0 if weight < 1 else math.sqrt(1 - 1 / weight), 1.0)
    expected = [upper]
    turn = -math.sqrt(max(0.0, 1 - 1 / weight))  # where the pull is least
    if weight > 1 and pull(turn) < 0:
        expected.append(-root(lambda h: -pull(-h), -turn, 1.0))
    assert set(outcome.kinds) == {"equilibrium"}
    found = {
        outcome.equilibria.points[number].item(): outcome.equilibria.basins[number].radius
        for number in outcome.roots.tolist()
    }
    assert sorted(found) == pytest.approx(sorted(expected), abs=1e-10)
    for h, radius in found.items():
        assert radius == pytest.approx(weight * (1 - h * h), rel=1e-6)


def test_the_time_constant_is_that_of_the_slope() -> None:
    found = attractors(tanh_rnn(torch.tensor([[0.5]], dtype=torch.float64)), spread(5, 20)[..., None], generator=0)
    (one,) = found.attractors
    assert one.time_constant == pytest.approx(-1 / math.log(0.5), rel=1e-6)
    assert one.state.abs().max() < 1e-10


def test_a_hopfield_network_recalls_its_patterns() -> None:
    """Orthogonal patterns: each and its negative is an equilibrium, m times the pattern with m = tanh(gain m)."""
    patterns = torch.tensor(
        [[1, 1, 1, 1, 1, 1, 1, 1], [1, -1, 1, -1, 1, -1, 1, -1], [1, 1, -1, -1, 1, 1, -1, -1]], dtype=torch.float64
    )
    gain = 2.0
    m = root(lambda a: math.tanh(gain * a) - a, 0.5, 1.0)
    stored = torch.cat([patterns, -patterns])
    generator = torch.Generator().manual_seed(0)
    noisy = stored.repeat(5, 1) + 0.3 * torch.randn(30, 8, generator=generator, dtype=torch.float64)
    outcome = search(tanh_rnn(gain * patterns.T @ patterns / 8), noisy)
    assert set(outcome.kinds) == {"equilibrium"}
    assert len(outcome.roots.unique()) == 6
    torch.testing.assert_close(outcome.equilibria.points[outcome.roots], m * stored.repeat(5, 1), rtol=0, atol=1e-10)


def random_rnn(gain: float, units: int = 64) -> Any:
    generator = torch.Generator().manual_seed(0)
    return tanh_rnn(gain / units**0.5 * torch.randn(units, units, generator=generator, dtype=torch.float64))


def test_a_random_network_of_gain_a_half_has_one_equilibrium() -> None:
    outcome = search(random_rnn(0.5), spread(20, 64))
    assert set(outcome.kinds) == {"equilibrium"} and len(outcome.roots.unique()) == 1
    assert outcome.equilibria.points[outcome.roots].abs().max() < 1e-10


def test_an_unstable_equilibrium_is_not_certified() -> None:
    """States that start exactly there stay, and that is all."""
    outcome = search(random_rnn(3.0), torch.zeros(5, 64, dtype=torch.float64), horizon=2_000)
    assert set(outcome.kinds) == {"slow"} and outcome.roots.eq(-1).all()


def test_a_random_network_of_gain_three_is_chaotic() -> None:
    rnn: Any = random_rnn(3.0)
    outcome = search(rnn, spread(20, 64), horizon=2_000)
    assert set(outcome.kinds) == {"chaos"}
    exponents = torch.tensor([outcome.motions[row].exponent[0] for row in range(20)], dtype=torch.float64)
    errors = torch.tensor([outcome.motions[row].exponent[1] for row in range(20)], dtype=torch.float64)
    # By QR along one long trajectory, with Jacobians by hand.
    s, q, growth = spread(1, 64)[0], torch.eye(64, dtype=torch.float64)[:, :1], []
    for step in range(5_000):
        s = (rnn.weight_hh_l0.detach() @ s).tanh()
        q, r = torch.linalg.qr((1 - s.square())[:, None] * (rnn.weight_hh_l0.detach() @ q))
        growth += [r[0, 0].abs().log().item()] if step >= 500 else []
    expected = sum(growth) / len(growth)
    assert abs(exponents.mean().item() - expected) < 4 * errors.mean().item()
    assert exponents.min() > 0.1


def test_a_line_of_equilibria_is_not_certified() -> None:
    rnn: Any = nn.RNN(1, 2, nonlinearity="relu", bias=False, dtype=torch.float64)
    rnn.weight_hh_l0.data = torch.eye(2, dtype=torch.float64)
    outcome = search(rnn, spread(10, 2).abs(), horizon=1_000)
    assert set(outcome.kinds) == {"slow"} and outcome.roots.eq(-1).all()


def test_a_slow_leak_is_told_from_a_memory() -> None:
    """All states head for zero and are far from it at the horizon: slow, and one attractor."""
    rnn: Any = nn.RNN(1, 1, nonlinearity="relu", bias=False, dtype=torch.float64)
    rnn.weight_hh_l0.data.fill_(0.9999)
    rnn.weight_ih_l0.data.fill_(1e-3)
    outcome = search(rnn, torch.linspace(1, 2, 10, dtype=torch.float64)[:, None], horizon=1_000)
    assert set(outcome.kinds) == {"slow"}
    assert outcome.equilibria.points[outcome.roots].abs().max() < 1e-6


def test_an_lstm_with_open_gates_drifts() -> None:
    lstm: Any = nn.LSTM(1, 4, dtype=torch.float64)
    with torch.no_grad():
        lstm.bias_ih_l0[4:8] = 60.0
    found = attractors(lstm, torch.randn(20, 10, 1, dtype=torch.float64), horizon=2_000, generator=0)
    assert found.shares["drift"] == 1 and found.count == 0


@pytest.mark.parametrize("units", range(1, 7))
def test_a_gru_of_bistable_units_has_all_patterns(units: int) -> None:
    """The sign of the first step's input chooses each unit's well; what comes after is too weak to switch it."""
    gru: Any = init.bistable_(nn.GRU(units, units))
    with torch.no_grad():
        gru.weight_ih_l0.zero_()
        gru.weight_ih_l0[2 * units :] = torch.eye(units)
        gru.bias_ih_l0[units : 2 * units] = 0
        gru.bias_hh_l0[units : 2 * units] = 0
        gru.weight_hh_l0[units : 2 * units] = 0
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=units)))
    inputs = torch.cat([2 * signs[None], torch.zeros(9, len(signs), units)])
    (layer,) = dynamics(gru.double())
    reached = layer.run(inputs.double())
    outcome = search(gru, reached.detach())
    assert set(outcome.kinds) == {"equilibrium"}
    assert len(outcome.roots.unique()) == 2**units
    rest = root(lambda h: math.tanh(2 / (1 + math.exp(-2)) * h) - h, 0.7, 1.0)
    points = outcome.equilibria.points[outcome.roots]
    torch.testing.assert_close(points, rest * signs.double(), rtol=0, atol=1e-10)


@pytest.mark.slow
def test_a_network_trained_on_the_flip_flop_has_eight() -> None:
    """Three bits: one stable equilibrium for each of their values, at which the read-out says them."""
    torch.manual_seed(0)
    rnn, head = nn.GRU(3, 16, batch_first=True), nn.Linear(16, 3)
    optimizer = torch.optim.Adam([*rnn.parameters(), *head.parameters()], lr=1e-2)
    batches = iter(flip_flop_stream(40, 64, generator=0))
    for _ in range(300):
        inputs, targets = next(batches)
        loss = nn.functional.mse_loss(head(rnn(inputs)[0]), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02
    inputs, _ = flip_flop(40, 200, generator=1).tensors
    (layer,) = dynamics(rnn.double())
    reached = layer.run(inputs.transpose(0, 1).double()).detach()
    outcome = search(rnn, reached)
    certain = torch.tensor([kind == "equilibrium" for kind in outcome.kinds])
    assert certain.float().mean() > 0.95
    numbers = outcome.roots[certain].unique()
    bits = head.double()(outcome.equilibria.points[numbers]).sign()
    assert len(numbers) == 8 and len(bits.unique(dim=0)) == 8


def test_a_long_cycle_around_a_stable_focus_is_not_taken_for_the_focus() -> None:
    """On a slow ellipse, states come closer to its centre for more than a window, turn after turn."""
    angle, stretch = 0.01, 3.0

    def turn(s: Tensor) -> Tensor:
        x, y = s.unbind(1)
        size = (x.square() + (stretch * y).square()).sqrt()
        # Stable within 0.5, where the factor is below 1; the cycle is at 1, where it is 1 and falls.
        factor = 1 + 0.002 * (1 - size) * (size - 0.5)
        cos, sin = math.cos(angle), math.sin(angle)
        return torch.stack([factor * (cos * x - stretch * sin * y), factor * (sin / stretch * x + cos * y)], 1)

    phases = torch.linspace(0, 2 * math.pi, 8, dtype=torch.float64)[:-1]
    around = torch.stack([phases.cos(), phases.sin() / stretch], 1)
    # From within, the way to the focus is long, too: exp(-0.001) a step, and seen for certain when it is there.
    for size, kind in ((1.0, "slow"), (0.3, "equilibrium")):
        outcome = follow(Written(turn, 2), size * around, 32_000)
        assert set(outcome.kinds) == {kind}


def test_many_saturated_units_do_not_drift() -> None:
    """The norm of the state is above 10, and one unit is leaving zero: no entry is above 1."""
    weights = torch.full((151,), 2.0, dtype=torch.float64)
    weights[0] = 1.0004
    s = torch.ones(4, 151, dtype=torch.float64)
    s[:, 0] = torch.tensor([1e-4, 2e-4, -1e-4, -2e-4])
    assert set(search(tanh_rnn(weights.diag()), s, 2_000).kinds) == {"slow"}


def test_slow_and_stable_in_one_network() -> None:
    """Two units: one bistable, one that leaks; the leak makes nothing distinct."""
    outcome = search(tanh_rnn(torch.diag(torch.tensor([2.0, 0.9], dtype=torch.float64))), spread(40, 2))
    assert set(outcome.kinds) == {"equilibrium"} and len(outcome.roots.unique()) == 2


def test_permuting_the_states_permutes_the_answer() -> None:
    rnn, s = random_rnn(1.5, 8), spread(30, 8)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    one, other = search(rnn, s, 2_000), search(rnn, s[order], 2_000)
    assert [one.kinds[row] for row in order] == list(other.kinds)
    same = one.roots[order][:, None] == one.roots[order]
    assert torch.equal(same, other.roots[:, None] == other.roots)


def summary(found: Attractors) -> tuple[object, ...]:
    return found.kinds, found.labels, [one.basin_share for one in found.attractors]


def test_the_same_seed_finds_the_same() -> None:
    torch.manual_seed(0)
    gru, inputs = init.bistable_(nn.GRU(1, 8)), torch.randn(20, 30, 1)
    assert summary(attractors(gru, inputs, generator=3)) == summary(attractors(gru, inputs, generator=3))
