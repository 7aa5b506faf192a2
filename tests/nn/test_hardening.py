"""`Hardening`: when gates become hard, how it resumes, and what it refuses."""

import json
import math
import re
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from multistable.nn import BRC, GRU, LSTM, DoubleLayer, Hardening, set_hardness


def path(hardening: Hardening, layer: Any, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        hardening.step()
        found.append(layer.hardness.item())
    return found


def test_a_straight_line_from_start_to_end() -> None:
    gru = GRU(1, 2, dtype=torch.float64)
    hardening = Hardening(gru, steps=10, start=0.2, end=0.6, to=0.4)
    assert gru.hardness == 0
    expected = [0, 0, 0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4]
    assert path(hardening, gru, 12) == pytest.approx(expected, abs=1e-15)


def test_the_defaults_begin_half_way() -> None:
    gru = GRU(1, 2, dtype=torch.float64)
    found = path(Hardening(gru, steps=100), gru, 100)
    assert found[49] == 0 and 0 < found[50] < 0.02 and found[78] < 0.3 and found[79:] == [0.3] * 21


@given(
    steps=st.integers(1, 60),
    start=st.floats(0, 0.9),
    width=st.floats(0.01, 1),
    to=st.floats(0, 5),
    first=st.floats(0, 5),
)
def test_it_never_leaves_the_line_and_ends_exactly(
    steps: int, start: float, width: float, to: float, first: float
) -> None:
    gru = GRU(1, 2, dtype=torch.float64, hardness=first)
    found = path(Hardening(gru, steps, start, min(start + width, 1.0), to), gru, steps)
    assert found == sorted(found, reverse=to < first)
    assert found[-1] == to and all(min(first, to) <= one <= max(first, to) for one in found)


def test_all_layers_of_a_model_and_the_half_that_is_given() -> None:
    model: Any = nn.ModuleDict({"a": LSTM(1, 2), "b": nn.Sequential(BRC(2, 2)), "c": nn.GRU(2, 2)})
    double: Any = DoubleLayer(GRU, 1, 4)
    Hardening(model, steps=1, start=0, end=1, to=1).step()
    Hardening(double.first, steps=1, start=0, end=1, to=1).step()
    assert model["a"].hardness == model["b"][0].hardness == double.first[0].hardness == 1
    assert double.second[0].hardness == 0


@pytest.mark.parametrize("stop", [0, 3, 5, 9])
def test_it_resumes_to_the_bit(stop: int) -> None:
    settings: dict[str, Any] = {"steps": 10, "start": 0.25, "end": 0.85, "to": 0.3}
    gru = GRU(1, 2, hardness=0.05)
    whole = path(Hardening(gru, **settings), gru, 10)
    gru = GRU(1, 2, hardness=0.05)
    first = Hardening(gru, **settings)
    path(first, gru, stop)
    saved, weights = json.loads(json.dumps(first.state_dict())), gru.state_dict()
    other = GRU(1, 2)
    other.load_state_dict(weights)
    second = Hardening(other, steps=1)
    second.load_state_dict(saved)
    assert other.hardness == gru.hardness and second.last_step == stop
    assert path(second, other, 10 - stop) == whole[stop:]
    assert second.state_dict() == first.state_dict() | {"last_step": 10}


def test_training_with_it_draws_nothing_and_touches_no_parameter() -> None:
    gru = GRU(1, 2)
    before = [parameter.clone() for parameter in gru.parameters()]
    state = torch.random.get_rng_state()
    path(Hardening(gru, steps=5), gru, 5)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(one, other) for one, other in zip(gru.parameters(), before, strict=True))


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
    ({"steps": -3}, ValueError, "steps must be at least 1, got -3"),
    ({"steps": 2.0}, TypeError, "steps must be an int, got float 2.0: 2 would do"),
    ({"start": 0.5, "end": 0.5}, ValueError, "start must come before end, got start=0.5 and end=0.5"),
    ({"start": 0.7, "end": 0.2}, ValueError, "start must come before end, got start=0.7 and end=0.2"),
    ({"start": -0.1}, ValueError, "start must lie in [0, 1], got -0.1"),
    ({"end": 1.5}, ValueError, "end must lie in [0, 1], got 1.5"),
    ({"start": math.nan}, ValueError, "start must lie in [0, 1], got nan"),
    ({"end": "half"}, TypeError, "end must be a number, got str 'half'"),
    ({"start": True}, TypeError, "start must be a number, got bool True"),
    ({"to": -1}, ValueError, "to must be finite and not negative, got -1"),
    ({"to": math.nan}, ValueError, "to must be finite and not negative, got nan"),
    ({"to": math.inf}, ValueError, "to must be finite and not negative, got inf"),
    ({"to": None}, TypeError, "to must be a number, got NoneType"),
    ({"model": 3}, TypeError, "model must be an nn.Module, got int"),
    (
        {"model": nn.Sequential(nn.GRU(1, 2))},
        ValueError,
        "model must be or hold a recurrent layer of multistable.nn, got Sequential without one "
        "(multistable.nn.convert makes them of torch's)",
    ),
]


@pytest.mark.parametrize(("wrong", "error", "message"), WRONG, ids=[message for *_, message in WRONG])
def test_wrong_arguments(wrong: dict[str, Any], error: type[Exception], message: str) -> None:
    gru = GRU(1, 2)
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        Hardening(**{"model": gru, "steps": 10, **wrong})
    assert gru.hardness == 0


def test_states_of_something_else_are_refused() -> None:
    hardening = Hardening(GRU(1, 2), steps=10)
    with pytest.raises(
        ValueError, match="^state_dict must have the keys steps, start, end, to, first, last_step, got x$"
    ):
        hardening.load_state_dict({"x": 1})
    two = Hardening(nn.ModuleList([GRU(1, 2), GRU(1, 2)]), steps=10)
    with pytest.raises(ValueError, match="^state_dict must be that of a model with 1 such layers, got one for 2$"):
        hardening.load_state_dict(two.state_dict())


@pytest.mark.parametrize(("key", "value", "error"), [
    ("steps", 0, ValueError), ("to", math.nan, ValueError), ("last_step", -1, ValueError), ("first", ["a"], TypeError),
    ("start", 0.9, ValueError), ("end", None, TypeError),
])  # fmt: skip
def test_damaged_states_are_refused_and_change_nothing(key: str, value: Any, error: type[Exception]) -> None:
    gru = GRU(1, 2)
    hardening = Hardening(gru, steps=10)
    before = hardening.state_dict()
    with pytest.raises(error, match="^(start must come before end|" + key + " )"):
        hardening.load_state_dict(before | {key: value})
    assert hardening.state_dict() == before and gru.hardness == 0
    with pytest.raises(TypeError, match="^state_dict must be a mapping, got NoneType$"):
        hardening.load_state_dict(None)  # type: ignore[arg-type]


def test_set_hardness() -> None:
    model = nn.Sequential(LSTM(1, 2), BRC(2, 2))
    set_hardness(model, 0.25)
    assert all(layer.hardness == 0.25 for layer in model)
    wrongs: list[tuple[Any, type[Exception]]] = [(-1, ValueError), (math.nan, ValueError), ("x", TypeError)]
    for wrong, error in wrongs:
        with pytest.raises(error, match="^hardness "):
            set_hardness(model, wrong)
    assert all(layer.hardness == 0.25 for layer in model)
    with pytest.raises(ValueError, match="^model must be or hold a recurrent layer of multistable.nn, got Linear"):
        set_hardness(nn.Linear(1, 1), 0.3)
