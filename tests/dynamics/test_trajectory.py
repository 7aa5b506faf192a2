"""`states_at`: exactly the states of plain `hold`, with work saved where they repeat."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from devices import here
from devices import random as drawn
from torch import Tensor, nn

from multistable.dynamics import CHUNK, Dynamics, dynamics, stacks
from multistable.dynamics.custom import CustomDynamics
from multistable.dynamics.trajectory import _look_at_doubled_times as at_doubled_times
from multistable.dynamics.trajectory import _look_at_each_chunk as at_each_chunk

pytestmark = pytest.mark.usefixtures("device")
WAYS = (at_each_chunk, at_doubled_times)  # what `states_at` chooses from, each on every device
ways = pytest.mark.parametrize("follow", WAYS)
Follow = Callable[[Dynamics, Tensor, Tensor, Sequence[int]], Iterator[Tensor]]
HORIZONS = [0, 1, 7, 119, 120, 121, 500, 839, 840, 841, 841, 1319, 1321, 3000]


class Shift(nn.Module):
    """s' = P s + u with a permutation of disjoint cycles: exact, and of the cycles' least common multiple as period."""

    def __init__(self, *cycles: int) -> None:
        super().__init__()
        blocks = [here(torch.eye(size, dtype=torch.float64)).roll(1, 0) for size in cycles]
        self.permutation = nn.Parameter(torch.block_diag(*blocks))

    def layer(self) -> Dynamics:
        size = len(self.permutation)
        return CustomDynamics(self, lambda module, s, u: s @ module.permutation.T + u, "shift", size, size)


def random(*shape: int) -> Tensor:
    return drawn(*shape, seed=sum(shape))


def count_steps(layer: Dynamics, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many steps each call of `scan_constant` computes, from here on."""
    counts: list[int] = []
    scan_constant = layer.scan_constant

    def counted(u: Tensor, steps: int, s: Tensor) -> tuple[Tensor, Tensor]:
        counts.append(steps)
        return scan_constant(u, steps, s)

    monkeypatch.setattr(layer, "scan_constant", counted)
    return counts


def plainly(way: Follow, layer: Dynamics, s: Tensor, u: Tensor, horizon: int) -> Tensor:
    """All steps, in the pieces of the way: a kernel may round differently in a call of another length."""
    if way is at_each_chunk:
        return layer._hold_in_chunks(s, u, horizon, CHUNK)
    time = 0
    for look in (120, 240, 480, 960, 1920):
        if look <= horizon:
            s, time = layer.hold(s, u, look - time), look
    return layer.hold(s, u, horizon - time)


def assert_exact(layer: Dynamics, s: Tensor, u: Tensor, horizons: list[int] = HORIZONS) -> None:
    with torch.no_grad():
        for way in WAYS:
            for horizon, state in zip(horizons, way(layer, s, u, horizons), strict=True):
                assert torch.equal(state, plainly(way, layer, s, u, horizon)), horizon


def network(kind: Callable[..., nn.RNNBase], **options: Any) -> nn.RNNBase:
    torch.manual_seed(0)
    return here(kind(2, 8, **options))


def chaotic() -> nn.RNN:
    torch.manual_seed(0)
    module = here(nn.RNN(2, 40))
    nn.init.normal_(module.get_parameter("weight_hh_l0"), std=3 / 40**0.5)
    return module


@ways
def test_a_fresh_lstm_settles(monkeypatch: pytest.MonkeyPatch, follow: Follow) -> None:
    (layer,) = dynamics(network(nn.LSTM))
    s, u = random(6, 16).float(), random(2).float()
    assert_exact(layer, s, u)
    counts = count_steps(layer, monkeypatch)
    assert len(list(follow(layer, s, u, [10**6]))) == 1
    assert sum(counts) < 3000


@ways
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_stack(dtype: torch.dtype, follow: Follow) -> None:
    (stack,) = stacks(network(nn.GRU, num_layers=2, bidirectional=True).to(dtype))
    s, u = random(6, stack.state_size).to(dtype), random(2).to(dtype)
    with torch.no_grad():
        for horizon, state in zip(HORIZONS, follow(stack, s, u, HORIZONS), strict=True):
            # States that move on without those that have settled are multiplied in smaller products, which round
            # differently; the network contracts, so that this does not add up.
            torch.testing.assert_close(state, stack.hold(s, u, horizon), rtol=0, atol=50 * torch.finfo(dtype).eps)


@ways
def test_horizons_on_the_way_change_no_bit(follow: Follow) -> None:
    """In a chaotic stack any other rounding would show."""
    torch.manual_seed(0)
    module = here(nn.RNN(2, 40, 2).double())
    for name in ("weight_hh_l0", "weight_hh_l1"):
        nn.init.normal_(module.get_parameter(name), std=3 / 40**0.5)
    (stack,) = stacks(module)
    s, u = random(3, 80), random(2)
    *_, with_others = follow(stack, s, u, [1, 7, 119, 500, 2000])
    (alone,) = follow(stack, s, u, [2000])
    assert torch.equal(with_others, alone)


def test_rows_that_settle_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Shift(11).layer()
    s = here(torch.ones(5, 11).double())
    s[3, 4] = 2
    rows = []
    scan_constant = layer.scan_constant

    def counted(u: Tensor, steps: int, s: Tensor) -> tuple[Tensor, Tensor]:
        rows.append(len(s))
        return scan_constant(u, steps, s)

    monkeypatch.setattr(layer, "scan_constant", counted)
    (state,) = at_each_chunk(layer, s, here(torch.zeros(11).double()), [1200])
    assert torch.equal(state, s.roll(1200, 1))
    assert rows == [5] + [1] * 9


@ways
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_states_that_never_settle(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch, follow: Follow) -> None:
    (layer,) = dynamics(chaotic().to(dtype))
    s, u = random(6, 40).to(dtype), 0.1 * random(2).to(dtype)
    with torch.no_grad():
        start = layer.hold(s, u, 2000)
        outputs, _ = layer.scan_constant(u, 1000, start)
    assert (outputs - start).abs().amax((1, 2)).min() > 1e-3  # it does not come back
    assert_exact(layer, s, u)
    counts = count_steps(layer, monkeypatch)
    list(follow(layer, s, u, [3000]))
    assert sum(counts) == 3000


@pytest.mark.parametrize(("cycles", "found_after"), [
    pytest.param((1,), 120, id="period 1"),
    pytest.param((2,), 120, id="period 2"),
    pytest.param((7,), 840, id="period 7"),
    pytest.param((9,), 360, id="period 9"),
    pytest.param((3, 5, 8), 120, id="period 120"),
    pytest.param((5, 7, 8), 840, id="period 280"),
    pytest.param((3, 5, 7, 8), 840, id="period 840"),
])  # fmt: skip
def test_cycles_within_840_steps(cycles: tuple[int, ...], found_after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Shift(*cycles).layer()
    s, u = random(2, sum(cycles)), here(torch.zeros(sum(cycles)).double())
    assert_exact(layer, s, u)
    counts = count_steps(layer, monkeypatch)
    horizon = 10**9 + 13
    (state,) = at_each_chunk(layer, s, u, [horizon])
    assert sum(counts) == found_after + horizon % CHUNK
    assert torch.equal(state, layer.hold(s, u, horizon % math.lcm(*cycles)))


@ways
@pytest.mark.parametrize("cycles", [(11,), (13,), (16, 7), (11, 8)])
def test_longer_cycles_are_not_cut_short(
    cycles: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, follow: Follow
) -> None:
    layer = Shift(*cycles).layer()
    s, u = random(2, sum(cycles)), here(torch.zeros(sum(cycles)).double())
    assert_exact(layer, s, u)
    counts = count_steps(layer, monkeypatch)
    list(follow(layer, s, u, [3000]))
    assert sum(counts) == 3000


@pytest.mark.parametrize(("cycles", "found_after"), [
    pytest.param((1,), 120, id="period 1"),
    pytest.param((2,), 120, id="period 2"),
    pytest.param((3, 5, 8), 120, id="period 120"),
    pytest.param((16,), 480, id="period 16"),
    pytest.param((3, 64), 1920, id="period 192"),
])  # fmt: skip
def test_cycles_that_fit_between_looks_at_doubled_times(
    cycles: tuple[int, ...], found_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = Shift(*cycles).layer()
    s, u = random(2, sum(cycles)), here(torch.zeros(sum(cycles)).double())
    counts = count_steps(layer, monkeypatch)
    horizons = [10**9, 10**9 + 13]
    for horizon, state in zip(horizons, at_doubled_times(layer, s, u, horizons), strict=True):
        assert torch.equal(state, layer.hold(s, u, horizon % math.lcm(*cycles)))
    assert found_after <= sum(counts) < 4 * found_after


def test_one_row_that_moves_keeps_all_going() -> None:
    layer = Shift(11).layer()
    s = here(torch.ones(3, 11).double())
    s[1, 4] = 2
    assert_exact(layer, s, here(torch.zeros(11).double()))


@ways
def test_drift_is_not_taken_for_rest(follow: Follow) -> None:
    layer = Shift(1).layer()
    horizons = [3, 840, 2000]
    states = follow(layer, here(torch.zeros(1, 1).double()), here(torch.ones(1).double()), horizons)
    assert [state.item() for state in states] == horizons


@ways
@pytest.mark.parametrize("lost", [torch.nan, torch.inf])
def test_states_that_are_not_finite(lost: float, follow: Follow) -> None:
    layer = Shift(7).layer()
    states = list(follow(layer, here(torch.full((1, 7), lost).double()), here(torch.zeros(7).double()), [1, 1000]))
    assert not any(state.isfinite().any() for state in states)


def test_horizons_after_the_repeat_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Shift(7).layer()
    s, u = random(2, 7), here(torch.zeros(7).double())
    counts = count_steps(layer, monkeypatch)
    for horizon, state in zip(range(1000, 1020), at_each_chunk(layer, s, u, range(1000, 1020)), strict=True):
        assert torch.equal(state, s.roll(horizon, 1))
    assert sum(counts) == 840 + sum(horizon % CHUNK for horizon in range(1000, 1020))


@ways
def test_no_gradient_is_kept(follow: Follow) -> None:
    (layer,) = dynamics(network(nn.GRU))
    s = random(2, 8).float().requires_grad_()
    assert not any(state.requires_grad for state in follow(layer, s, random(2).float(), [1, 500]))
    assert torch.is_grad_enabled()


@ways
def test_gradient_mode_is_the_callers_between_horizons(follow: Follow) -> None:
    (layer,) = dynamics(network(nn.GRU))
    for _ in follow(layer, random(2, 8).float(), random(2).float(), [1, 2]):
        assert torch.is_grad_enabled()
