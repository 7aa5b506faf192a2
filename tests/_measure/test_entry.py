import json
import math

import pytest
import torch
from torch import Tensor, nn

from multistable import Multistability, measure
from multistable.dynamics import stacks


def copier(gain: float, size: int = 1) -> nn.RNN:
    """h' = tanh(gain h + u): one equilibrium under zero input for gain <= 1, two (in each unit) above."""
    module = nn.RNN(size, size, bias=False, dtype=torch.float64)
    with torch.no_grad():
        module.get_parameter("weight_hh_l0").copy_(gain * torch.eye(size))
        module.get_parameter("weight_ih_l0").copy_(torch.eye(size))
    return module


def test_one_equilibrium_below_the_pitchfork() -> None:
    sequences = torch.randn(9, 40, 1, dtype=torch.float64)
    found = measure(copier(0.5), sequences, generator=0)
    assert found.vaa == pytest.approx(1 / 40)
    assert found.residual <= 1e-15


def test_two_equilibria_above_the_pitchfork() -> None:
    # An input of one sign pushes the state into that sign's basin; a gain of 3 keeps it there under |u| < 1.
    signs = torch.cat([torch.ones(30), -torch.ones(10)]).double()
    sequences = (9 * signs).expand(5, 40)[:, :, None]
    for seed in range(20):
        found = measure(copier(4.0), sequences, generator=seed)
        if found.vaa == pytest.approx(2 / 40):
            break
    else:
        pytest.fail("no constant input left both basins in place")
    values, counts = found.states.round(decimals=9).unique(return_counts=True)
    assert sorted(counts.tolist()) == [10, 30]
    assert values[0] < -0.9
    assert values[1] > 0.9


def test_the_trace_leads_to_the_horizon_and_shows_decay() -> None:
    torch.manual_seed(0)
    found = measure(nn.GRU(1, 16), torch.randn(9, 50, 1), horizon=1000, generator=0)
    assert found.trace.horizons == (1, 2, 4, 8, 15, 30, 60, 120, 240, 480, 960, 1000)
    assert found.trace.vaa[-1] == found.vaa == pytest.approx(1 / 50)
    assert found.trace.residual[-1] == found.residual
    assert found.trace.vaa[0] == 1
    assert list(found.trace.vaa) == sorted(found.trace.vaa, reverse=True)


def test_states_and_residual_against_a_plain_loop() -> None:
    torch.manual_seed(0)
    module = nn.GRU(2, 6, num_layers=2, dtype=torch.float64)
    sequences = torch.randn(8, 10, 2, dtype=torch.float64)
    found = measure(module, sequences, horizon=500, generator=3)
    (stack,) = stacks(module)
    with torch.no_grad():
        # At one equilibrium the state is a root of f(s, u) - s whatever the prefixes were, and all rows agree.
        assert found.residual < 1e-12
        assert found.vaa == pytest.approx(0.1)
        assert (found.states - found.states[0]).abs().max() < 1e-12
        # The constant input can be read off the lowest layer: f(s, u) = s there.
        generator = torch.Generator().manual_seed(3)
        u = _constant_input(generator, rows=10)
        assert (stack.step(found.states, u.expand(10, -1)) - found.states).norm(dim=1).max() < 1e-12


def _constant_input(generator: torch.Generator, rows: int) -> Tensor:
    """The lowest layer's input, drawn after a seed for foreign code, the rows of a pool and a seed for prefixes."""
    torch.randint(2**62, (), generator=generator)
    torch.randperm(rows, generator=generator)
    torch.randint(2**62, (), generator=generator)
    return torch.randn(2, generator=generator, dtype=torch.float64)


def test_the_lowest_layer_alone_is_what_it_is_in_the_stack() -> None:
    """After a few steps states still depend on the input: the lowest layer's is the network's."""
    torch.manual_seed(0)
    module, sequences = nn.LSTM(1, 5, num_layers=3).double(), torch.randn(7, 12, 1).double()
    found = measure(module, sequences, horizon=5, generator=0)
    alone = measure(_lowest(module), sequences, horizon=5, generator=0)
    assert [layer.name for layer in found.per_layer] == ["l0", "l1", "l2"]
    for lowest in (found.per_layer[0], alone.per_layer[0]):
        assert lowest.vaa == alone.vaa
        # The same few operations, which may round in another order.
        assert lowest.residual == pytest.approx(alone.residual, rel=1e-12)
        assert lowest.trace.residual == pytest.approx(alone.trace.residual, rel=1e-12)


def test_an_upper_layer_alone_has_an_input_of_its_own() -> None:
    """Below it all is silent: in the stack it stays at zero, and alone its own input moves it."""
    module = nn.RNN(1, 4, num_layers=2, bias=False, dtype=torch.float64)
    nn.init.zeros_(module.get_parameter("weight_ih_l0"))
    found = measure(module, torch.randn(5, 6, 1, dtype=torch.float64), horizon=2, generator=0)
    assert found.residual == found.per_layer[0].residual == 0
    assert found.per_layer[1].residual > 1e-3


def _lowest(module: nn.LSTM) -> nn.LSTM:
    lowest = nn.LSTM(1, 5, dtype=torch.float64)
    lowest.load_state_dict({name: value for name, value in module.state_dict().items() if name.endswith("l0")})
    return lowest


def test_takes_as_many_sequences_as_there_are() -> None:
    module = nn.GRU(1, 4)
    assert measure(module, torch.randn(5, 7, 1), horizon=10).n == 7
    assert measure(module, torch.randn(5, 700, 1), horizon=10).n == 100
    assert measure(module, torch.randn(5, 70, 1), horizon=10, n=20).n == 20
    assert measure(module, iter([torch.randn(5, 7, 1)] * 3), horizon=10, n=20).n == 20
    assert measure(module, iter([torch.randn(5, 7, 1)] * 2), horizon=10, n=20).n == 14


@pytest.mark.parametrize("training", [True, False])
def test_leaves_the_module_as_it_was(training: bool) -> None:
    module = nn.GRU(1, 4, num_layers=2, dropout=0.5).train(training)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state = torch.get_rng_state()
    measure(module, torch.randn(5, 7, 1, generator=torch.Generator().manual_seed(0)), horizon=10)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert module.training is training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_same_seed_same_bits() -> None:
    module, sequences = nn.LSTM(1, 8, num_layers=2), torch.randn(9, 50, 1)
    first, second = (measure(module, sequences, horizon=200, generator=5) for _ in range(2))
    third = measure(module, sequences, horizon=200, generator=torch.Generator().manual_seed(5))
    other = measure(module, sequences, horizon=200, generator=6)
    assert torch.equal(first.states, second.states)
    assert torch.equal(first.states, third.states)
    assert not torch.equal(first.states, other.states)


def test_growing_states_are_an_error() -> None:
    module = nn.RNN(1, 1, nonlinearity="relu", bias=False)
    nn.init.constant_(module.get_parameter("weight_hh_l0"), 4.0)
    nn.init.constant_(module.get_parameter("weight_ih_l0"), 1.0)
    with pytest.raises(FloatingPointError, match=r"states of l0 are no longer finite after 60 steps under a constant"):
        measure(module, torch.ones(5, 4, 1), generator=0)


def test_several_recurrent_modules_side_by_side() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.GRU(1, 4), nn.LSTM(4, 3)

        def forward(self, sequences: Tensor) -> Tensor:
            outputs: Tensor = self.second(self.first(sequences)[0])[0]
            return outputs

    found = measure(Two(), torch.randn(6, 11, 1), horizon=30)
    assert [layer.name for layer in found.per_layer] == ["first.l0", "second.l0"]
    assert found.states.shape == (11, 4 + 3 + 3)


def test_reads_as_a_sentence_and_converts_to_json() -> None:
    found = measure(nn.GRU(1, 4, num_layers=2), torch.randn(5, 20, 1), horizon=1000, generator=0)
    assert repr(found).startswith("Multistability(vaa=0.050 after 1,000 steps, residual=")
    assert repr(found).endswith("n=20, per layer: l0 0.050, l1 0.050)")
    assert repr(found.per_layer[0]).startswith("LayerMultistability('l0', vaa=0.050, residual=")
    back = json.loads(json.dumps(found.to_dict()))
    assert back["vaa"] == found.vaa
    assert back["trace"]["horizons"] == list(found.trace.horizons)
    assert back["per_layer"][1]["name"] == "l1"
    assert isinstance(found, Multistability)
    assert math.isfinite(found.residual)


def test_autocast_around_it_changes_nothing() -> None:
    module, sequences = nn.GRU(1, 8, num_layers=2), torch.randn(9, 20, 1)
    alone = measure(module, sequences, horizon=50, generator=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        within = measure(module, sequences, horizon=50, generator=0)
        assert torch.is_autocast_enabled("cpu")
    assert torch.equal(alone.states, within.states)
