"""MGU, BRC and NBRC called as `nn.GRU` is: its shapes, its errors, and the values of a loop over one step."""

import copy
import math
import pickle
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from devices import current, here, random
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence

from multistable.nn import BRC, MGU, NBRC, ops
from multistable.nn._layer import RecurrentLayer
from multistable.nn.ops._recurrence import Step

pytestmark = pytest.mark.usefixtures("device")
I, H, B, T = 3, 5, 4, 6
LENGTHS = [1, 6, 3, 3]  # of unsorted sequences; the order that sorts them is not its own inverse


class Kind(NamedTuple):
    layer: type[RecurrentLayer]
    step: Step
    gates: int
    recurrent_rows: int

    @property
    def name(self) -> str:
        return self.layer.__name__


KINDS = {
    "mgu": Kind(MGU, ops.mgu_step, 2, 2 * H),
    "brc": Kind(BRC, ops.brc_step, 3, 2),
    "nbrc": Kind(NBRC, ops.nbrc_step, 3, 2 * H),
}
# Every pair of values is among them.
OPTIONS = [
    {"num_layers": num_layers, "bidirectional": bidirectional, "batch_first": batch_first, "bias": bias}
    for num_layers, bidirectional, batch_first, bias in (
        (1, False, False, True), (1, True, True, False), (3, False, True, True), (3, True, False, True),
        (3, False, False, False), (1, True, False, True),
    )
]  # fmt: skip


def option_id(options: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in options.items())


each = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
optional = pytest.mark.parametrize("options", OPTIONS, ids=option_id)
forms = pytest.mark.parametrize("form", ["batched", "single", "packed", "packed unsorted"])


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def equal(ours: Any, theirs: Any) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)


def identical(ours: tuple[Tensor, ...], theirs: tuple[Tensor, ...]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def make(kind: Kind, **options: Any) -> RecurrentLayer:
    """A layer whose every parameter is random, so that each counts."""
    layer = here(kind.layer(I, H, **{"dtype": torch.float64, **options}))
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter) / math.sqrt(parameter.shape[-1]))
    return layer


def data_of(value: Tensor | PackedSequence) -> Tensor:
    return value if isinstance(value, Tensor) else value.data


def with_data(value: Tensor | PackedSequence, data: Tensor) -> Tensor | PackedSequence:
    return data if isinstance(value, Tensor) else value._replace(data=data)


def input_of(form: str, batch_first: bool = False) -> Any:
    if form == "single":
        return random(T, I)
    if form == "batched":
        return random(B, T, I) if batch_first else random(T, B, I)
    lengths = LENGTHS if form == "packed unsorted" else sorted(LENGTHS, reverse=True)
    return pack_sequence([random(length, I) for length in lengths], enforce_sorted=form == "packed")


def state_of(form: str, parts: int) -> Tensor:
    return random(parts, H) if form == "single" else random(parts, B, H)


def sequences(value: Tensor | PackedSequence, batch_first: bool) -> list[Tensor]:
    """Each sequence alone, in the order in which it was given."""
    if isinstance(value, PackedSequence):
        padded, lengths = pad_packed_sequence(value)
        return [padded[:length, b] for b, length in enumerate(lengths.tolist())]
    if value.dim() == 2:
        return [value]
    return list(value.unbind(0 if batch_first else 1))


def slow(kind: Kind, layer: RecurrentLayer, x: Tensor, h: Tensor, dropout: float = 0) -> tuple[list[Tensor], Tensor]:
    """One sequence (T, I) step by step: each layer's states (T, F), and the last states (parts, H)."""
    parameters = dict(layer.named_parameters())
    lasts, of_layers = [], []
    first = iter(h)
    for k in range(layer.num_layers):
        if k > 0:
            x = F.dropout(x, dropout)
        directions = []
        for direction in ("", "_reverse") if layer.bidirectional else ("",):
            state = next(first)[None]
            states: list[Tensor] = []
            for now in reversed(x) if direction else x:
                drive = F.linear(now, parameters[f"weight_ih_l{k}{direction}"], parameters.get(f"bias_l{k}{direction}"))
                state = kind.step(drive[None], state, parameters[f"weight_hh_l{k}{direction}"], layer.hardness)
                states.append(state)
            lasts.append(state)
            directions.append(torch.cat(states[::-1] if direction else states))
        x = torch.cat(directions, -1)
        of_layers.append(x)
    return of_layers, torch.cat(lasts)


@each
@optional
def test_parameters(kind: Kind, options: dict[str, Any]) -> None:
    layer = kind.layer(I, H, **options)
    expected: dict[str, tuple[int, ...]] = {}
    for k in range(options["num_layers"]):
        for direction in ("", "_reverse") if options["bidirectional"] else ("",):
            features = I if k == 0 else H * (2 if options["bidirectional"] else 1)
            expected[f"weight_ih_l{k}{direction}"] = (kind.gates * H, features)
            expected[f"weight_hh_l{k}{direction}"] = (kind.recurrent_rows, H)
            if options["bias"]:
                expected[f"bias_l{k}{direction}"] = (kind.gates * H,)
    assert {name: tuple(parameter.shape) for name, parameter in layer.named_parameters()} == expected
    assert list(layer.state_dict()) == list(expected)
    assert all(parameter.requires_grad for parameter in layer.parameters())


@each
def test_weights_start_xavier_uniform_for_each_gate(kind: Kind) -> None:
    features, units = 30, 40
    layer = kind.layer(features, units, num_layers=2, bidirectional=True)
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_ih") or (name.startswith("weight_hh") and kind.layer is not BRC):
            bound = math.sqrt(6 / (units + parameter.shape[1]))
            for gate in parameter.split(units):
                # Of at least 1,200 uniform numbers the largest falls short of the bound by 2 % once in 10^10 times.
                assert 0.98 * bound < gate.abs().max() <= bound
                assert gate.mean().abs() < 0.1 * bound


@each
def test_biases_start_at_zero(kind: Kind) -> None:
    layer = kind.layer(I, H, num_layers=2, bidirectional=True)
    biases = [parameter for name, parameter in layer.named_parameters() if name.startswith("bias")]
    assert len(biases) == 4 and not any(bias.any() for bias in biases)


def test_recurrent_weights_of_brc_start_at_one() -> None:
    layer = BRC(I, H, num_layers=2, bidirectional=True)
    weights = [parameter for name, parameter in layer.named_parameters() if name.startswith("weight_hh")]
    assert len(weights) == 4 and all((weight == 1).all() for weight in weights)


@each
def test_reset_parameters_draws_anew(kind: Kind) -> None:
    options: dict[str, Any] = {"num_layers": 2, "bidirectional": True}
    torch.manual_seed(1)
    layer = kind.layer(I, H, **options)
    before = [parameter.clone() for parameter in layer.parameters()]
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(7)
    torch.manual_seed(1)
    layer.reset_parameters()
    assert identical(tuple(layer.parameters()), tuple(before))
    layer.reset_parameters()
    assert not any(
        torch.equal(parameter, was)
        for (name, parameter), was in zip(layer.named_parameters(), before, strict=True)
        if name.startswith("weight_ih")
    )


@each
@pytest.mark.parametrize(("options", "expected"), [
    ({}, "(3, 5)"),
    ({"num_layers": 2}, "(3, 5, num_layers=2)"),
    ({"bias": False}, "(3, 5, bias=False)"),
    ({"batch_first": True}, "(3, 5, batch_first=True)"),
    ({"num_layers": 2, "dropout": 0.5}, "(3, 5, num_layers=2, dropout=0.5)"),
    ({"bidirectional": True}, "(3, 5, bidirectional=True)"),
    ({"num_layers": 2, "bias": False, "batch_first": True, "dropout": 0.5, "bidirectional": True},
     "(3, 5, num_layers=2, bias=False, batch_first=True, dropout=0.5, bidirectional=True)"),
])  # fmt: skip
def test_repr_is_that_of_gru(kind: Kind, options: dict[str, Any], expected: str) -> None:
    assert repr(kind.layer(I, H, **options)) == f"{kind.name}{expected}"
    assert repr(nn.GRU(I, H, **options)) == f"GRU{expected}"


@each
def test_attributes_are_those_of_gru(kind: Kind) -> None:
    arguments = (I, H, 2, False, True, 0.25, True)
    layer, gru = kind.layer(*arguments), nn.GRU(*arguments)
    for name in ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"):
        assert getattr(layer, name) == getattr(gru, name)


@each
@optional
@forms
@pytest.mark.parametrize("hx", [True, False], ids=["hx", "no hx"])
def test_results_have_the_form_of_grus_and_the_values_of_each_sequence_step_by_step(
    kind: Kind, options: dict[str, Any], form: str, hx: bool
) -> None:
    layer, x = make(kind, **options), input_of(form, options["batch_first"])
    state = state_of(form, len(layer._suffixes) * len(layer._suffixes[0])) if hx else None
    output, last = layer(x, state)
    gru_output, gru_last = here(nn.GRU(I, H, **options, dtype=torch.float64))(x, state)
    assert type(output) is type(gru_output) and data_of(output).shape == data_of(gru_output).shape
    assert last.shape == gru_last.shape
    if isinstance(gru_output, PackedSequence):
        equal(output[1:], gru_output[1:])
    alone = sequences(x, options["batch_first"])
    if state is None:
        state = torch.zeros_like(last)
    expected = [
        slow(kind, layer, one, h)
        for one, h in zip(alone, [state] if form == "single" else state.unbind(1), strict=True)
    ]
    equal(sequences(output, options["batch_first"]), [states[-1] for states, _ in expected])
    equal(last, expected[0][1] if form == "single" else torch.stack([end for _, end in expected], 1))


@each
@forms
def test_gradients_are_those_of_each_sequence_step_by_step(kind: Kind, form: str) -> None:
    layer, x = make(kind, num_layers=2, bidirectional=True), input_of(form)
    state = state_of(form, 4).requires_grad_()
    at = [state, *layer.parameters()]
    output, last = layer(x, state)
    states = [state] if form == "single" else state.unbind(1)
    expected = [slow(kind, layer, one, h) for one, h in zip(sequences(x, False), states, strict=True)]
    ours = sum(one.square().sum() for one in sequences(output, False)) + last.exp().sum()
    theirs = sum(states[-1].square().sum() + end.exp().sum() for states, end in expected)
    assert isinstance(theirs, Tensor)
    equal(torch.autograd.grad(ours, at), torch.autograd.grad(theirs, at))


@each
@forms
def test_gradient_of_the_input(kind: Kind, form: str) -> None:
    layer, x = make(kind, num_layers=2, bidirectional=True), input_of(form)
    data = data_of(x).requires_grad_()
    x = with_data(x, data)
    (ours,) = torch.autograd.grad([data_of(layer(x)[0]).square().sum()], data)
    ends = [slow(kind, layer, one, here(torch.zeros(4, H).double()))[0][-1] for one in sequences(x, False)]
    (theirs,) = torch.autograd.grad([end.square().sum() for end in ends], data)
    equal(ours, theirs)


def test_the_unsorted_sequences_tell_the_two_orders_apart() -> None:
    x = input_of("packed unsorted")
    assert not torch.equal(x.sorted_indices, x.unsorted_indices)


@each
def test_padded_batches_with_the_batch_first(kind: Kind) -> None:
    layer = make(kind, num_layers=2, bidirectional=True, batch_first=True)
    padded = random(B, T, I)
    x = pack_padded_sequence(padded, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    output, lengths = pad_packed_sequence(layer(x)[0], batch_first=True)
    assert lengths.tolist() == LENGTHS
    for b, length in enumerate(LENGTHS):
        equal(output[b, :length], layer(padded[b, :length])[0])
        assert not output[b, length:].any()


@each
@pytest.mark.parametrize("form", ["batched", "packed unsorted"])
@pytest.mark.parametrize("bidirectional", [True, False], ids=["bi", "uni"])
def test_dropout_lies_between_layers(kind: Kind, form: str, bidirectional: bool) -> None:
    layer, x = make(kind, num_layers=3, dropout=0.4, bidirectional=bidirectional), input_of(form)
    widths = [I, *[H * (2 if bidirectional else 1)] * 2]
    singles = [here(kind.layer(width, H, bidirectional=bidirectional, dtype=torch.float64)) for width in widths]
    for k, single in enumerate(singles):
        named = layer.named_parameters()
        single.load_state_dict({name.replace(f"_l{k}", "_l0"): value for name, value in named if f"_l{k}" in name})
    torch.manual_seed(1)
    output, last = layer(x)
    torch.manual_seed(1)
    passed, lasts = x, []
    for k, single in enumerate(singles):
        if k > 0:
            passed = with_data(passed, F.dropout(data_of(passed), 0.4))
        passed, end = single(passed)
        lasts.append(end)
    equal((data_of(output), last), (data_of(passed), torch.cat(lasts)))


@each
def test_dropout_of_everything_leaves_the_second_layer_without_input(kind: Kind) -> None:
    layer, x = make(kind, num_layers=2, dropout=1.0, bias=False), input_of("batched")
    output, last = layer(x, state_of("batched", 2))
    assert output.all() and torch.equal(last[1], output[-1])
    other = layer(x, torch.cat([state_of("batched", 1), here(torch.zeros(1, B, H).double())]))
    assert other[1][0].all() and not other[0].any()


@each
def test_dropout_is_off_in_evaluation(kind: Kind) -> None:
    layer, x = make(kind, num_layers=2, dropout=0.9), input_of("batched")
    trained = layer(x)
    layer.eval()
    found = layer(x)
    assert not torch.equal(found[0], trained[0])
    layer.dropout = 0.0
    assert identical(found, layer(x))


@each
def test_dropout_is_drawn_from_the_seed(kind: Kind) -> None:
    layer, x = make(kind, num_layers=2, dropout=0.5), input_of("batched")
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        runs.append(layer(x)[0])
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])


@each
def test_dropout_without_a_layer_after_it_warns(kind: Kind) -> None:
    message = (
        "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
        "greater than 1, but got dropout=0.5 and num_layers=1"
    )
    with pytest.warns(UserWarning, match=f"^{message}$") as caught:
        layer = kind.layer(I, H, dropout=0.5)
    with pytest.warns(UserWarning, match=f"^{message}$"):
        nn.GRU(I, H, dropout=0.5)
    assert caught[0].filename == __file__
    x = input_of("batched").float()
    assert identical(layer(x), layer(x))


def packed_of(*lengths: int, features: int = I, dtype: torch.dtype = torch.float32) -> PackedSequence:
    return pack_sequence([torch.zeros(length, features, dtype=dtype) for length in lengths], enforce_sorted=False)


# With "{}" for the layer's name.
WRONG_CALLS: dict[str, tuple[tuple[Any, ...], type[Exception], str]] = {
    "1-D input": ((torch.zeros(I),), ValueError, "{}: Expected input to be 2D or 3D, got 1D instead"),
    "4-D input": ((torch.zeros(T, B, I, 1),), ValueError, "{}: Expected input to be 2D or 3D, got 4D instead"),
    "wrong features": ((torch.zeros(T, B, 4),), RuntimeError,
        "{}: input.size(-1) must be equal to input_size. Expected 3, got 4"),
    "wrong features of a single sequence": ((torch.zeros(T, 2),), RuntimeError,
        "{}: input.size(-1) must be equal to input_size. Expected 3, got 2"),
    "wrong features of packed": ((packed_of(2, 3, features=7),), RuntimeError,
        "{}: input.size(-1) must be equal to input_size. Expected 3, got 7"),
    "packed 1-D": ((pack_sequence([torch.zeros(3), torch.zeros(2)]),), RuntimeError,
        "{}: Expected packed input to hold 2-D data, got 1-D"),
    "packed 3-D": ((pack_sequence([torch.zeros(3, I, 2)]),), RuntimeError,
        "{}: Expected packed input to hold 2-D data, got 3-D"),
    "no steps": ((torch.zeros(0, B, I),), RuntimeError, "{}: Expected sequence length to be larger than 0"),
    "no steps of a single sequence": ((torch.zeros(0, I),), RuntimeError,
        "{}: Expected sequence length to be larger than 0"),
    "input of float64": ((torch.zeros(T, B, I).double(),), ValueError,
        "RNN input dtype (torch.float64) does not match weight dtype (torch.float32). Convert input: "
        "input.to(torch.float32), or convert model: model.to(torch.float64)"),
    "input of integers": ((torch.zeros(T, B, I).long(),), ValueError,
        "RNN input dtype (torch.int64) does not match weight dtype (torch.float32). Convert input: "
        "input.to(torch.float32), or convert model: model.to(torch.int64)"),
    "packed input of float64": ((packed_of(2, 3, dtype=torch.float64),), ValueError,
        "RNN input dtype (torch.float64) does not match weight dtype (torch.float32). Convert input: "
        "input.to(torch.float32), or convert model: model.to(torch.float64)"),
    "hx of a single sequence": ((torch.zeros(T, B, I), torch.zeros(1, H)), RuntimeError,
        "For batched 3-D input, hx should also be 3-D but got 2-D tensor"),
    "hx of a batch": ((torch.zeros(T, I), torch.zeros(1, 1, H)), RuntimeError,
        "For unbatched 2-D input, hx should also be 2-D but got 3-D tensor"),
    "hx of too many layers": ((torch.zeros(T, B, I), torch.zeros(2, B, H)), RuntimeError,
        "{}: Expected hidden size (1, 4, 5), got [2, 4, 5]"),
    "hx of too many sequences": ((torch.zeros(T, B, I), torch.zeros(1, B + 1, H)), RuntimeError,
        "{}: Expected hidden size (1, 4, 5), got [1, 5, 5]"),
    "hx of too many units": ((torch.zeros(T, B, I), torch.zeros(1, B, H + 1)), RuntimeError,
        "{}: Expected hidden size (1, 4, 5), got [1, 4, 6]"),
    "hx of too many layers for a single sequence": ((torch.zeros(T, I), torch.zeros(2, H)), RuntimeError,
        "{}: Expected hidden size (1, 1, 5), got [2, 1, 5]"),
    "hx of too few sequences for packed": ((packed_of(2, 3), torch.zeros(1, 1, H)), RuntimeError,
        "{}: Expected hidden size (1, 2, 5), got [1, 1, 5]"),
    "hx of 2-D for packed": ((packed_of(2, 3), torch.zeros(2, H)), RuntimeError,
        "For packed input, hx should also be 3-D but got 2-D tensor"),
}  # fmt: skip
# Where `nn.GRU` fails with another type of error, from deeper within, or goes on.
WRONG_CALLS_OF_OURS: dict[str, tuple[tuple[Any, ...], type[Exception], str]] = {
    "input of lists": (([[0.0] * I],), TypeError, "{}: Expected input to be a tensor or a PackedSequence, got list"),
    "hx in a tuple": ((torch.zeros(T, B, I), (torch.zeros(1, B, H),)), TypeError,
        "{}: Expected hx to be a tensor, got tuple"),
    "hx of float64": ((torch.zeros(T, B, I), torch.zeros(1, B, H).double()), ValueError,
        "RNN hx dtype (torch.float64) does not match weight dtype (torch.float32). Convert hx: hx.to(torch.float32), "
        "or convert model: model.to(torch.float64)"),
    "hx of too many sequences for packed": ((packed_of(2, 3), torch.zeros(1, 3, H)), RuntimeError,
        "{}: Expected hidden size (1, 2, 5), got [1, 3, 5]"),
}  # fmt: skip
DROPOUT = "dropout should be a number in range [0, 1] representing the probability of an element being zeroed, got "
WRONG_ARGUMENTS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "input_size a float": ({"input_size": 3.0}, TypeError, "input_size should be of type int, got: float"),
    "input_size of numpy": ({"input_size": np.int64(3)}, TypeError, "input_size should be of type int, got: int64"),
    "input_size zero": ({"input_size": 0}, ValueError, "input_size must be greater than zero, got 0"),
    "hidden_size a string": ({"hidden_size": "5"}, TypeError, "hidden_size should be of type int, got: str"),
    "hidden_size negative": ({"hidden_size": -1}, ValueError, "hidden_size must be greater than zero, got -1"),
    "num_layers a float": ({"num_layers": 2.0}, TypeError, "num_layers should be of type int, got: float"),
    "num_layers zero": ({"num_layers": 0}, ValueError, "num_layers must be greater than zero, got 0"),
    "bias an int": ({"bias": 1}, TypeError, "bias should be of type bool, got: int"),
    "batch_first None": ({"batch_first": None}, TypeError, "batch_first should be of type bool, got: NoneType"),
    "dropout negative": ({"dropout": -0.1}, ValueError, f"{DROPOUT}-0.1"),
    "dropout above one": ({"dropout": 1.1}, ValueError, f"{DROPOUT}1.1"),
    "dropout not a number": ({"dropout": math.nan}, ValueError, f"{DROPOUT}nan"),
    "dropout a string": ({"dropout": "0.5"}, ValueError, f"{DROPOUT}'0.5'"),
    "dropout a bool": ({"dropout": True}, ValueError, f"{DROPOUT}True"),
    "unknown": ({"nonlinearity": "relu"}, TypeError, "unexpected keyword argument 'nonlinearity'"),
}
# Where `nn.GRU` fails with another type of error, or goes on.
WRONG_ARGUMENTS_OF_OURS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "input_size a bool": ({"input_size": True}, TypeError, "input_size should be of type int, got: bool"),
    "num_layers a bool": ({"num_layers": True}, TypeError, "num_layers should be of type int, got: bool"),
    "bidirectional an int": ({"bidirectional": 1}, TypeError, "bidirectional should be of type bool, got: int"),
    "dropout None": ({"dropout": None}, ValueError, f"{DROPOUT}None"),
}


def exactly(message: str, kind: Kind) -> str:
    return f"{re.escape(message.format(kind.name))}$"


@each
@pytest.mark.parametrize(
    "wrong", [*WRONG_CALLS.values(), *WRONG_CALLS_OF_OURS.values()], ids=[*WRONG_CALLS, *WRONG_CALLS_OF_OURS]
)
def test_wrong_calls(kind: Kind, wrong: tuple[tuple[Any, ...], type[Exception], str]) -> None:
    arguments, error, message = wrong
    with pytest.raises(error, match=f"^{exactly(message, kind)}"):
        kind.layer(I, H)(*arguments)


@pytest.mark.parametrize("wrong", WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_wrong_calls_of_gru_raise_the_same(wrong: tuple[tuple[Any, ...], type[Exception], str]) -> None:
    arguments, error, _ = wrong
    with pytest.raises(error) as raised:
        nn.GRU(I, H)(*arguments)
    assert raised.type is error


@each
@pytest.mark.parametrize(
    "wrong",
    [*WRONG_ARGUMENTS.values(), *WRONG_ARGUMENTS_OF_OURS.values()],
    ids=[*WRONG_ARGUMENTS, *WRONG_ARGUMENTS_OF_OURS],
)
def test_wrong_arguments(kind: Kind, wrong: tuple[dict[str, Any], type[Exception], str]) -> None:
    arguments, error, message = wrong
    with pytest.raises(error, match=exactly(message, kind)):
        kind.layer(**{"input_size": I, "hidden_size": H, **arguments})


@pytest.mark.parametrize("wrong", WRONG_ARGUMENTS.values(), ids=WRONG_ARGUMENTS)
def test_wrong_arguments_of_gru_raise_the_same(wrong: tuple[dict[str, Any], type[Exception], str]) -> None:
    arguments, error, _ = wrong
    with pytest.raises(error) as raised:
        nn.GRU(**{"input_size": I, "hidden_size": H, **arguments})
    assert raised.type is error


@each
@pytest.mark.parametrize("bidirectional", [True, False], ids=["bi", "uni"])
def test_no_sequences_give_no_outputs(kind: Kind, bidirectional: bool) -> None:
    layer, gru = (here(type_(I, H, num_layers=2, bidirectional=bidirectional)) for type_ in (kind.layer, nn.GRU))
    output, last = layer(here(torch.zeros(T, 0, I)))
    gru_output, gru_last = gru(here(torch.zeros(T, 0, I)))
    assert output.shape == gru_output.shape and last.shape == gru_last.shape
    (output.sum() + last.sum()).backward()
    assert not any(parameter.grad is None or parameter.grad.any() for parameter in layer.parameters())


@each
@forms
def test_outputs_may_be_changed_in_place(kind: Kind, form: str) -> None:
    layer, x = make(kind), input_of(form)
    expected, _ = layer(x)
    output, _ = layer(x)
    assert torch.equal(data_of(output).mul_(2), 2 * data_of(expected))


@each
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["uni", "bi"])
def test_outputs_changed_in_place_give_the_gradients_of_those_changed_otherwise(
    kind: Kind, num_layers: int, bidirectional: bool
) -> None:
    layer = here(kind.layer(I, H, num_layers, bidirectional=bidirectional, dtype=torch.float64))
    inputs = input_of("batched")
    expected = torch.autograd.grad(layer(inputs)[0].mul(2).square().sum(), list(layer.parameters()))
    equal(torch.autograd.grad(layer(inputs)[0].mul_(2).square_().sum(), list(layer.parameters())), expected)


@each
def test_tensors_elsewhere_are_refused(kind: Kind) -> None:
    layer, inputs = make(kind), input_of("batched")
    with pytest.raises(ValueError, match=rf"RNN input device \(meta\) does not match weight device \({current()}"):
        layer(inputs.to("meta"))
    with pytest.raises(ValueError, match=rf"RNN input device \({current()}.* does not match weight device \(meta\)"):
        layer.to("meta")(inputs)
    layer = here(kind.layer(I, H, dtype=torch.float64))
    with pytest.raises(ValueError, match=rf"RNN hx device \(meta\) does not match weight device \({current()}"):
        layer(inputs, torch.zeros(1, inputs.shape[1], H, dtype=torch.float64, device="meta"))


@each
@pytest.mark.filterwarnings("ignore:Complex modules are a new feature")
def test_types_that_are_not_floating_point_are_refused(kind: Kind) -> None:
    with pytest.raises(TypeError, match="dtype should be a floating-point type, got: torch.complex64"):
        kind.layer(I, H, dtype=torch.complex64)
    layer = kind.layer(I, H).to(torch.complex64)
    with pytest.raises(TypeError, match="must be of a floating-point type, got torch.complex64"):
        layer(torch.zeros(T, B, I, dtype=torch.complex64))


@each
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype stage")
def test_nested_tensors_are_refused(kind: Kind) -> None:
    nested = torch.nested.nested_tensor([torch.zeros(2, I), torch.zeros(3, I)])
    with pytest.raises(TypeError, match="Expected input to be a dense tensor or a PackedSequence, got a nested tensor"):
        kind.layer(I, H, batch_first=True)(nested)


@each
@pytest.mark.parametrize("dropout", [0, 1, 0.5, np.float32(0.5), np.float64(0.5), Fraction(1, 2)])
def test_dropout_may_be_any_type_of_number(kind: Kind, dropout: Any) -> None:
    found = kind.layer(I, H, num_layers=2, dropout=dropout).dropout
    assert type(found) is float and found == nn.GRU(I, H, num_layers=2, dropout=dropout).dropout


def options_of_all() -> dict[str, Any]:
    return {"num_layers": 2, "bidirectional": True, "dropout": 0.5, "batch_first": True}


@each
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
@pytest.mark.parametrize("used", [True, False], ids=["used", "new"])
def test_copies(kind: Kind, copied: Callable[[RecurrentLayer], RecurrentLayer], used: bool) -> None:
    layer, x = make(kind, **options_of_all()).eval(), input_of("batched", batch_first=True)
    if used:
        layer(x)[0].sum().backward()
    other = copied(layer)
    assert repr(other) == repr(layer) and not other.training
    assert identical(other(x), layer(x))
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert all(parameter.any() for parameter in layer.parameters())


@each
def test_state_dict_round_trip(kind: Kind, tmp_path: Path) -> None:
    layer, other = make(kind, **options_of_all()), make(kind, **options_of_all())
    torch.save(layer.state_dict(), tmp_path / "layer.pt")
    other.load_state_dict(torch.load(tmp_path / "layer.pt", weights_only=True), strict=True)
    x = input_of("batched", batch_first=True)
    assert identical(other.eval()(x), layer.eval()(x))


@each
def test_state_dict_of_another_layer_is_refused(kind: Kind) -> None:
    with pytest.raises(RuntimeError, match=r'Unexpected key\(s\) in state_dict: "weight_ih_l0_reverse"'):
        make(kind).load_state_dict(make(kind, bidirectional=True).state_dict())


@each
def test_double_converts_everything(kind: Kind) -> None:
    layer = here(kind.layer(I, H, num_layers=2).double())
    output, last = layer(input_of("batched"))
    assert {parameter.dtype for parameter in layer.parameters()} == {output.dtype, last.dtype} == {torch.float64}


@each
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_shorter_dtypes(kind: Kind, dtype: torch.dtype) -> None:
    layer = here(kind.layer(I, H, num_layers=2, bidirectional=True, dtype=dtype))
    output, last = layer(input_of("batched").to(dtype))
    output.sum().backward()
    gradients = {parameter.grad.dtype for parameter in layer.parameters() if parameter.grad is not None}
    assert gradients == {output.dtype, last.dtype} == {dtype}


@each
@forms
def test_on_the_meta_device_shapes_alone_are_known(kind: Kind, form: str) -> None:
    layer, x = make(kind, num_layers=2, bidirectional=True), input_of(form)
    output, last = layer(x)
    meta_output, meta_last = layer.to("meta")(with_data(x, data_of(x).to("meta")))
    assert data_of(meta_output).is_meta and meta_last.is_meta
    assert (data_of(meta_output).shape, meta_last.shape) == (data_of(output).shape, last.shape)


@each
def test_a_layer_made_on_the_meta_device_can_be_drawn_elsewhere(kind: Kind) -> None:
    layer = kind.layer(I, H, num_layers=2, device="meta").to_empty(device=current())
    torch.manual_seed(1)
    layer.reset_parameters()
    torch.manual_seed(1)
    assert identical(tuple(layer.parameters()), tuple(kind.layer(I, H, num_layers=2).parameters()))


@each
def test_reparametrised_weights(kind: Kind) -> None:
    plain = make(kind)
    layer: Any = nn.utils.parametrizations.weight_norm(copy.deepcopy(plain), "weight_hh_l0")
    x = input_of("batched")
    equal(layer(x), plain(x))
    layer.parametrizations.weight_hh_l0.original0.data.mul_(2)
    plain.weights("_l0")[1].data.mul_(2)
    equal(layer(x), plain(x))
    layer(x)[0].sum().backward()
    assert layer.parametrizations.weight_hh_l0.original0.grad.all()


@each
def test_functional_call(kind: Kind) -> None:
    layer, other, x = make(kind, num_layers=2), make(kind, num_layers=2), input_of("batched")
    found = torch.func.functional_call(layer, other.state_dict(), (x,))
    assert identical(found, other(x)) and not identical(found, layer(x))


@each
def test_vmap_over_inputs(kind: Kind) -> None:
    layer, xs = make(kind, num_layers=2, bidirectional=True), random(3, T, B, I)
    found = torch.func.vmap(layer)(xs)
    equal(found, tuple(torch.stack(parts) for parts in zip(*(layer(x) for x in xs), strict=True)))


@each
def test_vmap_over_parameters(kind: Kind) -> None:
    layers, x = [make(kind) for _ in range(3)], input_of("batched")
    parameters, _ = torch.func.stack_module_state(layers)
    found = torch.func.vmap(lambda own: torch.func.functional_call(layers[0], own, (x,)))(parameters)
    equal(found, tuple(torch.stack(parts) for parts in zip(*(layer(x) for layer in layers), strict=True)))


@each
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("packed", [False, True], ids=["batched", "packed unsorted"])
def test_numeric_gradients_of_bidirectional_stacks(kind: Kind, bias: bool, packed: bool) -> None:
    layer = make(kind, num_layers=2, bidirectional=True, bias=bias)
    names, parameters = zip(*layer.named_parameters(), strict=True)
    given, hx = input_of("packed unsorted" if packed else "batched"), random(4, len(LENGTHS) if packed else B, H)

    def function(data: Tensor, hx: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensor]:
        inputs = given._replace(data=data) if packed else data
        weights = dict(zip(names, parameters, strict=True))
        outputs, last = torch.func.functional_call(layer, weights, (inputs, hx))
        return outputs.data if packed else outputs, last

    at = [(given.data if packed else given).requires_grad_(), hx.requires_grad_(), *parameters]
    assert torch.autograd.gradcheck(function, at, fast_mode=True)


@each
def test_derivatives_under_func_transforms(kind: Kind) -> None:
    layer, x = make(kind), input_of("batched")

    def answer(at: Tensor) -> Tensor:
        return cast("Tensor", layer(at)[0].sum(0))

    expected = torch.autograd.functional.jacobian(answer, x)
    equal(torch.func.jacrev(answer)(x), expected)
    equal(torch.autograd.functional.jacobian(answer, x, vectorize=True), expected)
    equal(torch.func.grad(lambda at: answer(at).sum())(x), expected.sum(tuple(range(expected.dim() - x.dim()))))


@each
def test_gradients_of_each_sample(kind: Kind) -> None:
    layer = make(kind)
    parameters: dict[str, Tensor] = dict(make(kind).named_parameters())
    samples = torch.stack([input_of("batched") for _ in range(3)])

    def loss(parameters: dict[str, Tensor], at: Tensor) -> Tensor:
        return cast("Tensor", torch.func.functional_call(layer, parameters, (at,))[0].square().sum())

    per_sample = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, samples)
    for k, sample in enumerate(samples):
        expected = torch.autograd.grad(loss(parameters, sample), list(parameters.values()))
        equal([of[k] for of in per_sample.values()], list(expected))


@each
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own, when a dual tensor is first made
def test_second_derivatives_under_func_transforms_are_refused(kind: Kind) -> None:
    layer, x = make(kind), input_of("batched")
    with pytest.raises(NotImplementedError, match="has no second derivative"):
        torch.func.jacrev(torch.func.jacrev(lambda at: layer(at)[0].sum()))(x)
    with pytest.raises(NotImplementedError, match="has no forward-mode derivative"):
        torch.func.hessian(lambda at: layer(at)[0].sum())(x)


@each
def test_flatten_parameters_does_nothing(kind: Kind) -> None:
    layer = make(kind)
    before = [(id(parameter), parameter.data_ptr()) for parameter in layer.parameters()]
    assert layer.flatten_parameters() is None  # type: ignore[func-returns-value]
    assert [(id(parameter), parameter.data_ptr()) for parameter in layer.parameters()] == before


@each
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_autocast_keeps_states_in_the_dtype_of_the_weights(kind: Kind, dtype: torch.dtype) -> None:
    layer, x = here(kind.layer(I, H, num_layers=2, bidirectional=True)), input_of("batched").to(dtype)
    state = state_of("batched", 4).to(dtype)
    with torch.autocast(current().type, torch.bfloat16):
        found = layer(x, state)
    assert identical(found, layer(x.float(), state.float()))


@each
def test_autocast_changes_nothing_for_inputs_of_the_weights_dtype(kind: Kind) -> None:
    layer, x = here(kind.layer(I, H, num_layers=2, bidirectional=True)), input_of("batched").float()
    with torch.autocast(current().type, torch.bfloat16):
        found = layer(x)
    assert identical(found, layer(x))


@each
def test_autocast_refuses_integers(kind: Kind) -> None:
    with (
        torch.autocast(current().type, torch.bfloat16),
        pytest.raises(ValueError, match=r"RNN input dtype \(torch.int64\) does not match weight dtype"),
    ):
        here(kind.layer(I, H))(here(torch.zeros(T, B, I, dtype=torch.long)))


@each
def test_backward_passes_inside_autocast(kind: Kind) -> None:
    layer, x = here(kind.layer(I, H, num_layers=2)), input_of("batched").bfloat16().requires_grad_()
    at = [x, *layer.parameters()]
    outside = torch.autograd.grad(layer(x.float())[0].square().sum(), at)
    with torch.autocast(current().type, torch.bfloat16):
        inside = torch.autograd.grad(layer(x)[0].square().sum(), at)
    for one, other in zip(inside, outside, strict=True):
        # Matrix products of numbers rounded to eight bits.
        assert one.dtype == other.dtype
        assert (one - other).abs().max() <= 0.05 * other.abs().max()


@each
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.slow
def test_compiled_layers_are_the_same(kind: Kind, training: bool) -> None:
    torch.compiler.reset()
    layer = make(kind, **options_of_all()).train(training)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    runs = []
    for call in (layer, compiled):
        torch.manual_seed(1)
        x, state = input_of("batched", batch_first=True).requires_grad_(), state_of("batched", 4).requires_grad_()
        output, last = call(x, state)
        at = [x, state, *layer.parameters()]
        runs.append([output, last, *torch.autograd.grad(output.square().sum() + last.exp().sum(), at)])
    equal(*runs)


def nodes(exported: torch.export.ExportedProgram, name: str) -> int:
    return sum(node.target == getattr(torch.ops.multistable, name).default for node in exported.graph.nodes)


@each
def test_exported_layers_hold_one_node_for_each_direction(kind: Kind) -> None:
    layer = make(kind, **options_of_all()).eval()
    x, state = input_of("batched", batch_first=True), state_of("batched", 4)
    exported = torch.export.export(layer, (x, state))
    assert nodes(exported, kind.name.lower()) == 4
    assert identical(exported.module()(x, state), layer(x, state))


@each
def test_exported_layers_take_any_length_and_batch(kind: Kind, tmp_path: Path) -> None:
    layer = make(kind, **options_of_all()).eval()
    batch, length = torch.export.Dim("batch", min=1), torch.export.Dim("length", min=1)
    exported = torch.export.export(
        layer, (random(B, T, I), state_of("batched", 4)), dynamic_shapes=({0: batch, 1: length}, {1: batch})
    )
    assert nodes(exported, kind.name.lower()) == 4
    torch.export.save(exported, tmp_path / "layer.pt2")
    loaded = torch.export.load(tmp_path / "layer.pt2").module()
    for sequence_count, steps in ((B, T), (1, 9), (7, 1)):
        x, state = random(sequence_count, steps, I), random(4, sequence_count, H)
        assert identical(loaded(x, state), layer(x, state))


@each
@forms
def test_nothing_global_changes(kind: Kind, form: str) -> None:
    layers = [make(kind, num_layers=2, dropout=0.5).eval(), make(kind, num_layers=2)]
    x = input_of(form)
    before = torch.get_rng_state(), torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads()
    for layer in layers:
        output, _ = layer(x)
        data_of(output).sum().backward()
    after = torch.get_rng_state(), torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads()
    assert torch.equal(before[0], after[0]) and before[1:] == after[1:]


@each
def test_calls_leave_no_trace(kind: Kind) -> None:
    layer, x = make(kind, num_layers=2), input_of("batched")
    before, first = pickle.dumps(layer), layer(x)
    layer(input_of("packed unsorted"), state_of("packed unsorted", 2))
    assert pickle.dumps(layer) == before
    assert identical(layer(x), first)
