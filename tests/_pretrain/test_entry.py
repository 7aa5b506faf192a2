"""Pretraining: its losses by hand, what it learns, what it changes, and what it refuses."""

import copy
import json
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from devices import here, randn
from torch import Tensor, nn

from multistable import pretrain
from multistable._pretrain.prediction import Readout, prediction_loss
from multistable.dynamics import Sequences, register, stacks
from multistable.nn import BRC, NBRC, DoubleLayer

pytestmark = pytest.mark.usefixtures("device")
OBJECTIVES = ("autoencoder", "next_step", "linear_autoencoder")


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}


def changed(module: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, parameter in module.named_parameters() if not torch.equal(before[name], parameter)}


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
def test_losses_are_those_of_one_sequence_after_the_other(kind: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    module = here(kind(2, 5, 2).double())
    (stack,) = stacks(module)
    readout = Readout(stack)
    with torch.no_grad():
        readout.weight.copy_(torch.randn(2, 5))
        readout.bias.copy_(torch.randn(2))
    inputs, lengths = randn(6, 3, 2, dtype=torch.float64), torch.tensor([6, 2, 1])
    told: dict[str, list[Tensor]] = {"autoencoder": [], "next_step": []}
    for row, length in enumerate(lengths.tolist()):
        x = inputs[:length, row : row + 1]
        outputs, state = module(x)
        told["next_step"].append(readout(outputs[:-1]) - x[1:])
        again, _ = module(torch.cat([torch.zeros_like(x[:1]), x[:-1]]), state)
        told["autoencoder"].append(readout(again) - x)
    for objective, errors in told.items():
        by_hand = torch.cat([one.flatten() for one in errors]).square().mean()
        found = prediction_loss(objective, stack, readout, Sequences(inputs, lengths))  # type: ignore[arg-type]
        torch.testing.assert_close(found, by_hand)


def test_an_autoencoder_learns_what_must_be_remembered() -> None:
    """Values that are said one by one can't be told from those before: what is right was in the state."""
    torch.manual_seed(0)
    module = here(nn.GRU(1, 16))
    result = pretrain(module, randn(2, 500, 1), objective="autoencoder", steps=200, lr=1e-2, generator=0)
    assert result.loss[0] == pytest.approx(1, abs=0.5)
    assert sum(result.loss[-20:]) / 20 < 0.15


def test_the_next_step_is_learnt_as_far_as_it_can_be() -> None:
    """Of x' = 0.9 x + noise the noise is left: 1 - 0.81 of a variance of 1."""
    noise = randn(15, 300, 1, seed=0) * 0.19**0.5
    sequences = [randn(300, 1, seed=1)]
    for one in noise:
        sequences.append(0.9 * sequences[-1] + one)
    torch.manual_seed(0)
    result = pretrain(
        here(nn.GRU(1, 16)), torch.stack(sequences), objective="next_step", steps=150, lr=1e-2, generator=0
    )
    assert result.loss[0] == pytest.approx(1, abs=0.3)
    assert sum(result.loss[-20:]) / 20 == pytest.approx(0.19, abs=0.03)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_what_changes_and_what_does_not(objective: Any) -> None:
    linear, double = nn.Linear(3, 2), DoubleLayer(nn.LSTM, 2, 8)
    double.second.requires_grad_(False)
    module = here(nn.Sequential(linear, double))
    module.train()
    inputs = randn(20, 9, 3)
    before, state = snapshot(module), torch.get_rng_state()
    kept = linear.weight.grad = torch.ones_like(linear.weight)
    result = pretrain(module, inputs, objective=objective, steps=2, generator=0)
    assert changed(module, before) == {name for name in before if name.startswith("1.first")}
    assert result.layers == ("1.first.0.l0",)
    assert torch.equal(torch.get_rng_state(), state) and module.training
    assert linear.weight.grad is kept and all(one.grad is None for one in double.parameters())
    pretrain(module, inputs, objective=objective, steps=2, layers=["1.first"], generator=0)
    assert changed(module, before) == {name for name in before if name.startswith("1.first")}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_same_seed_same_bits(objective: Any) -> None:
    start, sequences = here(nn.GRU(1, 6, num_layers=2)), randn(12, 40, 1)
    first, second, other = copy.deepcopy(start), copy.deepcopy(start), copy.deepcopy(start)
    options: Any = {"objective": objective, "steps": 2, "batch_size": 8}
    results = [pretrain(module, sequences, generator=7, **options) for module in (first, second)]
    pretrain(other, sequences, generator=8, **options)
    assert not changed(second, snapshot(first)) and changed(other, snapshot(first))
    assert results[0].loss == results[1].loss
    assert torch.equal(results[0].after.states, results[1].after.states)


def test_the_result_reads_as_a_sentence_and_converts_to_json() -> None:
    result = pretrain(here(nn.GRU(1, 4)), randn(9, 40, 1), steps=2, generator=0)
    assert repr(result).startswith("PretrainResult(autoencoder: the loss went from ")
    assert f"VAA went from {result.before.vaa:.2f} to {result.after.vaa:.2f} at 2,000 steps" in repr(result)
    back = json.loads(json.dumps(result.to_dict()))
    assert back["loss"] == list(result.loss) and back["layers"] == ["l0"] and result.seconds > 0
    pytest.importorskip("matplotlib")
    assert len(result.plot().axes) > 0


def test_an_interrupt_restores_the_weights() -> None:
    module = here(nn.GRU(1, 8))
    before, drawn = snapshot(module), 0

    def interrupted(batch_size: int, generator: torch.Generator) -> Tensor:
        nonlocal drawn
        drawn += 1
        if drawn == 10:
            assert changed(module, before)
            raise KeyboardInterrupt
        return here(torch.randn(9, batch_size, 1, generator=generator))

    with pytest.raises(KeyboardInterrupt):
        pretrain(module, interrupted, generator=0)
    assert not changed(module, before)
    assert all(parameter.grad is None for parameter in module.parameters())


class Deaf(nn.Module):
    """Two recurrent layers, of which the second hears nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.RNN(1, 4), nn.RNN(1, 4)

    def forward(self, inputs: Tensor) -> None:
        self.first(inputs)
        self.second(torch.full_like(inputs, 3.7))


def test_a_failure_after_the_first_layer_restores_it() -> None:
    module = here(Deaf())
    before = snapshot(module)
    with pytest.raises(ValueError, match="linear_autoencoder needs inputs that differ from each other, got all the"):
        pretrain(module, randn(5, 8, 1), objective="linear_autoencoder", generator=0)
    assert not changed(module, before)
    pretrain(module, randn(5, 8, 1), objective="linear_autoencoder", layers=["first"], generator=0)
    assert changed(module, before) == {name for name in before if name.startswith("first")}


def test_a_loss_that_is_not_finite() -> None:
    module = here(nn.RNN(1, 2, nonlinearity="relu"))
    with torch.no_grad():
        module.get_parameter("weight_ih_l0").fill_(1.0)
        module.get_parameter("weight_hh_l0").fill_(0.0)
    before = snapshot(module)
    with pytest.raises(FloatingPointError, match="loss and gradient must be finite, got loss inf"):
        pretrain(module, 3e19 * randn(4, 9, 1).abs() + 1e19, objective="next_step", generator=0)
    assert not changed(module, before)


def test_an_iterator_that_ends() -> None:
    def once() -> Iterator[Tensor]:
        for _ in range(6):
            yield randn(5, 32, 1)

    with pytest.raises(RuntimeError, match="inputs ran out after 5 of 9 steps: pass an iterable that can start over"):
        pretrain(here(nn.GRU(1, 4)), once(), steps=9, generator=0)
    with pytest.raises(RuntimeError, match="inputs ran out before the layers were set: pass an iterable that can"):
        pretrain(here(nn.GRU(1, 4)), islice(once(), 1), objective="linear_autoencoder", generator=0)


def test_progress_shows_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pretrain(here(nn.GRU(1, 4)), randn(9, 40, 1), steps=2, generator=0, progress=True)
    assert "pretraining (autoencoder)" in capsys.readouterr().err


def frozen() -> nn.Module:
    module = nn.RNN(1, 4)
    module.weight_hh_l0.requires_grad_(False)
    return module


class Plain(nn.Module):
    """A recurrent module of a type of one's own."""

    input_size, hidden_size = 1, 4

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(5, 4)

    def forward(self, u: Tensor, s: Tensor) -> Tensor:
        return F.tanh(self.mix(torch.cat([u, s], -1)))


def registered() -> nn.Module:
    register(Plain, lambda cell, s, u: cell(u, s))
    return Plain()


@pytest.mark.parametrize(("module", "options", "error", "message"), [
    (lambda: nn.GRU(1, 4), {"objective": "auto"}, ValueError, "objective must be one of autoencoder, next_step, l"),
    (lambda: nn.GRU(1, 4), {"objective": 3}, TypeError, "objective must be a word, got int"),
    (lambda: nn.GRU(1, 4), {"steps": 0}, ValueError, "steps must be at least 1, got 0"),
    (lambda: nn.GRU(1, 4), {"batch_size": 2.5}, TypeError, "batch_size must be an int, got float"),
    (lambda: nn.GRU(1, 4), {"lr": 0.0}, ValueError, "lr must be finite and above 0, got 0.0"),
    (lambda: nn.GRU(1, 4), {"layers": ["l7"]}, ValueError, "layers must name recurrent layers"),
    (lambda: nn.GRU(1, 4).requires_grad_(False), {}, ValueError, "a layer to pretrain must have a parameter"),
    (lambda: nn.GRU(1, 4, bidirectional=True), {}, ValueError, "read forwards, got 'l0_reverse', which reads backwa"),
    (lambda: BRC(1, 4), {"linear": True}, TypeError, "RNN, GRU, LSTM and MGU, got BRC in 'l0'"),
    (lambda: NBRC(1, 4), {"linear": True}, TypeError, "RNN, GRU, LSTM and MGU, got NBRC in 'l0'"),
    (registered, {"linear": True}, TypeError, "RNN, GRU, LSTM and MGU, got CustomDynamics in 'cell'"),
    (lambda: nn.RNN(1, 4, nonlinearity="relu"), {"linear": True}, TypeError, "with nonlinearity='tanh', got 'relu'"),
    (lambda: nn.GRU(1, 4, bias=False), {"linear": True}, ValueError, "linear_autoencoder sets biases, got GRU with"),
    (lambda: nn.LSTM(1, 4, proj_size=2), {"linear": True}, ValueError, "states that are not projected, got LSTM"),
    (frozen, {"linear": True}, ValueError, "sets all parameters of a layer, got some of 'l0' frozen"),
])  # fmt: skip
def test_what_it_refuses(
    module: Callable[[], nn.Module], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    if options.pop("linear", False):
        options["objective"] = "linear_autoencoder"
    made = here(module())
    before = snapshot(made)
    with pytest.raises(error, match=message):
        pretrain(made, randn(9, 40, 1), **options)
    assert not changed(made, before)


def test_there_must_be_a_next_step() -> None:
    with pytest.raises(ValueError, match="next_step needs a sequence of at least two steps in each batch, got none"):
        pretrain(here(nn.GRU(1, 4)), randn(1, 40, 1), objective="next_step", generator=0)
