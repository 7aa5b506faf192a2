"""Bistable units: their equilibria and wells against scalar roots, what is set, what is left, what is refused."""

import math
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from multistable import init
from multistable.dynamics import Dynamics, dynamics
from multistable.nn import MGU, DoubleLayer

LAYERS: dict[str, Callable[..., Any]] = {"RNN": nn.RNN, "GRU": nn.GRU, "MGU": MGU, "LSTM": nn.LSTM}
PAGE = Path(__file__).parents[2] / "docs" / "bistable-units.md"
KINDS = sorted(LAYERS)
GATES = {"RNN": 1, "GRU": 3, "MGU": 2, "LSTM": 4}
CANDIDATE = {"RNN": 0, "GRU": 2, "MGU": 1, "LSTM": 2}
BIASES = {"RNN": {0: 0.0}, "GRU": {0: 2.0, 2: 0.0}, "MGU": {0: 2.0, 1: 0.0}, "LSTM": {0: -1.0, 1: 1.0, 2: 0.0, 3: 2.0}}
OPEN = 1 / (1 + math.exp(-2))
ROUNDING = 1e-13  # of at most 40 steps at the edge of a well, each with a slope of one and a few errors of 1e-16
LEAST = {"RNN": 1.0, "GRU": 1 / OPEN, "MGU": 1 / OPEN, "LSTM": 1 / OPEN}


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that is above 0 at `low` and below 0 at `high` vanishes, by bisection."""
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return low


def slope_at_zero(kind: str, gain: float) -> float:
    return gain if kind == "RNN" else gain * OPEN


def pull(kind: str, gain: float, x: float) -> float:
    """The drive against which a unit is in equilibrium at x."""
    return slope_at_zero(kind, gain) * (math.tanh(x) if kind == "LSTM" else x) - math.atanh(x)


def edge(kind: str, gain: float) -> float:
    """Where the pull is largest."""
    k = slope_at_zero(kind, gain)
    if kind == "LSTM":
        return root(lambda c: k * (1 - math.tanh(c) ** 2) - 1 / (1 - c**2), 0, 1 - 1e-12)
    return math.sqrt(1 - 1 / k)


def withstood(kind: str, gain: float) -> float:
    return pull(kind, gain, edge(kind, gain))


def equilibrium(kind: str, gain: float) -> float:
    return root(lambda x: pull(kind, gain, x), edge(kind, gain), 1 - 1e-12)


def drawn(kind: str, input_size: int, hidden_size: int, *arguments: Any, **options: Any) -> Any:
    """A module in float64, every parameter uniform in +-1."""
    module = LAYERS[kind](input_size, hidden_size, *arguments, **options, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -1, 1, generator=generator)
    return module


def driven(kind: str, units: int, gain: float) -> Dynamics:
    """Bistable units of which each has an input of its own as its drive, and the gates have none."""
    module = init.bistable_(drawn(kind, units, units), gain)
    with torch.no_grad():
        for gate, weight in enumerate(module.weight_ih_l0.split(units)):
            weight.copy_(torch.eye(units) if gate == CANDIDATE[kind] else torch.zeros(units, units))
    (layer,) = dynamics(module)
    return layer


def states(kind: str, x: Tensor) -> Tensor:
    """Flat states with x in the place of h (LSTM: of c, with the h that c gives)."""
    return torch.cat([OPEN * x.tanh(), x], -1) if kind == "LSTM" else x


def bistable_part(kind: str, s: Tensor) -> Tensor:
    return s[..., s.shape[-1] // 2 :] if kind == "LSTM" else s


def table(values: tuple[float, ...], units: int) -> Tensor:
    return torch.tensor(list(product(values, repeat=units)), dtype=torch.float64)


def values(module: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ratio", [1.1, 2.0], ids=["just bistable", "deep wells"])
def test_of_all_equilibria_those_off_the_centre_are_stable(kind: str, ratio: float) -> None:
    gain = ratio * LEAST[kind]
    (layer,) = dynamics(init.bistable_(drawn(kind, 2, 3), gain))
    rest = equilibrium(kind, gain)
    points = table((-rest, 0.0, rest), 3)
    s = states(kind, points)
    nothing = torch.zeros(1, 2, dtype=torch.float64)
    # As exact as the root: the map is a few operations.
    torch.testing.assert_close(layer.step(s, nothing.expand(27, 2)), s, rtol=0, atol=1e-14)
    slopes = torch.func.vmap(torch.func.jacrev(lambda one: layer.step(one[None], nothing)[0]))(s)
    radii = torch.linalg.eigvals(slopes).abs().amax(1)
    stable = (points != 0).all(1)
    assert int(stable.sum()) == 8
    assert radii[stable].max() < 1 < radii[~stable].min()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ratio", [1.1, 2.0], ids=["just bistable", "deep wells"])
def test_every_pattern_of_signs_is_reached_and_kept_in_every_layer(kind: str, ratio: float) -> None:
    gain = ratio * LEAST[kind]
    signs = table((-1.0, 1.0), 3)
    for layer in dynamics(init.bistable_(drawn(kind, 2, 3, 2, bidirectional=True), gain)):
        nothing = torch.zeros(layer.input_size, dtype=torch.float64)
        end = layer.hold(states(kind, 0.01 * signs), nothing, 3000)
        torch.testing.assert_close(bistable_part(kind, end), equilibrium(kind, gain) * signs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_the_state_it_ends_in_one_of_them(kind: str) -> None:
    (layer,) = dynamics(init.bistable_(drawn(kind, 2, 3)))
    s = torch.rand(200, layer.state_size, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1
    end = bistable_part(kind, layer.hold(s, torch.zeros(2, dtype=torch.float64), 2000))
    torch.testing.assert_close(end.abs(), torch.full_like(end, equilibrium(kind, 2.0)), rtol=0, atol=1e-10)
    assert len(end.sign().unique(dim=0)) == 8


@pytest.mark.parametrize("kind", KINDS)
def test_units_that_are_left_alone_change_nothing_for_the_bistable_ones(kind: str) -> None:
    (layer,) = dynamics(init.bistable_(drawn(kind, 2, 6), fraction=0.5))
    signs = table((-1.0, 1.0), 3)
    start = torch.cat([0.1 * signs, torch.full((8, 3), 0.7, dtype=torch.float64)], 1)
    end = bistable_part(kind, layer.hold(states(kind, start), torch.zeros(2, dtype=torch.float64), 2000))
    torch.testing.assert_close(end[:, :3], equilibrium(kind, 2.0) * signs, rtol=0, atol=1e-10)


@given(
    kind=st.sampled_from(KINDS),
    ratio=st.floats(1.05, 5),
    signs=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 2),
    shares=st.lists(st.tuples(*[st.floats(-1, 1)] * 2), min_size=1, max_size=40),
)
def test_no_drives_within_the_bound_take_a_unit_out_of_its_well(
    kind: str, ratio: float, signs: tuple[float, float], shares: list[tuple[float, float]]
) -> None:
    gain = ratio * LEAST[kind]
    layer, side = driven(kind, 2, gain), torch.tensor([signs], dtype=torch.float64)
    drives = withstood(kind, gain) * torch.tensor(shares, dtype=torch.float64)
    s = states(kind, edge(kind, gain) * side)
    for drive in drives:
        s = layer.step(s, drive[None])
        assert bool((bistable_part(kind, s) * side >= edge(kind, gain) - ROUNDING).all())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ratio", [1.3, 2.0, 4.0])
def test_a_drive_just_above_the_bound_switches_and_one_just_below_does_not(kind: str, ratio: float) -> None:
    gain = ratio * LEAST[kind]
    layer, signs = driven(kind, 1, gain), table((-1.0, 1.0), 1)
    for share, stays in ((0.99, True), (1.01, False)):
        for sign in signs:
            s = states(kind, equilibrium(kind, gain) * sign[None])
            end = bistable_part(kind, layer.hold(s, -share * withstood(kind, gain) * sign, 5000))
            assert bool(end * sign >= edge(kind, gain)) == stays
            assert bool(end * sign <= -edge(kind, gain)) != stays


@given(kind=st.sampled_from(["GRU", "MGU", "LSTM"]), seed=st.integers(0, 2**32), toward=st.sampled_from([-1.0, 1.0]))
def test_inputs_that_reach_the_gates_too(kind: str, seed: int, toward: float) -> None:
    m, module = edge(kind, 2.0), init.bistable_(drawn(kind, 3, 4))
    (layer,) = dynamics(module)
    inputs = torch.randn(30, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    while not within_bound(kind, module, inputs):
        inputs = 0.95 * inputs
    side = torch.full((1, 4), toward, dtype=torch.float64)
    s = states(kind, m * side)
    for u in inputs:
        s = layer.step(s, u[None])
        assert bool((bistable_part(kind, s) * toward >= m - ROUNDING).all())


@torch.no_grad()
def within_bound(kind: str, module: Any, inputs: Tensor) -> bool:
    """Whether the drives are within what the documentation says of gates that see the input."""
    m = torch.tensor(edge(kind, 2.0), dtype=torch.float64)
    bias = module.bias_l0 if kind == "MGU" else module.bias_ih_l0
    gates = torch.nn.functional.linear(inputs, module.weight_ih_l0, bias).split(4, -1)
    if kind == "LSTM":
        i, f, o = (gates[gate].sigmoid() for gate in (0, 1, 3))
        before = torch.cat([torch.full((1, 4), OPEN, dtype=torch.float64), o[:-1]])
        bound = 2 * before * m.tanh() - (m * (1 - f) / i).atanh()
    else:
        bound = 2 * gates[0].sigmoid() * m - m.atanh()
    return bool((gates[CANDIDATE[kind]].abs() <= bound).all())  # NaN, of no bound at all, is not within it


@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_in_the_documentation(kind: str) -> None:
    (row,) = re.findall(rf"^\| (?:\w+, )?{kind}(?:, \w+)? \| \d\.\d{{3}} .*$", PAGE.read_text(), re.MULTILINE)
    rest = equilibrium(kind, 2.0)
    rests = [rest, OPEN * math.tanh(rest)] if kind == "LSTM" else [rest]
    numbers = [slope_at_zero(kind, 2.0), *rests, edge(kind, 2.0), withstood(kind, 2.0)]
    assert re.findall(r"\d\.\d+", row) == [f"{number:.3f}" for number in numbers]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("fraction", "units"), [(1.0, 8), (0.5, 4), (0.3, 2), (0.01, 1)])
def test_what_is_set_and_what_is_left(kind: str, fraction: float, units: int) -> None:
    module = drawn(kind, 3, 8)
    before = values(module)
    assert init.bistable_(module, 3.0, fraction) is module
    after = values(module)
    assert torch.equal(after["weight_ih_l0"], before["weight_ih_l0"])
    for gate in range(GATES[kind]):
        old, new = (one["weight_hh_l0"].split(8)[gate] for one in (before, after))
        expected = old.clone()
        if gate in BIASES[kind]:
            expected[:units] = 3 * torch.eye(8)[:units] if gate == CANDIDATE[kind] else 0
        assert torch.equal(new, expected)
        for name in set(before) & {"bias_l0", "bias_ih_l0", "bias_hh_l0"}:
            expected = before[name].split(8)[gate].clone()
            if gate in BIASES[kind]:
                expected[:units] = 0 if name == "bias_hh_l0" else BIASES[kind][gate]
            assert torch.equal(after[name].split(8)[gate], expected)


def test_a_double_layer_has_the_fraction_in_each_part() -> None:
    double = init.bistable_(DoubleLayer(nn.GRU, 3, 12, 2, warm=1 / 3), fraction=0.5)
    for part, units in [(one, 2) for one in double.first] + [(one, 4) for one in double.second]:
        candidate = part.get_parameter("weight_hh_l0").chunk(3)[2]
        assert torch.equal(candidate[:units], 2 * torch.eye(2 * units)[:units])
        assert not (candidate[units:] == 0).any()


@pytest.mark.parametrize("kind", KINDS)
def test_it_draws_nothing_and_is_done_when_done(kind: str) -> None:
    module = drawn(kind, 3, 8)
    before = torch.get_rng_state()
    once = values(init.bistable_(module))
    twice = values(init.bistable_(module))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_an_rnn_needs_no_biases() -> None:
    module = init.bistable_(drawn("RNN", 2, 3, bias=False))
    (layer,) = dynamics(module)
    signs = table((-1.0, 1.0), 3)
    end = layer.hold(0.01 * signs, torch.zeros(2, dtype=torch.float64), 200)
    torch.testing.assert_close(end, equilibrium("RNN", 2.0) * signs, rtol=0, atol=1e-10)


def test_chrono_before_it_keeps_its_update_gate() -> None:
    module: Any = init.chrono_(nn.GRU(3, 8), t_max=100, generator=0)
    update = module.bias_ih_l0[8:16].detach().clone()
    init.bistable_(module)
    assert torch.equal(module.bias_ih_l0[8:16], update) and not module.bias_hh_l0.any()


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_a_time_constant_is_that_of_the_gate_and_moves_no_equilibrium(kind: str) -> None:
    quick, slow = (init.bistable_(drawn(kind, 1, 4), fraction=0.5, time_constant=t) for t in (None, 20.0))
    gates = [sum(bias.split(4)[gate] for bias in (slow.bias_ih_l0, slow.bias_hh_l0)).sigmoid() for gate in (0, 1)]
    assert torch.allclose(gates[1][:2], torch.tensor(0.95, dtype=torch.float64))
    if kind == "LSTM":
        assert torch.allclose(gates[0][:2], torch.tensor(0.05, dtype=torch.float64))
    keeps = slice(4, 8) if kind == "GRU" else slice(0, 8)
    for name, before in values(quick).items():
        changed = torch.zeros(len(before), dtype=torch.bool)
        if name.startswith("bias"):
            changed[keeps] = torch.tensor([True, True, False, False]).repeat(len(changed[keeps]) // 4)
        assert torch.equal(before[~changed], values(slow)[name][~changed])
    s = states(kind, torch.tensor([[equilibrium(kind, 2.0), -equilibrium(kind, 2.0), 0.0, 0.0]], dtype=torch.float64))
    (layer,) = dynamics(slow)
    after = layer.step(s, torch.zeros(1, 1, dtype=torch.float64))
    assert (bistable_part(kind, after) - bistable_part(kind, s))[:, :2].abs().max() < 1e-14


@pytest.mark.parametrize("kind", KINDS)
def test_free_gates_keep_their_recurrent_weights_and_all_else_is_as_without(kind: str) -> None:
    before = values(drawn(kind, 3, 4))
    free = values(init.bistable_(drawn(kind, 3, 4), fraction=0.5, free_gates=True))
    still = values(init.bistable_(drawn(kind, 3, 4), fraction=0.5))
    for name, value in free.items():
        kept = torch.zeros(len(value), dtype=torch.bool)
        if name.startswith("weight_hh"):
            kept = torch.arange(len(value)) // 4 != CANDIDATE[kind]
        assert torch.equal(value[kept], before[name][kept])
        assert torch.equal(value[~kept], still[name][~kept])


@pytest.mark.parametrize("module", [nn.RNN(1, 4), MGU(1, 4)])
def test_what_has_no_time_constant(module: nn.Module) -> None:
    before = values(module)
    with pytest.raises(TypeError, match=f"time_constant is that of a GRU or an LSTM, got {type(module).__name__}"):
        init.bistable_(module, time_constant=20)
    assert all(torch.equal(before[name], value) for name, value in values(module).items())


@pytest.mark.parametrize("kind", KINDS)
def test_the_least_gain(kind: str) -> None:
    least = LEAST[kind]
    module = drawn(kind, 3, 4)
    before = values(module)
    for gain in (least, math.nextafter(least, 0), 0.5):
        with pytest.raises(ValueError, match=rf"gain must be above {least} for {kind}, got {gain}$"):
            init.bistable_(module, gain)
    assert all(torch.equal(before[name], value) for name, value in values(module).items())
    init.bistable_(module, math.nextafter(least, 2))
    candidate = module.weight_hh_l0.split(4)[CANDIDATE[kind]]
    assert torch.equal(candidate, math.nextafter(least, 2) * torch.eye(4, dtype=torch.float64))


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"gain": 0}, ValueError, "gain must be finite and above 0, got 0"),
    ({"gain": math.inf}, ValueError, "gain must be finite and above 0, got inf"),
    ({"gain": math.nan}, ValueError, "gain must be finite and above 0, got nan"),
    ({"gain": "2"}, TypeError, "gain must be a number, got str"),
    ({"fraction": 0}, ValueError, "fraction must be finite and above 0, got 0"),
    ({"fraction": 1.01}, ValueError, r"fraction must lie in \(0, 1\], got 1.01"),
    ({"fraction": True}, TypeError, "fraction must be a number, got bool"),
    ({"time_constant": 1}, ValueError, "time_constant must be above 1, got 1"),
    ({"time_constant": math.inf}, ValueError, "time_constant must be finite and above 0, got inf"),
    ({"time_constant": "slow"}, TypeError, "time_constant must be a number, got str"),
])  # fmt: skip
def test_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    module = nn.GRU(3, 4)
    before = values(module)
    with pytest.raises(error, match=message):
        init.bistable_(module, **arguments)
    assert all(torch.equal(before[name], value) for name, value in values(module).items())


def test_a_part_that_is_refused_leaves_the_whole_as_it_was() -> None:
    double = DoubleLayer(nn.LSTM, 3, 8)
    double.second = nn.ModuleList([nn.LSTM(3, 4, proj_size=2)])
    before = values(double)
    with pytest.raises(ValueError, match="bistable_ needs states that are not projected, got LSTM with proj_size=2"):
        init.bistable_(double)
    double.second = nn.ModuleList([nn.RNN(3, 4, nonlinearity="relu")])
    with pytest.raises(TypeError, match="bistable_ takes RNN with nonlinearity='tanh', got 'relu'"):
        init.bistable_(double)
    double.second = nn.ModuleList([MGU(3, 4, bias=False)])
    with pytest.raises(ValueError, match="bistable_ sets biases, got MGU with bias=False"):
        init.bistable_(double)
    assert all(torch.equal(before[f"first.{name}"], value) for name, value in values(double.first).items())
