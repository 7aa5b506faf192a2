"""`DoubleLayer`: two modules of the layer type side by side, of which a warmup changes the first."""

import copy
import re
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from multistable import measure, warmup
from multistable.dynamics import dynamics
from multistable.nn import BRC, GRU, LSTM, MGU, NBRC, DoubleLayer
from multistable.nn._layer import RecurrentLayer

I, H, B, T = 3, 7, 4, 5

TYPES = [nn.RNN, nn.GRU, nn.LSTM, GRU, LSTM, MGU, BRC, NBRC]
every_type = pytest.mark.parametrize("layer_type", TYPES)
one_or_both = pytest.mark.parametrize("bidirectional", [True, False], ids=["bi", "uni"])
bits = torch.equal
equal = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-12)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def inputs_of(batch_size: int = B) -> Tensor:
    return torch.randn(T, batch_size, I)


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(module: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


def as_tuple(state: Any) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


class TestConstructor:
    @pytest.mark.parametrize(
        ("hidden_size", "warm", "first"),
        [
            (6, 0.5, 3),
            (7, 0.5, 4),
            (5, 0.5, 2),  # Python rounds halves to even
            (7, 0.3, 2),
            (7, 0.2, 1),
            (7, 0.01, 1),
            (7, 0.99, 6),
            (2, 0.01, 1),
            (2, 0.99, 1),
            (10, 0.8, 8),
        ],
    )
    def test_sizes_of_the_parts(self, hidden_size: int, warm: float, first: int) -> None:
        double = DoubleLayer(nn.GRU, I, hidden_size, num_layers=3, warm=warm)
        assert [part.hidden_size for part in double.first] == [first] * 3
        assert [part.hidden_size for part in double.second] == [hidden_size - first] * 3
        assert [part.input_size for part in [*double.first, *double.second]] == [I, hidden_size, hidden_size] * 2
        assert (double.input_size, double.hidden_size, double.num_layers, double.warm) == (I, hidden_size, 3, warm)

    @one_or_both
    def test_a_layer_receives_all_that_the_one_below_passes_on(self, bidirectional: bool) -> None:
        double = DoubleLayer(nn.GRU, I, H, num_layers=2, bidirectional=bidirectional)
        assert [part.input_size for part in double.layers[1]] == [2 * H if bidirectional else H] * 2

    @every_type
    def test_every_option_reaches_the_parts(self, layer_type: Any) -> None:
        options: dict[str, Any] = {"bias": False, "batch_first": True, "bidirectional": True, "dtype": torch.float64}
        double = DoubleLayer(layer_type, I, H, num_layers=2, dropout=0.25, device="meta", **options)
        plain = DoubleLayer(layer_type, I, H)
        for part in [*double.first, *double.second]:
            assert type(part) is layer_type
            assert (part.bias, part.batch_first, part.bidirectional) == (False, True, True)
            assert (part.num_layers, part.dropout) == (1, 0)
        assert all(one.is_meta and one.dtype == torch.float64 for one in double.parameters())
        assert not any("bias" in name for name, _ in double.named_parameters())
        assert (double.bias, double.batch_first, double.bidirectional, double.dropout) == (False, True, True, 0.25)
        assert (plain.bias, plain.batch_first, plain.bidirectional, plain.dropout) == (True, False, False, 0.0)
        assert (plain.num_layers, plain.warm, plain.layer_type) == (1, 0.5, layer_type)

    def test_nonlinearity(self) -> None:
        double = DoubleLayer(nn.RNN, I, H, nonlinearity="relu")
        assert {part.nonlinearity for part in [*double.first, *double.second]} == {"relu"}
        assert double(inputs_of())[0].min() == 0

    def test_a_subclass_of_a_layer_type(self) -> None:
        class Own(BRC):
            pass

        double = DoubleLayer(Own, I, H)
        assert {type(part) for part in [*double.first, *double.second]} == {Own}
        assert [part.name for part in dynamics(double)] == ["first.0.l0", "second.0.l0"]

    def test_layers_pairs_the_parts(self) -> None:
        double = DoubleLayer(nn.GRU, I, H, num_layers=2)
        assert double.layers == [(double.first[0], double.second[0]), (double.first[1], double.second[1])]

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"layer_type": nn.Linear}, TypeError, "layer_type should be a type of recurrent layer, .*got: .*Linear"),
            ({"layer_type": nn.GRUCell}, TypeError, "layer_type should be a type of recurrent layer, .*GRUCell"),
            ({"layer_type": nn.RNNBase}, TypeError, "layer_type should be a type of recurrent layer, .*RNNBase"),
            ({"layer_type": DoubleLayer}, TypeError, "layer_type should be a type of recurrent layer, .*DoubleLayer"),
            ({"layer_type": nn.GRU(I, H)}, TypeError, r"layer_type should be a type of .*got: GRU\(3, 7\)"),
            ({"layer_type": BRC(I, H)}, TypeError, r"layer_type should be a type of .*got: BRC\(3, 7\)"),
            ({"layer_type": "GRU"}, TypeError, "layer_type should be a type of recurrent layer, .*got: 'GRU'"),
            ({"layer_type": None}, TypeError, "layer_type should be a type of recurrent layer, .*got: None"),
            ({"layer_type": RecurrentLayer}, TypeError, "should be one of the layers themselves, got: RecurrentLayer"),
            ({"layer_type": nn.LSTM, "proj_size": 2}, ValueError, "proj_size is not supported"),
            ({"warm": 0}, ValueError, "warm must lie between 0 and 1, so that both parts have units, got 0"),
            ({"warm": 1.0}, ValueError, "warm must lie between 0 and 1, .*got 1.0"),
            ({"warm": -1}, ValueError, "warm must lie between 0 and 1, .*got -1"),
            ({"warm": float("nan")}, ValueError, "warm must lie between 0 and 1, .*got nan"),
            ({"warm": "a"}, TypeError, "warm should be a number, got: str"),
            ({"warm": True}, TypeError, "warm should be a number, got: bool"),
            ({"hidden_size": 1}, ValueError, "hidden_size must be at least 2, one unit for each part, got 1"),
            ({"hidden_size": 0}, ValueError, "hidden_size must be greater than zero, got 0"),
            ({"hidden_size": 2.5}, TypeError, "hidden_size should be of type int, got: float"),
            ({"hidden_size": True}, TypeError, "hidden_size should be of type int, got: bool"),
            ({"num_layers": 0}, ValueError, "num_layers must be greater than zero, got 0"),
            ({"num_layers": 2.0}, TypeError, "num_layers should be of type int, got: float"),
            ({"input_size": 0}, ValueError, "input_size must be greater than zero"),
            ({"input_size": 2.5}, TypeError, "input_size should be of type int, got: float"),
            ({"dropout": 1.5}, ValueError, r"dropout should be a number in range \[0, 1\] .*got 1.5"),
            ({"dropout": True}, ValueError, r"dropout should be a number in range \[0, 1\] .*got True"),
            ({"bias": 1}, TypeError, "bias should be of type bool, got: int"),
            ({"batch_first": 1}, TypeError, "batch_first should be of type bool, got: int"),
            ({"layer_type": BRC, "bidirectional": 1}, TypeError, "bidirectional should be of type bool, got: int"),
            ({"cells": 2}, TypeError, "unexpected keyword argument 'cells'"),
            ({"nonlinearity": "relu"}, TypeError, "unexpected keyword argument 'nonlinearity'"),
            ({"layer_type": BRC, "nonlinearity": "relu"}, TypeError, "unexpected keyword argument 'nonlinearity'"),
            ({"layer_type": nn.RNN, "nonlinearity": "sine"}, ValueError, "Unknown nonlinearity 'sine'"),
        ],
    )
    def test_bad_arguments(self, options: dict[str, Any], error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            DoubleLayer(**{"layer_type": nn.GRU, "input_size": I, "hidden_size": H, **options})

    def test_dropout_on_a_single_layer_warns_once(self) -> None:
        with pytest.warns(UserWarning, match="dropout=0.5 and num_layers=1") as caught:
            DoubleLayer(nn.GRU, I, H, dropout=0.5)
        assert [warning.filename for warning in caught] == [__file__]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            DoubleLayer(nn.GRU, I, H, num_layers=2, dropout=0.5)


def side_by_side(double: DoubleLayer, inputs: Tensor, starts: list[Any]) -> tuple[Tensor, list[Any]]:
    """Outputs and last states of two stacks of modules that share their inputs, from what each part starts from."""
    ends = []
    for k in range(double.num_layers):
        left, end_of_left = double.first[k](inputs, starts[2 * k])
        right, end_of_right = double.second[k](inputs, starts[2 * k + 1])
        ends += [end_of_left, end_of_right]
        if double.bidirectional:
            n, m = double.first[k].hidden_size, double.second[k].hidden_size
            inputs = torch.cat([left[..., :n], right[..., :m], left[..., n:], right[..., m:]], -1)
        else:
            inputs = torch.cat([left, right], -1)
    return inputs, ends


def whole_state(ends: list[Any]) -> tuple[Tensor, ...]:
    """The parts' states as those of the double layer, in a tuple."""
    rows = [
        [torch.cat(pair, -1) for pair in zip(as_tuple(left), as_tuple(right), strict=True)]
        for left, right in zip(ends[::2], ends[1::2], strict=True)
    ]
    return tuple(torch.cat(row) for row in zip(*rows, strict=True))


class TestForward:
    @every_type
    @one_or_both
    @pytest.mark.parametrize("warm", [0.5, 0.3])
    def test_two_modules_side_by_side(self, layer_type: Any, bidirectional: bool, warm: float) -> None:
        double = DoubleLayer(
            layer_type, I, H, num_layers=2, warm=warm, bidirectional=bidirectional, dtype=torch.float64
        )
        directions = 2 if bidirectional else 1
        starts = []
        part: Any
        for part in [part for parts in double.layers for part in parts]:
            h, c = torch.randn(2, directions, B, part.hidden_size, dtype=torch.float64)
            starts.append((h, c) if layer_type in (nn.LSTM, LSTM) else h)
        hx: Any = whole_state(starts)
        inputs = inputs_of().double()
        for results, (outputs, ends) in (
            (double(inputs, hx if layer_type in (nn.LSTM, LSTM) else hx[0]), side_by_side(double, inputs, starts)),
            (double(inputs), side_by_side(double, inputs, [None] * 4)),
        ):
            assert isinstance(results[1], tuple) == (layer_type in (nn.LSTM, LSTM))
            equal((results[0], as_tuple(results[1])), (outputs, whole_state(ends)))

    @every_type
    def test_outputs_are_direction_by_direction_as_the_layer_types(self, layer_type: Any) -> None:
        double = DoubleLayer(layer_type, I, H, bidirectional=True)
        outputs, last = double(inputs_of())
        forward, reverse = as_tuple(last)[0]
        assert bits(outputs[-1, :, :H], forward)
        assert bits(outputs[0, :, H:], reverse)

    @every_type
    def test_the_state_of_a_single_sequence(self, layer_type: Any) -> None:
        double, inputs = DoubleLayer(layer_type, I, H, num_layers=2, bidirectional=True), inputs_of()
        h, c = torch.randn(2, 4, B, H)
        outputs, last = double(inputs, (h, c) if layer_type in (nn.LSTM, LSTM) else h)
        row = double(inputs[:, 2], (h[:, 2], c[:, 2]) if layer_type in (nn.LSTM, LSTM) else h[:, 2])
        torch.testing.assert_close(row[0], outputs[:, 2])
        torch.testing.assert_close(as_tuple(row[1]), tuple(one[:, 2] for one in as_tuple(last)))

    @every_type
    @pytest.mark.parametrize("packed", [True, False])
    def test_dropout_falls_on_both_parts_together_between_layers(self, layer_type: Any, packed: bool) -> None:
        double = DoubleLayer(layer_type, I, H, num_layers=3, dropout=0.4)
        inputs: Any = inputs_of()
        if packed:
            inputs = pack_padded_sequence(inputs, torch.tensor([2, 5, 3, 3]), enforce_sorted=False)
        torch.manual_seed(1)
        outputs, _ = double(inputs)
        torch.manual_seed(1)
        for k, (first, second) in enumerate(double.layers):
            if k > 0:
                dropped = F.dropout(inputs.data if packed else inputs, 0.4)
                inputs = inputs._replace(data=dropped) if packed else dropped
            left, right = first(inputs)[0], second(inputs)[0]
            beside = torch.cat([left.data, right.data] if packed else [left, right], -1)
            inputs = left._replace(data=beside) if packed else beside
        assert bits(outputs.data, inputs.data)
        assert isinstance(outputs, PackedSequence) == packed

    @every_type
    @pytest.mark.parametrize(
        "shape",
        [(1, B, H), (2, B + 1, H), (2, B, 4), (2, B, H + 1), (4, B, H), (2, H + 1), (2,), (2, 1, B, H)],
        ids=str,
    )
    def test_a_state_of_the_wrong_shape(self, layer_type: Any, shape: tuple[int, ...]) -> None:
        double, h = DoubleLayer(layer_type, I, H, num_layers=2), torch.zeros(shape)
        message = f"DoubleLayer: Expected hidden size (2, {B}, {H}), got {list(shape)}"
        with pytest.raises(RuntimeError, match=re.escape(message)):
            double(inputs_of(), (h, h) if layer_type in (nn.LSTM, LSTM) else h)

    def test_the_cell_state_is_checked_too(self) -> None:
        h, c = torch.zeros(1, B, H), torch.zeros(1, B, H - 1)
        with pytest.raises(RuntimeError, match=r"DoubleLayer: Expected hidden size .*got \[1, 4, 6\]"):
            DoubleLayer(nn.LSTM, I, H)(inputs_of(), (h, c))

    @every_type
    def test_a_state_of_another_batch_size_or_rank(self, layer_type: Any) -> None:
        double = DoubleLayer(layer_type, I, H)
        for inputs, h, message in (
            (inputs_of(), torch.zeros(1, B + 1, H), r"Expected hidden size \(1, 4, 7\), got \[1, 5, 7\]"),
            (inputs_of(), torch.zeros(1, H), r"Expected hidden size \(1, 4, 7\), got \[1, 7\]"),
            (inputs_of()[:, 0], torch.zeros(1, 1, H), r"Expected hidden size \(1, 7\), got \[1, 1, 7\]"),
        ):
            with pytest.raises(RuntimeError, match=message):
                double(inputs, (h, h) if layer_type in (nn.LSTM, LSTM) else h)

    @pytest.mark.parametrize("layer_type", [nn.RNN, nn.GRU, MGU, BRC, NBRC])
    @pytest.mark.parametrize(("kind", "got"), [
        (lambda h: (h, h), "tuple of Tensor, Tensor"), (lambda h: (h,), "tuple of Tensor"),
        (lambda h: [h], "list of Tensor"), (lambda h: (), "tuple of nothing"), (lambda h: "h", "str"),
        (lambda h: 0.0, "float"),
    ], ids=["pair", "single", "list", "empty", "text", "number"])  # fmt: skip
    def test_a_state_that_is_no_tensor(self, layer_type: Any, kind: Callable[[Tensor], Any], got: str) -> None:
        message = f"^DoubleLayer: Expected hx to be a tensor for {layer_type.__name__}, got {got}$"
        with pytest.raises(TypeError, match=message):
            DoubleLayer(layer_type, I, H)(inputs_of(), kind(torch.zeros(1, B, H)))

    @pytest.mark.parametrize(("kind", "got"), [
        (lambda h: h, "Tensor"), (lambda h: torch.cat([h, h]), "Tensor"), (lambda h: (h,), "tuple of Tensor"),
        (lambda h: (h, h, h), "tuple of Tensor, Tensor, Tensor"), (lambda h: (), "tuple of nothing"),
        (lambda h: (h, None), "tuple of Tensor, NoneType"), (lambda h: "hc", "str"),
    ], ids=["tensor", "tensor of two", "single", "triple", "empty", "half", "text"])  # fmt: skip
    def test_an_lstms_state_that_is_no_pair(self, kind: Callable[[Tensor], Any], got: str) -> None:
        message = f"^DoubleLayer: Expected hx to be a tuple of two tensors for LSTM, got {got}$"
        with pytest.raises(TypeError, match=message):
            DoubleLayer(nn.LSTM, I, H)(inputs_of(), kind(torch.zeros(1, B, H)))

    def test_a_tensor_of_two_states_is_no_pair_for_a_single_sequence(self) -> None:
        double = DoubleLayer(nn.LSTM, I, H, bidirectional=True)
        with pytest.raises(TypeError, match="DoubleLayer: Expected hx to be a tuple of two tensors for LSTM"):
            double(inputs_of()[:, 0], torch.zeros(2, 2, H))

    def test_an_lstms_state_as_a_list(self) -> None:
        double, inputs, (h, c) = DoubleLayer(nn.LSTM, I, H), inputs_of(), torch.randn(2, 1, B, H)
        (outputs, last), (expected, last_expected) = double(inputs, [h, c]), double(inputs, (h, c))
        assert bits(outputs, expected)
        assert all(map(bits, last, last_expected))


class TestModule:
    def test_repr(self) -> None:
        assert repr(DoubleLayer(BRC, 3, 8)) == (
            "DoubleLayer(\n  BRC, 3, 8\n  (first): ModuleList(\n    (0): BRC(3, 4)\n  )\n"
            "  (second): ModuleList(\n    (0): BRC(3, 4)\n  )\n)"
        )
        double = DoubleLayer(nn.GRU, 3, 7, num_layers=2, warm=0.3, dropout=0.2, bidirectional=True)
        assert double.extra_repr() == "GRU, 3, 7, num_layers=2, warm=0.3, dropout=0.2"

    def test_parameters_are_those_of_the_parts(self) -> None:
        assert list(DoubleLayer(BRC, I, H, num_layers=2).state_dict()) == [
            f"{side}.{k}.{name}_l0"
            for side in ("first", "second")
            for k in range(2)
            for name in ("weight_ih", "weight_hh", "bias")
        ]
        assert list(DoubleLayer(nn.GRU, I, H, bias=False, bidirectional=True).state_dict()) == [
            f"{side}.0.{name}_l0{direction}"
            for side in ("first", "second")
            for direction in ("", "_reverse")
            for name in ("weight_ih", "weight_hh")
        ]

    @every_type
    def test_reset_parameters_draws_what_the_constructor_draws(self, layer_type: Any) -> None:
        double = DoubleLayer(layer_type, I, H, num_layers=2)
        with torch.no_grad():
            for parameter in double.parameters():
                parameter.fill_(7)
        torch.manual_seed(3)
        double.reset_parameters()
        assert not any((parameter == 7).any() for parameter in double.parameters())
        torch.manual_seed(3)
        assert changed(double, DoubleLayer(layer_type, I, H, num_layers=2).state_dict()) == set()

    @every_type
    def test_flatten_parameters_reaches_each_part(self, layer_type: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        double = DoubleLayer(layer_type, I, H, num_layers=2)
        flattened: list[nn.Module] = []

        def flatten(part: nn.Module) -> None:
            flattened.append(part)

        monkeypatch.setattr(layer_type, "flatten_parameters", flatten)
        double.flatten_parameters()
        assert flattened == [*double.first, *double.second]

    @pytest.mark.parametrize("layer_type", [BRC, nn.LSTM])
    @pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor", "ignore:Dynamo does not know how to trace")
    @pytest.mark.slow
    def test_compiled_with_packed_sequences(self, layer_type: Any) -> None:
        torch.compiler.reset()
        double = DoubleLayer(layer_type, I, H, num_layers=2, dropout=1e-9)
        packed = pack_padded_sequence(inputs_of(), torch.tensor([3, 5, 1, 4]), enforce_sorted=False)
        expected, _ = double(packed)
        outputs, _ = torch.compile(double, backend="aot_eager")(packed)
        torch.testing.assert_close(outputs.data, expected.data)
        assert torch.equal(outputs.unsorted_indices, expected.unsorted_indices)

    def test_inputs_that_are_no_tensor_are_left_to_the_parts(self) -> None:
        with pytest.raises(TypeError, match="BRC: Expected input to be a tensor or a PackedSequence, got list"):
            DoubleLayer(BRC, I, H)([1], torch.zeros(1, B, H))

    def test_compiled_in_one_graph(self) -> None:
        torch.compiler.reset()
        double, inputs, hx = DoubleLayer(BRC, I, H, num_layers=2), inputs_of(), torch.randn(2, B, H)
        outputs, last = torch.compile(double, backend="aot_eager", fullgraph=True)(inputs, hx)
        expected, last_expected = double(inputs, hx)
        torch.testing.assert_close((outputs, last), (expected, last_expected))
        parameters = list(double.parameters())
        torch.testing.assert_close(
            torch.autograd.grad(outputs.square().sum(), parameters),
            torch.autograd.grad(expected.square().sum(), parameters),
        )


class Model(nn.Module):
    """An encoder that is a double layer, and a layer of another type behind it."""

    def __init__(self, layer_type: Any) -> None:
        super().__init__()
        self.rnn = DoubleLayer(layer_type, I, H, num_layers=2)
        self.after = nn.GRU(H, 4)
        self.head = nn.Linear(4, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        answer: Tensor = self.head(self.after(self.rnn(inputs)[0])[0])
        return answer


def warm(module: nn.Module, names: list[str] | None = None) -> set[str]:
    """What a short warmup changes."""
    before = snapshot(module)
    torch.manual_seed(0)
    warmup(module, inputs_of(8), steps=2, horizon=2, layers=names, generator=0)
    return changed(module, before)


def under(module: nn.Module, *starts: str) -> set[str]:
    return {name for name in module.state_dict() if name.startswith(starts)}


class TestWarmup:
    @every_type
    @one_or_both
    def test_only_the_first_part_changes(self, layer_type: Any, bidirectional: bool) -> None:
        double = DoubleLayer(layer_type, I, H, num_layers=2, bidirectional=bidirectional)
        assert warm(double) == under(double, "first.")

    @every_type
    def test_in_a_model_only_the_first_part_and_other_layers_change(self, layer_type: Any) -> None:
        model = Model(layer_type)
        assert warm(model) == under(model, "rnn.first.", "after.")

    @pytest.mark.parametrize(
        ("names", "starts"),
        [
            (["rnn.second"], ["rnn.second."]),
            (["rnn.second.1"], ["rnn.second.1."]),
            (["rnn.first.0.l0"], ["rnn.first.0."]),
            (["rnn.first.1", "rnn.second.0.l0"], ["rnn.first.1.", "rnn.second.0."]),
            (["rnn"], ["rnn."]),
            (["after"], ["after."]),
        ],
    )
    def test_names_stand_for_either_part(self, names: list[str], starts: list[str]) -> None:
        model = Model(BRC)
        assert warm(model, names) == under(model, *starts)

    def test_names_that_are_none(self) -> None:
        double = DoubleLayer(BRC, I, H, bidirectional=True)
        known = "'first.0.l0', 'second.0.l0', 'first.0.l0_reverse', 'second.0.l0_reverse'"
        for name in ("l0", "third", "first.0.l", "rnn.first"):
            with pytest.raises(
                ValueError, match=re.escape(f"layers must name recurrent layers ({known}), got {name!r}")
            ):
                warmup(double, inputs_of(), layers=[name])

    @pytest.mark.parametrize("names", [None, ["first"]])
    def test_a_frozen_first_part(self, names: list[str] | None) -> None:
        double = DoubleLayer(nn.GRU, I, H)
        double.first.requires_grad_(False)
        before = snapshot(double)
        with pytest.raises(ValueError, match="a layer to warm up must have a parameter that requires a gradient"):
            warmup(double, inputs_of(), layers=names)
        assert changed(double, before) == set()
        assert warm(double, ["second"]) == under(double, "second.")

    def test_what_is_frozen_within_the_first_part(self) -> None:
        double = DoubleLayer(nn.GRU, I, H, num_layers=2)
        double.get_parameter("first.0.weight_hh_l0").requires_grad_(False)
        assert warm(double) == under(double, "first.") - {"first.0.weight_hh_l0"}

    def test_the_history_and_the_measures_name_the_layers(self) -> None:
        double = DoubleLayer(nn.LSTM, I, H, num_layers=2)
        result = warmup(double, inputs_of(8), steps=1, horizon=2, generator=0)
        assert result.history.layers == ("first.0.l0", "first.1.l0")
        names = ["first.0.l0", "second.0.l0", "first.1.l0", "second.1.l0"]
        for measured in (result.before, result.after, measure(double, inputs_of(), horizon=2, generator=0)):
            assert [layer.name for layer in measured.per_layer] == names

    @every_type
    def test_the_first_part_becomes_what_it_becomes_beside_any_second(self, layer_type: Any) -> None:
        double = DoubleLayer(layer_type, I, H)
        other = copy.deepcopy(double)
        with torch.no_grad():
            for parameter in other.second.parameters():
                parameter.normal_()
        assert warm(double) == warm(other) == under(double, "first.")
        assert changed(other, double.state_dict()) == under(double, "second.")

    @one_or_both
    def test_parts_that_are_warm_as_dynamics(self, bidirectional: bool) -> None:
        parts = dynamics(Model(nn.GRU)) + dynamics(DoubleLayer(BRC, I, H, bidirectional=bidirectional))
        assert {part.name for part in parts if not part.warm} == {part.name for part in parts if "second" in part.name}
