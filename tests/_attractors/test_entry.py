"""The call: what it measures on, what it leaves alone, what it says, what it refuses."""

import json
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multistable import Attractors, attractors, fixed_points, init, measure, warmup
from multistable._attractors.kinds import KINDS
from multistable.dynamics import jacobians, register, registry, stacks
from multistable.nn import BRC, DoubleLayer


class Tagger(nn.Module):
    """Two recurrent modules in a model."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 3)
        self.lower = nn.GRU(3, 4, batch_first=True)
        self.upper = nn.LSTM(4, 3, batch_first=True)
        self.head = nn.Linear(3, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        outputs, _ = self.lower(self.embedding(tokens))
        answers: Tensor = self.head(self.upper(outputs)[0])
        return answers


def modules() -> dict[str, tuple[nn.Module, Any]]:
    torch.manual_seed(0)
    sequences = torch.randn(20, 12, 2)
    return {
        "stack": (nn.GRU(2, 5, num_layers=2), sequences),
        "lstm": (nn.LSTM(2, 4), sequences),
        "double": (DoubleLayer(nn.GRU, 2, 6), sequences),
        "both directions": (nn.GRU(2, 3, bidirectional=True), sequences),
        "cell": (nn.GRUCell(2, 4), sequences),
        "brc": (BRC(2, 5), sequences),
        "model": (Tagger(), torch.randint(7, (12, 20))),
    }


@pytest.mark.parametrize("name", modules())
def test_it_looks_at_what_measure_looks_at(name: str) -> None:
    module, inputs = modules()[name]
    module.double()
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    found = attractors(module, inputs, horizon=512, generator=0)
    measured = measure(module, inputs, horizon=512, generator=0)
    assert found.n == measured.n == 12
    assert [layer.name for layer in found.per_layer] == [layer.name for layer in measured.per_layer]
    pairs: list[tuple[Attractors, Any]] = [(found, measured), *zip(found.per_layer, measured.per_layer, strict=True)]
    for ours, theirs in pairs:
        assert ours.trace.horizons[:7] == theirs.trace.horizons[:7] == (1, 2, 4, 8, 15, 30, 60)
        assert ours.trace.vaa[:7] == theirs.trace.vaa[:7]
        assert ours.trace.residual[:7] == pytest.approx(theirs.trace.residual[:7], rel=1e-6, abs=1e-13)
        # Everything here is at rest at 512 steps: what is certified is what VAA says.
        assert ours.shares["equilibrium"] == 1
        assert ours.certified == pytest.approx(theirs.vaa)


def test_several_modules_are_one_network() -> None:
    module, inputs = modules()["model"]
    found = attractors(module, inputs, generator=0)
    assert found.trajectory.shape[2] == 4 + 2 * 3 and found.attractors[0].state.shape == (10,)
    assert [layer.trajectory.shape[2] for layer in found.per_layer] == [4, 6]


def test_a_single_layer_is_the_network() -> None:
    module, inputs = modules()["lstm"]
    found = attractors(module, inputs, generator=0)
    (layer,) = found.per_layer
    assert (found.name, layer.name) == ("", "l0")
    assert found.attractors is layer.attractors and found.kinds == layer.kinds


def test_the_module_is_left_as_it_is() -> None:
    module, inputs = modules()["model"]
    module.train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    calls: list[int] = []
    module.head.register_forward_hook(lambda *_: calls.append(1))  # type: ignore[union-attr]
    state = torch.random.get_rng_state()
    attractors(module, inputs, generator=0)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert all(parameter.dtype == torch.float32 for parameter in module.parameters())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in module.parameters())
    assert module.training and module.lower.training  # type: ignore[union-attr]
    assert len(module.lower._forward_pre_hooks) == 0  # type: ignore[union-attr]


def test_the_answer_does_not_depend_on_the_modules_precision() -> None:
    gru: Any = init.bistable_(nn.GRU(1, 6))
    inputs = torch.randn(20, 30, 1)
    single = attractors(gru, inputs, generator=0)
    assert all(one.state.dtype == torch.float64 for one in single.attractors)
    with torch.inference_mode():
        inside = attractors(gru, inputs, generator=0)
    assert inside.labels == single.labels
    double = attractors(gru.double(), inputs.double(), generator=0)
    assert double.count == single.count


def cycling() -> Attractors:
    """Two units that pass their values on to each other, negated on the way back: a cycle of four."""
    rnn: Any = nn.RNN(1, 2, bias=False)
    with torch.no_grad():
        rnn.weight_hh_l0.copy_(torch.tensor([[0.0, -2.0], [2.0, 0.0]]))
        rnn.weight_ih_l0.copy_(torch.tensor([[1e-3], [0.0]]))
    torch.manual_seed(0)
    return attractors(rnn, torch.randn(5, 10, 1), generator=0)


def test_what_a_cycle_says_of_itself() -> None:
    found = cycling()
    (one,) = found.attractors
    assert (one.kind, one.period, one.basin_share, tuple(one.state.shape)) == ("cycle", 4, 1.0, (4, 2))
    assert one.spectral_radius is not None
    assert one.time_constant == pytest.approx(-4 / math.log(one.spectral_radius))
    assert found.shares == {kind: float(kind == "cycle") for kind in KINDS}
    assert repr(found) == (
        "Attractors(10 states lead to 0 stable equilibria and 1 stable cycle, certified 0.100; 100% go round a cycle; "
        "per layer: l0 0.100)"
    )


def test_counts_and_shares_fit_together() -> None:
    torch.manual_seed(0)
    found = attractors(init.bistable_(nn.GRU(1, 8)), torch.randn(20, 40, 1), generator=0)
    assert found.count == len(found.attractors) == len(set(found.labels)) > 1
    assert found.certified == found.count / 40
    assert sum(found.shares.values()) == pytest.approx(1)
    for place, one in enumerate(found.attractors):
        assert one.basin_share == pytest.approx(found.labels.count(place) / 40)
        assert one.eigenvalues is not None and one.eigenvalues.shape == (8,)
        assert one.spectral_radius == one.eigenvalues.abs().max().item()
    shares = [one.basin_share for one in found.attractors]
    assert shares == sorted(shares, reverse=True)


def test_to_dict_is_json() -> None:
    found = cycling()
    known = json.loads(json.dumps(found.to_dict()))
    assert known["count"] == 1 and known["kinds"] == ["cycle"] * 10
    assert known["attractors"][0]["period"] == 4 and known["per_layer"][0]["name"] == "l0"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n": 1}, ValueError, "n must be at least 2, got 1"),
        ({"n": 2.0}, TypeError, "n must be an int, got float"),
        ({"horizon": 127}, ValueError, "horizon must be at least 128, got 127"),
        ({"horizon": "long"}, TypeError, "horizon must be an int, got str"),
        ({"tol": 0}, ValueError, "tol must be finite and above 0, got 0"),
        ({"tol": math.nan}, ValueError, "tol must be finite and above 0, got nan"),
        ({"generator": "seed"}, TypeError, "generator must be a torch.Generator, an int or None, got str"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        attractors(nn.GRU(1, 4), torch.randn(5, 4, 1), **arguments)


def test_bad_modules_and_inputs() -> None:
    with pytest.raises(ValueError, match="module must be or hold a recurrent layer, got Linear without one"):
        attractors(nn.Linear(1, 4), torch.randn(5, 4, 1))
    with pytest.raises(TypeError, match="parameters of 'l0' must be float32 or float64, got torch.bfloat16"):
        attractors(nn.GRU(1, 4, dtype=torch.bfloat16), torch.randn(5, 4, 1))
    with pytest.raises(ValueError, match="inputs must be finite, got 20 NaN or infinite values of 20"):
        attractors(nn.GRU(1, 4), torch.full((5, 4, 1), math.nan))
    with pytest.raises(ValueError, match="inputs must hold at least two sequences to be told apart, got 1"):
        attractors(nn.GRU(1, 4), torch.randn(5, 1, 1))


def test_states_that_overflow_are_unbounded_and_others_are_not() -> None:
    """h' = relu(1000 h - 1): from above 1/999 states grow beyond what a float holds, from below they come to 0."""
    rnn: Any = nn.RNN(1, 1, nonlinearity="relu")
    with torch.no_grad():
        for parameter, value in zip(rnn.parameters(), (1.0, 1e3, -1.0, 0.0), strict=True):
            parameter.fill_(value)
    states = torch.tensor([[1e-2], [1e-4], [1.0]])
    found = attractors(rnn, states=states, u=0)
    assert found.kinds == ("unbounded", "equilibrium", "unbounded") and found.labels == (-1, 0, -1)
    assert torch.isfinite(found.trajectory).all() and torch.isfinite(found.paths).all()
    assert repr(found).startswith("Attractors(3 states lead to 1 stable equilibrium, certified 0.333; 33% come to rest")


def test_where_all_overflow_at_once_there_is_no_trace() -> None:
    rnn: Any = nn.RNN(1, 1, nonlinearity="relu", bias=False, dtype=torch.float64)
    with torch.no_grad():
        rnn.weight_hh_l0.fill_(1e300)
    found = attractors(rnn, states=torch.full((2, 1), 1e300, dtype=torch.float64), u=0)
    assert found.kinds == ("unbounded",) * 2 and found.trace.horizons == () and found.attractors == ()


def test_a_cell_as_the_documentation_has_it_goes_through_everything() -> None:
    """Its step puts the state and the input side by side: it must get an input for each state."""

    class Leaky(nn.Module):
        input_size, hidden_size = 1, 2

        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Linear(3, 2)

        def forward(self, u: Tensor, s: Tensor) -> Tensor:
            new: Tensor = 0.9 * s + 0.1 * self.mix(torch.cat([u, s], -1)).tanh()
            return new

    register(Leaky, lambda cell, s, u: cell(u, s), layout="step")
    try:
        cell, inputs = Leaky(), torch.randn(9, 8, 1)
        assert attractors(cell, inputs, horizon=512, generator=0).shares["equilibrium"] == 1
        assert fixed_points(cell, inputs, starts=20, generator=0).count == 1
        assert measure(cell, inputs, u=torch.ones(1), horizon=500, generator=0).vaa == pytest.approx(1 / 8)
        assert warmup(cell, inputs, steps=2, horizon=5, generator=0).history.layers == ("cell",)
        (layer,) = stacks(cell)
        assert jacobians(layer, torch.zeros(3, 2), torch.zeros(1)).shape == (3, 2, 2)
    finally:
        del registry._ADAPTERS[Leaky]
