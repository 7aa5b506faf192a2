"""Which layers of a model a call is about: the others stand in nobody's way."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multistable import Attractors, Multistability, attractors, measure, warmup
from multistable._measure.selection import select
from multistable.nn import DoubleLayer

INPUTS = torch.randn(9, 20, 2, generator=torch.Generator().manual_seed(0))
Look = Callable[..., Multistability | Attractors]
looks = pytest.mark.parametrize("look", [measure, attractors])


class Encoder(nn.Module):
    """A layer that is used beside one that is not, one in half precision and one without a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.GRU(2, 4, num_layers=2)
        self.unused = nn.LSTM(2, 4)
        self.rounded = nn.GRU(2, 4).half()
        self.broken = nn.GRU(2, 4)
        del self.broken._parameters["weight_hh_l0"]

    def forward(self, values: Tensor) -> Tensor:
        outputs: Tensor = self.encoder(values)[0]
        return outputs


def names(module: nn.Module, layers: Any) -> list[str]:
    return [layer.name for layer in select(module, layers).layers]


def test_a_name_stands_for_all_that_lies_under_it() -> None:
    model = nn.ModuleDict(
        {"en": nn.GRU(2, 4), "encoder": nn.ModuleDict({"a": nn.GRU(2, 4, 2), "b": nn.LSTMCell(2, 4)})}
    )
    assert names(model, None) == ["en.l0", "encoder.a.l0", "encoder.a.l1", "encoder.b"]
    assert names(model, "encoder") == ["encoder.a.l0", "encoder.a.l1", "encoder.b"]
    assert names(model, ["encoder.a.l1", "en"]) == ["en.l0", "encoder.a.l1"]  # in the order of the model
    assert [stack.name for stack in select(model, ["encoder.b"]).stacks] == ["encoder.b"]
    double = DoubleLayer(nn.GRU, 2, 4, num_layers=2)
    assert names(double, "second") == ["second.0.l0", "second.1.l0"]
    assert [stack.module for stack in select(double, "second.0").stacks] == [double]


@looks
def test_other_modules_block_nothing(look: Look) -> None:
    model = Encoder()
    for layers in (None, ["rounded"], ["broken"], ["unused"]):
        with pytest.raises((TypeError, RuntimeError)):
            look(model, INPUTS, layers=layers)
    found = look(model, INPUTS, horizon=128, layers=["encoder"], generator=0)
    assert [layer.name for layer in found.per_layer] == ["encoder.l0", "encoder.l1"]
    warmup(model, INPUTS, layers=["encoder"], steps=1)


@looks
def test_some_layers_of_a_module_beside_the_whole_of_it(look: Look) -> None:
    torch.manual_seed(0)
    gru = nn.GRU(2, 4, num_layers=3)
    whole = look(gru, INPUTS, horizon=128, generator=0)
    lowest = look(gru, INPUTS, horizon=128, layers=["l0"], generator=0)
    assert [layer.name for layer in lowest.per_layer] == ["l0"]
    assert lowest.per_layer[0] == whole.per_layer[0]  # under the network's own constant input
    assert lowest.trace == whole.trace  # of the network, which is the module


@looks
def test_a_network_of_one_layer_is_that_layer_and_one_of_two_is_not(look: Look) -> None:
    for depth in (1, 2):
        found = look(nn.GRU(2, 4, num_layers=depth), INPUTS, horizon=128, layers=["l0"], generator=0)
        assert (found.trace == found.per_layer[0].trace) == (depth == 1)


@pytest.mark.parametrize("call", [measure, attractors, warmup])
@pytest.mark.parametrize(("layers", "error", "message"), [
    ([], ValueError, "^layers must name at least one layer, got none$"),
    (["l0", "l7"], ValueError, r"^layers must name recurrent layers \('l0', 'l1'\), got 'l7'$"),
    ("l", ValueError, r"^layers must name recurrent layers \('l0', 'l1'\), got 'l'$"),
    ([0], TypeError, "^layers must hold names, got int$"),
    (3, TypeError, "^layers must hold names, got int$"),
])  # fmt: skip
def test_what_is_no_layer(call: Callable[..., Any], layers: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(nn.GRU(2, 4, num_layers=2), INPUTS, layers=layers)


def test_a_wrong_name_beside_a_module_that_can_not_be_looked_at() -> None:
    known = "'encoder.l0', 'encoder.l1', 'unused.l0', 'rounded.l0', 'broken'"
    with pytest.raises(ValueError, match=rf"^layers must name recurrent layers \({known}\), got 'coder'$"):
        measure(Encoder(), INPUTS, layers=["coder"])
