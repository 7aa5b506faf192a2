"""GRU and LSTM of our own: torch's at hardness 0, in values, gradients, state dicts and errors."""

import copy
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from devices import here, random
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from multistable.nn import BRC, GRU, LSTM, MGU, NBRC
from multistable.nn._layer import RecurrentLayer

pytestmark = pytest.mark.usefixtures("device")
I, H, B, T = 3, 5, 4, 6
TORCHS: dict[type[RecurrentLayer], Any] = {GRU: nn.GRU, LSTM: nn.LSTM}

each = pytest.mark.parametrize("kind", TORCHS, ids=lambda kind: kind.__name__)
every = pytest.mark.parametrize("kind", [GRU, LSTM, MGU, BRC, NBRC], ids=lambda kind: kind.__name__)
forms = pytest.mark.parametrize("form", ["batched", "batch first", "single", "packed", "packed unsorted"])
# Every pair of values is among them.
OPTIONS = [
    {"num_layers": num_layers, "bidirectional": bidirectional, "bias": bias}
    for num_layers, bidirectional, bias in ((1, False, True), (1, True, False), (3, False, False), (3, True, True))
]
optional = pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def pair(kind: type[RecurrentLayer], **options: Any) -> tuple[Any, Any]:
    """torch's layer, and ours with its parameters."""
    theirs = here(TORCHS[kind](I, H, dtype=torch.float64, **options))
    ours = here(kind(I, H, dtype=torch.float64, **options))
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def input_of(form: str) -> Any:
    if form == "single":
        return random(T, I)
    if form.startswith("packed"):
        lengths = [6, 3, 3, 1] if form == "packed" else [1, 6, 3, 3]
        return pack_sequence([random(length, I) for length in lengths], enforce_sorted=form == "packed")
    return random(B, T, I) if form == "batch first" else random(T, B, I)


def state_of(layer: Any, form: str) -> Any:
    parts = layer.num_layers * (2 if layer.bidirectional else 1)
    shape = (parts, H) if form == "single" else (parts, B, H)
    return (random(*shape), random(*shape)) if isinstance(layer, (nn.LSTM, LSTM)) else random(*shape)


def flat(results: Any) -> list[Tensor]:
    """Outputs and last states as tensors."""
    if isinstance(results, PackedSequence):
        return [results.data]
    return [results] if isinstance(results, Tensor) else [tensor for one in results for tensor in flat(one)]


@each
@optional
@forms
@pytest.mark.parametrize("started", [False, True], ids=["from zero", "from a state"])
def test_values_and_gradients_are_torchs(
    kind: type[RecurrentLayer], options: dict[str, Any], form: str, started: bool
) -> None:
    theirs, ours = pair(kind, **options, batch_first=form == "batch first")
    inputs, state = input_of(form), state_of(theirs, form) if started else None
    for one in [*flat(inputs), *([] if state is None else flat(state))]:
        one.requires_grad_()
    found, expected = (layer(inputs, state) for layer in (ours, theirs))
    torch.testing.assert_close(flat(found), flat(expected), rtol=1e-12, atol=1e-12)
    assert [type(one) for one in found] == [type(one) for one in expected]
    if isinstance(inputs, PackedSequence):
        assert all(
            one is other or torch.equal(one, other) for one, other in zip(found[0][1:], expected[0][1:], strict=True)
        )
    incoming = [torch.randn_like(one) for one in flat(expected)]
    at = [*flat(inputs), *([] if state is None else flat(state))]
    gradients = [
        torch.autograd.grad(flat(results), [*at, *layer.parameters()], incoming)
        for results, layer in ((found, ours), (expected, theirs))
    ]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


@each
@optional
def test_the_same_seed_draws_torchs_parameters(kind: type[RecurrentLayer], options: dict[str, Any]) -> None:
    torch.manual_seed(3)
    theirs = TORCHS[kind](I, H, **options)
    torch.manual_seed(3)
    ours = kind(I, H, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert all(torch.equal(one, other) for one, other in zip(ours.parameters(), theirs.parameters(), strict=True))
    before = copy.deepcopy(ours)
    ours.reset_parameters()
    assert not any(torch.equal(one, other) for one, other in zip(ours.parameters(), before.parameters(), strict=True))


@each
def test_state_dicts_move_both_ways(kind: type[RecurrentLayer]) -> None:
    theirs, ours = pair(kind, num_layers=2, bidirectional=True)
    assert all(torch.equal(one, other) for one, other in zip(ours.parameters(), theirs.parameters(), strict=True))
    ours.reset_parameters()
    theirs.load_state_dict(ours.state_dict())
    assert all(torch.equal(one, other) for one, other in zip(ours.parameters(), theirs.parameters(), strict=True))


@each
def test_dropout_is_torchs(kind: type[RecurrentLayer]) -> None:
    theirs, ours = pair(kind, num_layers=2, dropout=0.5)
    inputs = random(T, B, I)
    results = []
    for layer in (theirs, ours):
        torch.manual_seed(1)
        results.append(flat(layer(inputs)))
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)


@each
def test_it_is_called_what_torchs_is_called(kind: type[RecurrentLayer]) -> None:
    options: dict[str, Any] = {"num_layers": 2, "batch_first": True, "bidirectional": True}
    assert repr(kind(I, H, **options)) == repr(TORCHS[kind](I, H, **options))
    assert repr(kind(I, H, hardness=0.25)) == f"{kind.__name__}(3, 5, hardness=0.25)"


def test_projections_are_refused() -> None:
    with pytest.raises(ValueError, match="^proj_size must be 0, as projections are not supported, got 2$"):
        LSTM(I, H, proj_size=2)
    assert LSTM(I, H, 1, True, False, 0.0, False, 0).hidden_size == H


@pytest.mark.parametrize(("hx", "error", "message"), [
    (torch.zeros(1, B, H), TypeError, "LSTM: Expected hx to be a tuple of 2 tensors, got Tensor"),
    ((torch.zeros(1, B, H),), TypeError, "LSTM: Expected hx to be a tuple of 2 tensors, got 1 values"),
    ((torch.zeros(1, B, H), None), TypeError, "LSTM: Expected hx to be a tensor, got NoneType"),
    ((torch.zeros(1, B, H), torch.zeros(1, B, 4)), RuntimeError, "LSTM: Expected hidden size (1, 4, 5), got [1, 4, 4]"),
    ((torch.zeros(1, B, H), torch.zeros(1, H)), RuntimeError, "For batched 3-D input, hx should also be 3-D but got"),
])  # fmt: skip
def test_wrong_states_of_an_lstm(hx: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        LSTM(I, H)(torch.zeros(T, B, I), hx)


@every
@pytest.mark.parametrize(("hardness", "error", "message"), [
    (-0.1, ValueError, "hardness must be finite and not negative, got -0.1"),
    (math.nan, ValueError, "hardness must be finite and not negative, got nan"),
    ("hard", TypeError, "hardness must be a number, got str 'hard'"),
    (None, TypeError, "hardness must be a number, got NoneType"),
])  # fmt: skip
def test_wrong_hardness(kind: type[RecurrentLayer], hardness: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        kind(I, H, hardness=hardness)


@every
def test_a_buffer_that_was_set_wrong_is_noticed_at_the_call(kind: type[RecurrentLayer]) -> None:
    layer = kind(I, H)
    layer.hardness.fill_(math.nan)
    with pytest.raises(ValueError, match="^hardness must be finite and not negative, got nan$"):
        layer(torch.zeros(T, B, I))


@every
def test_the_state_dict_carries_the_hardness(kind: type[RecurrentLayer], tmp_path: Path) -> None:
    hard, soft = kind(I, H, hardness=0.25), kind(I, H)
    torch.save(hard.state_dict(), tmp_path / "hard.pt")
    soft.load_state_dict(torch.load(tmp_path / "hard.pt", weights_only=True))
    assert soft.hardness == 0.25
    inputs = torch.randn(T, B, I)
    assert torch.equal(soft(inputs)[0], hard(inputs)[0])
    hard.load_state_dict(kind(I, H).state_dict())
    assert hard.hardness == 0  # a state dict without one is that of an ordinary layer
    soft.load_state_dict({}, strict=False)
    assert soft.hardness == 0.25  # and one without the layer says nothing of it


@every
@pytest.mark.parametrize("wrong", [-0.5, math.nan, math.inf])
def test_a_state_dict_with_a_wrong_hardness_is_refused(kind: type[RecurrentLayer], wrong: float) -> None:
    model = nn.Sequential(kind(I, H, hardness=0.25))
    state = model.state_dict() | {"0.hardness": torch.tensor(wrong)}
    with pytest.raises(RuntimeError, match=f"0.hardness must be finite and not negative, got torch.float32 {wrong}"):
        model.load_state_dict(state)
    assert model[0].hardness == 0.25


@each
def test_a_layer_without_values_takes_those_of_a_state_dict(kind: type[RecurrentLayer]) -> None:
    theirs = TORCHS[kind](I, H)
    ours = kind(I, H, device="meta")
    ours.load_state_dict(theirs.state_dict(), assign=True)
    assert ours.hardness.device.type == "cpu" and ours.hardness == 0
    inputs = torch.randn(T, B, I)
    torch.testing.assert_close(ours(inputs)[0], theirs(inputs)[0], rtol=1e-5, atol=1e-6)
    ours.hardness = ours.hardness.to("meta")
    with pytest.raises(
        ValueError, match=r"^hardness of \w+ must be on the CPU or weight_ih's device \(cpu\), got meta$"
    ):
        ours(inputs)


@every
def test_whole_numbers_are_no_hardness(kind: type[RecurrentLayer]) -> None:
    layer = kind(I, H)
    with pytest.raises(RuntimeError, match=r"hardness must be finite and not negative, got torch.int64 1"):
        layer.load_state_dict(layer.state_dict() | {"hardness": torch.tensor(1)})


@each
def test_a_reparametrised_layer_loads_its_own_state_dict(kind: type[RecurrentLayer]) -> None:
    layer = torch.nn.utils.parametrizations.weight_norm(kind(I, H), "weight_ih_l0")
    layer.load_state_dict(layer.state_dict())


@each
def test_a_hard_layers_state_dict_does_not_fit_torchs(kind: type[RecurrentLayer]) -> None:
    with pytest.raises(RuntimeError, match='Unexpected key.*"hardness"'):
        TORCHS[kind](I, H).load_state_dict(kind(I, H, hardness=0.1).state_dict())


@every
def test_hardness_goes_where_the_layer_goes(kind: type[RecurrentLayer]) -> None:
    layer = kind(I, H, hardness=0.25)
    assert copy.deepcopy(layer).hardness == 0.25
    assert layer.double().hardness.dtype == torch.float64
    on_meta = kind(I, H, hardness=0.25, device="meta")
    assert on_meta.hardness.is_meta and "hardness" not in repr(on_meta) and "hardness" not in on_meta.state_dict()
    elsewhere = on_meta.to_empty(device="cpu")
    elsewhere.reset_parameters()
    assert elsewhere.hardness == 0.25


@every
def test_the_graph_of_a_call_keeps_the_hardness_it_had(kind: type[RecurrentLayer]) -> None:
    layer = here(kind(I, H, hardness=0.25, dtype=torch.float64))
    inputs = random(T, B, I)
    expected = torch.autograd.grad(layer(inputs)[0].sum(), list(layer.parameters()))
    total = layer(inputs)[0].sum()
    layer.hardness.fill_(2.0)
    found = torch.autograd.grad(total, list(layer.parameters()))
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@every
def test_compiled_hard_layers_follow_their_hardness(kind: type[RecurrentLayer]) -> None:
    layer = kind(I, H, hardness=0.25)
    compiled, inputs = torch.compile(layer, fullgraph=True, backend="aot_eager"), torch.randn(T, B, I)
    for hardness in (0.25, 0.0, 1.0):
        layer.hardness.fill_(hardness)
        assert torch.equal(compiled(inputs)[0], layer(inputs)[0])


@every
def test_a_held_unit_keeps_its_value_to_the_bit_in_a_stack(kind: type[RecurrentLayer]) -> None:
    """Biases that hold all units of both layers against any input up to 3, over 500 steps of it, in float32."""
    torch.manual_seed(0)
    layer = kind(I, H, num_layers=2, hardness=0.3)
    with torch.no_grad():
        for k in range(2):
            bias = getattr(layer, f"bias_ih_l{k}" if kind in TORCHS else f"bias_l{k}")
            for gate, sign in {GRU: [(1, 1)], LSTM: [(0, -1), (1, 1)], MGU: [(0, -1)]}.get(kind, [(0, 1)]):
                bias[gate * H : (gate + 1) * H] = sign * 30.0
    hx = torch.randn(2, B, H), torch.randn(2, B, H)
    _, last = layer(torch.empty(500, B, I).uniform_(-3, 3), hx if kind is LSTM else hx[0])
    assert torch.equal(last[1], hx[1]) if kind is LSTM else torch.equal(last, hx[0])
