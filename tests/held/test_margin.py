"""`margin_loss`: values known by hand, its derivatives, and that where it is 0 all is proven."""

import math
from typing import Any, cast

import pytest
import torch
from devices import here
from keeping import KEEPING, LAYERS, THRESHOLD, blank, memory, partly_held, set_keeping
from torch import Tensor, nn

from multistable import held, margin_loss

pytestmark = pytest.mark.usefixtures("device")
NAMES = list(LAYERS)


def pair(name: str, h: Tensor, c: Tensor | None = None) -> Any:
    return (h, h if c is None else c) if name == "lstm" else h


@pytest.mark.parametrize("name", NAMES)
def test_one_unit_lacks_what_inputs_can_take_from_its_gate(name: str) -> None:
    layer = blank(name, 2, dtype=torch.float64)
    set_keeping(layer, 0, bias=THRESHOLD + 1, weight=0.5)  # the other is not held, and does not count
    states = pair(name, here(torch.ones(1, 3, 2, dtype=torch.float64)))
    for bound, margin, expected in ((1, 0.5, 0.0), (2, 0.5, 0.5), (4, 0.5, 1.5), (2, 1.0, 1.0)):
        assert math.isclose(margin_loss(layer, states, bound, margin=margin).item(), expected, abs_tol=1e-9)


def test_no_unit_that_holds_gives_no_loss() -> None:
    layer = blank("gru", 2)
    loss = margin_loss(layer, here(torch.ones(1, 3, 2)), 1.0)
    loss.backward()
    assert loss.item() == 0


@pytest.mark.parametrize("name", NAMES)
def test_where_there_is_no_loss_all_is_proven(name: str) -> None:
    layer = partly_held(name, 0, torch.float64)
    with torch.no_grad():
        states = layer(here(torch.randn(20, 5, 2, dtype=torch.float64)))[1]
    bound = 0.5
    before = held(layer, states, bound)
    assert margin_loss(layer, states, bound, margin=0.0) > 0
    _hold_more(layer, name)
    assert margin_loss(layer, states, bound, margin=0.0) == 0
    after = held(layer, states, bound)
    for k in range(2):
        assert (after.units[k] | ~before.units[k]).all()
        assert after.share[k] == 1


def test_no_loss_alone_is_no_proof() -> None:
    """A unit that the other lets go at the first step alone, before it comes to where it holds."""
    layer = blank("gru", 2, dtype=torch.float64)
    with torch.no_grad():
        bias, weight_ih, weight_hh = (layer.get_parameter(f"{one}_l0") for one in ("bias_ih", "weight_ih", "weight_hh"))
        bias[2], weight_ih[2], weight_hh[2, 1] = 4.6, 0.5, 3.0  # z of the first: 4.6 + 3 h + x / 2
        bias[3], bias[5] = -8.0, 8.0  # the other goes to 1 at once
    states = here(torch.tensor([[[0.5, -1.0]]], dtype=torch.float64))
    assert margin_loss(layer, states, 1.0) == 0
    assert not held(layer, states, 1.0).units[0].any()
    _, after = layer(here(torch.full((1, 1, 1), -1.0, dtype=torch.float64)), states)
    assert after[0, 0, 0] != 0.5


@torch.no_grad()
def _hold_more(layer: Any, name: str) -> None:
    """Raise the biases of the gates that keep units."""
    for suffix in ("_l0", "_l1"):
        for gate, sign in KEEPING[name].items():
            layer.weights(suffix).bias[gate * 12 : (gate + 1) * 12] += sign * 20


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_where_all_units_hold(name: str) -> None:
    layer = partly_held(name, 1, torch.float64)
    _hold_more(layer, name)
    if name == "lstm":  # the box of h depends on itself through o, of which two steps have gradients
        for weight in (layer.weight_hh_l0, layer.weight_hh_l1):
            nn.init.zeros_(cast("Tensor", weight)[36:])
    names = [key for key, _ in layer.named_parameters()]
    states = [here((torch.rand(2, 2, 12, dtype=torch.float64) + 0.1) / 1.2).requires_grad_() for _ in range(2)]

    def loss(*given: Tensor) -> Tensor:
        weights, (h, c) = dict(zip(names, given[:-2], strict=True)), given[-2:]
        return _functional(layer, weights, pair(name, h, c))

    assert torch.autograd.gradcheck(loss, [*layer.parameters(), *states], fast_mode=True)


def _functional(layer: Any, weights: dict[str, Tensor], states: Any) -> Tensor:
    """`margin_loss` of other weights, which have the graph of theirs: swapped in as the parameters of the layer."""
    own = dict(layer._parameters)
    try:
        layer._parameters.update(weights)
        return margin_loss(layer, states, 1.0, margin=25.0)
    finally:
        layer._parameters.update(own)


@pytest.mark.parametrize("name", ["gru", "lstm", "brc"])
def test_training_by_it_makes_held_units_proven(name: str) -> None:
    layer = partly_held(name, 2)
    inputs, bound = here(torch.randn(20, 8, 2)), 2.0
    with torch.no_grad():
        before = held(layer, layer(inputs)[1], bound)
    optimizer = torch.optim.Adam(layer.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        margin_loss(layer, layer(inputs)[1], bound).backward()
        optimizer.step()
    with torch.no_grad():
        after = held(layer, layer(inputs)[1], bound)
    assert sum(after.share) > sum(before.share) + 0.1


def test_gradients_are_finite_from_any_states() -> None:
    for name in NAMES:
        layer = partly_held(name, 4)
        h = here(torch.randn(2, 3, 12)).requires_grad_()
        c = here(30 * torch.randn(2, 3, 12)).requires_grad_()
        margin_loss(layer, pair(name, h, c), 5.0).backward()
        for value in (*layer.parameters(), *([h, c] if name == "lstm" else [h])):
            assert value.grad is None or value.grad.isfinite().all()
        assert memory(pair(name, h, c)).grad is not None


@pytest.mark.parametrize("bound", [0, -1.0, math.nan, math.inf])
def test_a_bound_that_is_none(bound: float) -> None:
    with pytest.raises(ValueError, match="bound must be finite and above 0"):
        margin_loss(blank("gru"), here(torch.ones(1, 1, 1)), bound)


def test_a_margin_that_is_none() -> None:
    with pytest.raises(ValueError, match="margin must be finite"):
        margin_loss(blank("gru"), here(torch.ones(1, 1, 1)), 1.0, margin=math.nan)
