"""`held`: what is known by hand, what never moves, and what must not be claimed."""

import json
import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from devices import here
from keeping import KEEPING, LAYERS, THRESHOLD, blank, followed, memory, partly_held, set_keeping
from torch import Tensor, nn

import multistable
from multistable import Held, held
from multistable.nn._layer import RecurrentLayer

pytestmark = pytest.mark.usefixtures("device")
NAMES = list(LAYERS)
JUST = 1e-3


def ones(name: str, hidden_size: int = 1, dtype: torch.dtype = torch.float32) -> Any:
    h = here(torch.ones(1, 1, hidden_size, dtype=dtype))
    return (h, h) if name == "lstm" else h


def from_data(layer: RecurrentLayer, batch: int = 5, seed: int = 1) -> Any:
    inputs = torch.randn(20, batch, layer.input_size, generator=torch.Generator().manual_seed(seed))
    return layer(inputs.to(next(layer.parameters())))[1]


def detached(states: Any) -> Any:
    return states.detach() if isinstance(states, Tensor) else tuple(state.detach() for state in states)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_one_unit_is_held_up_to_the_input_that_brings_its_gate_to_the_threshold(name: str, dtype: torch.dtype) -> None:
    layer, limit = blank(name, dtype=dtype), 2.5
    set_keeping(layer, 0, bias=THRESHOLD + 3 * limit, weight=3.0)
    states = ones(name, dtype=dtype)
    assert held(layer, states, limit * (1 - JUST)).units[0].all()
    assert not held(layer, states, limit * (1 + JUST)).units[0].any()
    # And there it moves.
    inputs = torch.full((1, 1, 1), -limit * (1 + JUST)).to(next(layer.parameters()))
    assert (memory(layer(inputs, states)[1]) != memory(states)).all()


@pytest.mark.parametrize("name", ["gru", "mgu", "nbrc"])
def test_a_unit_that_another_lets_go_is_held_as_far_as_that_one_comes(name: str) -> None:
    # Unit 0 follows tanh(x / 2), without memory; unit 1 is let go by k times it.
    layer, k, slack = blank(name, 2), 4.0, 2.0
    set_keeping(layer, 0, bias=-20)
    set_keeping(layer, 1, bias=THRESHOLD + slack, by={0: -k})
    with torch.no_grad():
        weights = layer.weights("_l0")
        weights.ih[-2] = 0.5
        if name == "nbrc" and weights.bias is not None:
            weights.bias[2:4] = -20.0  # a is 0
    limit = 2 * math.atanh(slack / k)
    states = ones(name, 2)
    with torch.no_grad():
        (states if isinstance(states, Tensor) else states[0])[0, 0, 0] = 0.0
    assert held(layer, states, limit * (1 - JUST)).units[0].tolist() == [[False, True]]
    assert held(layer, states, limit * (1 + JUST)).units[0].tolist() == [[False, False]]


@pytest.mark.parametrize("name", ["gru", "mgu", "nbrc"])
def test_units_that_excite_each_other_hold_or_fall_together(name: str) -> None:
    layer, k, limit = blank(name, 2), 5.0, 1.5
    for unit in (0, 1):
        set_keeping(layer, unit, bias=THRESHOLD - k + limit, weight=1.0, by={1 - unit: k})
    assert held(layer, ones(name, 2), limit * (1 - JUST)).units[0].all()
    assert not held(layer, ones(name, 2), limit * (1 + JUST)).units[0].any()
    # Unit 1 sees unit 0 and would hold, but unit 0 does not see it, goes, and then it does not hold either.
    states = here(torch.tensor([[[1.0, 0.0]]]))
    assert not held(layer, states, limit * (1 - JUST)).units[0].any()


def test_units_driven_by_one_input_are_known_to_move_together() -> None:
    # Units 0 and 1 follow tanh(x) and tanh(x) - what they do to unit 2 cancels, which a single box cannot see.
    layer = blank("gru", 3)
    set_keeping(layer, 0, bias=-20)
    set_keeping(layer, 1, bias=-20)
    set_keeping(layer, 2, bias=THRESHOLD + 2, by={0: 3.0, 1: -3.0})
    with torch.no_grad():
        layer.weights("_l0").ih[-3:-1] = 0.4
    states = here(torch.zeros(1, 1, 3))
    assert held(layer, states, 3.0).units[0].tolist() == [[False, False, True]]  # 3 * 2 tanh(1.2) = 5 would be too much


@pytest.mark.parametrize("name", NAMES)
def test_the_layer_above_is_held_as_far_as_the_one_below_comes(name: str) -> None:
    layer = blank(name, 1, num_layers=2)
    set_keeping(layer, 0, bias=9, weight=1.0)
    weights = layer.weights("_l1")
    with torch.no_grad():
        assert weights.bias is not None
        for gate, sign in KEEPING[name].items():
            weights.bias[gate], weights.ih[gate] = sign * (THRESHOLD + 2), sign * 4.0
    states = here(torch.full((2, 1, 1), 0.4))
    above: Any = (states, states) if name == "lstm" else states
    assert held(layer, above, 5).units[1].all()
    # Let the layer below go as far as -1: 2 - 4 is too little.
    set_keeping(layer, 0, bias=0, weight=1.0)
    with torch.no_grad():
        layer.weights("_l0").ih[-1] = 9.0
        if name == "lstm":
            layer.weights("_l0").ih[2] = 9.0
    assert not held(layer, above, 5).units[1].any()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", NAMES)
def test_what_is_proven_holds_under_random_and_extreme_inputs(name: str, seed: int) -> None:
    layer, bound = partly_held(name, seed), 1.0
    readout = here(nn.Linear(12, 3))
    with torch.no_grad():
        states = from_data(layer)
        result = held(layer, states, bound, readout=readout)
        assert all(0.2 < share < 0.9 for share in result.share)
        for inputs in followed(layer, states, bound, 2_000, seed):
            _check(result, layer, readout, states, inputs)


def _check(result: Held, layer: RecurrentLayer, readout: nn.Linear, states: Any, inputs: Tensor) -> None:
    """All answers, and the states of all layers every so often: what has moved does not come back to the bit."""
    first, now = memory(states), states
    for part in inputs.split(50):
        outputs, now = layer(part, now)
        _check_states(result, first, now)
        answers = readout(outputs)
        assert result.answer_lower is not None and result.answer_upper is not None
        assert ((result.answer_lower <= answers) & (answers <= result.answer_upper)).all()
        assert ((result.lower[1] <= outputs) & (outputs <= result.upper[1])).all()


def _check_states(result: Held, first: Tensor, now: Any) -> None:
    h = now if isinstance(now, Tensor) else now[0]
    for k, (units, lower, upper) in enumerate(zip(result.units, result.lower, result.upper, strict=True)):
        assert torch.equal(memory(now)[k][units], first[k][units])
        assert ((lower <= h[k]) & (h[k] <= upper)).all()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_proven_holds_under_inputs_that_seek_to_break_it(name: str) -> None:
    layer, bound = partly_held(name, 5), 1.0
    states = detached(from_data(layer))
    result, first, now = held(layer, states, bound), memory(states), states
    direction = here(torch.randn(first.shape))
    for step in range(400):
        inputs = here(torch.zeros(1, first.shape[1], 2)).requires_grad_()
        if step % 25 == 0:
            direction = here(torch.randn(first.shape))
        _, after = layer(inputs, now)
        # Push all states along a direction, step by step to the corner of the inputs that does so most.
        h = after if isinstance(after, Tensor) else after[0]
        (gradient,) = torch.autograd.grad((direction * h).sum(), inputs)
        with torch.no_grad():
            now = layer(bound * torch.where(gradient >= 0, 1.0, -1.0), now)[1]
        _check_states(result, first, now)


@pytest.mark.parametrize("name", NAMES)
def test_smaller_inputs_leave_more_held_and_narrower_boxes(name: str) -> None:
    layer = partly_held(name, 7)
    states = from_data(layer)
    results = [held(layer, states, bound) for bound in (0.1, 1.0, 3.0, 30.0)]
    for small, large in pairwise(results):
        for k in range(2):
            assert (small.units[k] | ~large.units[k]).all()
            # Up to the grid that the boxes lie on.
            assert (small.lower[k] >= large.lower[k] - 1e-3).all() and (small.upper[k] <= large.upper[k] + 1e-3).all()
        assert small.distinct >= large.distinct


@pytest.mark.parametrize("name", NAMES)
def test_each_state_is_looked_at_by_itself(name: str) -> None:
    layer = partly_held(name, 3)
    states = from_data(layer, batch=6)
    order = here(torch.tensor([4, 1, 5, 0, 2, 3]))
    moved: Any = states[:, order] if isinstance(states, Tensor) else tuple(state[:, order] for state in states)
    alone: Any = states[:, 2] if isinstance(states, Tensor) else tuple(state[:, 2] for state in states)
    whole, turned, single = (held(layer, given, 1.0) for given in (states, moved, alone))
    for k in range(2):
        assert torch.equal(whole.units[k][order], turned.units[k])
        assert torch.equal(whole.units[k][2:3], single.units[k])
        assert torch.allclose(whole.lower[k][2:3], single.lower[k], atol=1e-3)


def test_many_states_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = partly_held("gru", 3)
    states = from_data(layer, batch=7)
    whole = held(layer, states, 1.0)
    monkeypatch.setattr("multistable._held.entry._NUMBERS", 1)
    parts = held(layer, states, 1.0)
    assert all(torch.equal(a, b) for a, b in zip(whole.units, parts.units, strict=True))
    assert whole.distinct == parts.distinct


def test_states_are_distinct_where_a_held_unit_differs() -> None:
    layer = blank("gru", 2)
    set_keeping(layer, 0, bias=9)
    h = here(torch.tensor([[[0.1, 0.0], [0.1, 0.9], [0.2, 0.0], [0.3, 0.5]]]))
    result = held(layer, h, 1.0)
    assert result.units[0].tolist() == [[True, False]] * 4
    assert result.distinct == 3 and result.n == 4
    assert result.share == (0.5,)


def test_a_saturated_sigmoid_is_no_hard_gate() -> None:
    layer = blank("gru", hardness=1e-9)  # in single precision the gate may be 1 - 1e-9, or round to 1: not to rely on
    set_keeping(layer, 0, bias=50)
    assert not held(layer, ones("gru"), 1.0).units[0].any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_needs_a_wider_margin(dtype: torch.dtype) -> None:
    layer = blank("gru", dtype=dtype)
    set_keeping(layer, 0, bias=THRESHOLD + 0.02)
    assert not held(layer, ones("gru", dtype=dtype), 1.0).units[0].any()
    set_keeping(layer, 0, bias=9)
    assert held(layer, ones("gru", dtype=dtype), 1.0).units[0].all()


def test_a_layer_without_biases_and_many_inputs() -> None:
    layer = here(multistable.nn.GRU(20, 3, bias=False, hardness=0.3))
    result = held(layer, here(torch.zeros(1, 2, 3)), 1e-3)
    assert not result.units[0].any()
    assert (result.upper[0] < 0.1).all()


def test_the_result_tells_what_was_found() -> None:
    layer = blank("gru", 2)
    set_keeping(layer, 0, bias=9)
    plain = held(layer, ones("gru", 2), 5)
    assert repr(plain) == "Held(under any |x| <= 5: l0 50.0% of the units, 1 of 1 states distinct)"
    assert plain.answer_lower is None and plain.answer_width is None
    answered = held(layer, ones("gru", 2), 5, readout=here(nn.Linear(2, 1)))
    assert "answers within" in repr(answered)
    assert json.loads(json.dumps(answered.to_dict()))["share"] == [0.5]


@pytest.mark.parametrize("bound", [0, -1.0, math.nan, math.inf])
def test_a_bound_that_is_none(bound: float) -> None:
    with pytest.raises(ValueError, match="bound must be finite and above 0"):
        held(blank("gru"), ones("gru"), bound)


@pytest.mark.parametrize(
    ("module", "error", "message"),
    [
        (nn.GRU(1, 1), TypeError, "a layer of multistable.nn"),
        (nn.Linear(1, 1), TypeError, "a layer of multistable.nn"),
        (multistable.nn.GRU(1, 1), ValueError, "hardness 0"),
        (multistable.nn.GRU(1, 1, bidirectional=True, hardness=0.3), ValueError, "one direction"),
    ],
)
def test_modules_that_hold_nothing(module: nn.Module, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        held(here(module), ones("gru"), 1.0)
    with pytest.raises(error, match=message):
        multistable.margin_loss(here(module), ones("gru"), 1.0)


@pytest.mark.parametrize(
    ("name", "states", "error", "message"),
    [
        ("gru", torch.ones(2, 1, 1), ValueError, r"must be \(1, B, 1\)"),
        ("gru", torch.ones(1, 1, 2), ValueError, r"must be \(1, B, 1\)"),
        ("gru", torch.ones(1), ValueError, r"must be \(1, B, 1\)"),
        ("gru", torch.ones(1, 0, 1), ValueError, r"must be \(1, B, 1\)"),
        ("gru", torch.ones(1, 1, 1).double(), ValueError, "dtype"),
        ("gru", torch.full((1, 1, 1), math.nan), ValueError, "must be finite"),
        ("gru", torch.full((1, 1, 1), math.inf), ValueError, "must be finite"),
        ("gru", (torch.ones(1, 1, 1),) * 2, TypeError, "must be a tensor"),
        ("gru", [[1.0]], TypeError, "must be a tensor"),
        ("lstm", torch.ones(1, 1, 1), TypeError, "a pair"),
        ("lstm", (torch.ones(1, 1, 1), torch.ones(1, 2, 1)), ValueError, "one shape"),
    ],
)
def test_states_that_do_not_fit(name: str, states: Any, error: type[Exception], message: str) -> None:
    if isinstance(states, Tensor):
        states = here(states)
    elif isinstance(states, tuple):
        states = tuple(here(state) for state in states)
    with pytest.raises(error, match=message):
        held(blank(name), states, 1.0)
    with pytest.raises(error, match=message):
        multistable.margin_loss(blank(name), states, 1.0)


@pytest.mark.parametrize(
    ("readout", "error", "message"),
    [
        (nn.Sequential(nn.Linear(1, 1)), TypeError, "must be an nn.Linear"),
        (nn.Linear(2, 1), ValueError, "must take 1 features"),
        (nn.Linear(1, 1).double(), ValueError, "dtype"),
    ],
)
def test_readouts_that_do_not_fit(readout: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        held(blank("gru"), ones("gru"), 1.0, readout=here(readout))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_finite_is_refused_and_what_may_overflow_too(name: str) -> None:
    layer: Any = LAYERS[name](1, 3, hardness=0.3)
    states = ones(name, 3)
    with pytest.raises(
        ValueError, match=r"^bound, states and weights of layer 0 must keep sums below 4.25e\+37, got up"
    ):
        held(layer, states, 1e38 / layer.weight_ih_l0.abs().max().item())
    with torch.no_grad():
        layer.weight_hh_l0[0, 0] = math.nan
    for call in (held, multistable.margin_loss):
        with pytest.raises(ValueError, match="^weights of layer 0 must be finite, got 1 NaN or infinite values of "):
            call(layer, states, 1.0)
