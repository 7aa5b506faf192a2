"""`convert` and `revert`: the same model on other layers, and what they leave alone."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from multistable.nn import BRC, GRU, LSTM, DoubleLayer, convert, revert, set_hardness


class Model(nn.Module):
    """Layers of both types, one of them twice, in a list and behind a name."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.GRU(3, 4, num_layers=2, batch_first=True, dropout=0.5, bidirectional=True)
        self.back = nn.ModuleList([nn.LSTM(8, 4, bias=False), nn.Linear(4, 8)])
        self.again = self.back[0]

    def forward(self, inputs: Tensor) -> Tensor:
        seen, _ = self.front(inputs)
        middle, _ = self.back[0](seen)
        last, _ = self.again(self.back[1](middle))
        answers: Tensor = last
        return answers


def model_of(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return Model().double().eval()


def kinds(model: Any) -> list[type[nn.Module]]:
    return [type(model.front), type(model.back[0])]


def inputs() -> Tensor:
    return torch.randn(5, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_a_converted_model_is_the_same_model() -> None:
    model = model_of()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    parameters, keys, expected = dict(model.named_parameters()), list(model.state_dict()), model(inputs())
    assert convert(model) is model
    assert kinds(model) == [GRU, LSTM] and model.again is model.back[0]
    assert model.front.dropout == 0.5 and model.front.batch_first and not model.front.training
    found = dict(model.named_parameters())
    assert list(found) == list(parameters) and all(found[name] is parameters[name] for name in found)
    assert list(model.state_dict()) == keys
    torch.testing.assert_close(model(inputs()), expected, rtol=1e-12, atol=1e-12)
    model(inputs()).sum().backward()
    before = model.back[0].weight_ih_l0.detach().clone()
    optimizer.step()
    assert not torch.equal(model.back[0].weight_ih_l0, before)
    assert model.front.hardness.dtype == torch.float64 and model.front.hardness == 0
    assert convert(model) is model  # nothing left to do


def test_back_again() -> None:
    model: Any = convert(model_of())
    parameters, expected = list(model.parameters()), model(inputs())
    assert revert(model) is model
    assert kinds(model) == [nn.GRU, nn.LSTM] and model.again is model.back[0]
    assert all(one is other for one, other in zip(model.parameters(), parameters, strict=True))
    torch.testing.assert_close(model(inputs()), expected, rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        model.front.weight_hh_l0.zero_()
    assert not torch.allclose(model(inputs()), expected)  # torch's kernels see the parameters, not copies


def test_a_layer_itself_is_replaced_and_left_alone() -> None:
    layer = nn.LSTM(3, 4)
    ours: Any = convert(layer)
    assert type(ours) is LSTM and ours.weight_ih_l0 is layer.weight_ih_l0
    theirs: Any = revert(ours)
    assert type(theirs) is nn.LSTM and theirs.weight_hh_l0 is layer.weight_hh_l0


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
def test_parameters_that_are_tied_stay_so(kind: Any) -> None:
    theirs = kind(4, 4, 2)
    theirs.weight_hh_l1, theirs.bias_hh_l0 = theirs.weight_hh_l0, theirs.bias_ih_l0
    inputs = torch.randn(5, 3, 4)
    expected, _ = theirs(inputs)
    ours: Any = convert(theirs)
    assert ours.weight_hh_l1 is ours.weight_hh_l0 is theirs.weight_hh_l0
    torch.testing.assert_close(ours(inputs)[0], expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(revert(ours)(inputs)[0], expected, rtol=1e-5, atol=1e-6)


def test_double_layers_know_their_new_type() -> None:
    double: Any = convert(DoubleLayer(nn.LSTM, 3, 8))
    assert double.layer_type is LSTM and repr(double).startswith("DoubleLayer(\n  LSTM, 3, 8")
    state = torch.zeros(1, 2, 8)
    assert double(torch.randn(4, 2, 3), (state, state))[0].shape == (4, 2, 8)


def test_hard_layers_go_back_only_where_told() -> None:
    model: Any = convert(model_of())
    set_hardness(model.back, 0.25)
    message = "back.0 has a hardness of 0.25, which torch's LSTM can't have: soft=True makes its gates ordinary ones"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        revert(model)
    assert kinds(model) == [GRU, LSTM]
    revert(model, soft=True)
    assert kinds(model) == [nn.GRU, nn.LSTM]


class Own(nn.GRU):
    """A type of one's own."""


def with_buffer() -> Any:
    gru = nn.GRU(3, 4)
    gru.register_buffer("mask", torch.ones(4))
    return gru


def weight_normed() -> Any:
    return parametrizations.weight_norm(nn.GRU(3, 4), "weight_hh_l0")


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "no module": (3, TypeError, "model must be an nn.Module, got int"),
    "nothing recurrent": (
        nn.Linear(1, 1),
        ValueError,
        "model must be or hold an nn.GRU or nn.LSTM, got Linear without one",
    ),
    "an RNN": (nn.RNN(1, 1), ValueError, "model must be or hold an nn.GRU or nn.LSTM, got RNN without one"),
    "a projection": (
        nn.ModuleDict({"rnn": nn.GRU(3, 4), "b": nn.LSTM(3, 4, proj_size=2)}),
        ValueError,
        "b has a projection (proj_size=2), which is not supported",
    ),
    "a type of one's own": (
        nn.ModuleDict({"rnn": nn.GRU(3, 4), "b": Own(3, 4)}),
        TypeError,
        "b is a Own, of a type derived from torch's or ours: not replaced",
    ),
    "a buffer": (
        nn.ModuleDict({"rnn": nn.GRU(3, 4), "b": with_buffer()}),
        TypeError,
        "b has more than its parameters, which would be lost: mask",
    ),
    "weight norm": (
        nn.ModuleDict({"rnn": nn.GRU(3, 4), "b": weight_normed()}),
        TypeError,
        "weight_hh_l0 of ParametrizedGRU must be an nn.Parameter: reparametrised recurrent weights are not supported",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_left_as_it_was(case: str) -> None:
    model, error, message = REFUSED[case]
    before = dict(model.named_modules()) if isinstance(model, nn.Module) else {}
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        convert(model)
    if isinstance(model, nn.Module):
        assert all(module is before[name] for name, module in model.named_modules())


def test_there_is_nothing_to_go_back_from() -> None:
    with pytest.raises(
        ValueError, match="^model must be or hold a GRU or LSTM of multistable.nn, got BRC without one$"
    ):
        revert(BRC(1, 2))
    assert isinstance(revert(nn.Sequential(nn.GRU(1, 2))), nn.Sequential)


def test_modules_without_values_go_both_ways() -> None:
    model = nn.GRU(3, 4, device="meta")
    assert type(revert(convert(model))) is nn.GRU
