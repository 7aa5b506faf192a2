"""What is found in a model, under which name, and how types of one's own become known."""

from collections import OrderedDict
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multistable.dynamics import Adapter, adapter_of, dynamics, register, registry, stacks


@pytest.fixture(autouse=True)
def _only_torchs_types_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    # An example in a docstring may have registered a type before.
    torchs = {kind: adapter for kind, adapter in registry._ADAPTERS.items() if kind.__module__.startswith("torch.")}
    monkeypatch.setattr(registry, "_ADAPTERS", torchs)


class Leaky(nn.Module):
    """s' = decay * s + A u, exactly linear."""

    def __init__(self, input_size: int = 2, hidden_size: int = 4, decay: float = 0.5) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.decay = input_size, hidden_size, decay
        self.drive = nn.Linear(input_size, hidden_size, bias=False, dtype=torch.float64)

    def forward(self, u: Tensor, s: Tensor) -> Tensor:
        return leaky_step(self, s, u)


class LeakyLayer(Leaky):
    def forward(self, inputs: Tensor, s: Tensor | None = None) -> Tensor:
        s = inputs.new_zeros(inputs.shape[1], self.hidden_size) if s is None else s
        return torch.stack([s := leaky_step(self, s, u) for u in inputs])


def leaky_step(module: Leaky, s: Tensor, u: Tensor) -> Tensor:
    return module.decay * s + F.linear(u, module.drive.weight)


def adapter(module: nn.Module) -> Adapter:
    found = adapter_of(module)
    assert found is not None
    return found


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def names(module: nn.Module) -> list[str]:
    return [layer.name for layer in dynamics(module)]


@pytest.mark.parametrize(("module", "expected"), [
    (nn.RNN(2, 3), ["l0"]),
    (nn.GRU(2, 3, 3), ["l0", "l1", "l2"]),
    (nn.LSTM(2, 3, 2, bidirectional=True), ["l0", "l0_reverse", "l1", "l1_reverse"]),
    (nn.GRUCell(2, 3), ["cell"]),
    (nn.Sequential(nn.Linear(5, 2), nn.GRU(2, 3)), ["1.l0"]),
    (nn.Sequential(nn.LSTMCell(2, 3), nn.RNN(2, 3)), ["0", "1.l0"]),
    (nn.ModuleList([nn.GRU(2, 3), nn.ModuleDict({"a": nn.LSTM(2, 3, 2), "b": nn.RNNCell(2, 3)})]),
     ["0.l0", "1.a.l0", "1.a.l1", "1.b"]),
    (nn.Sequential(OrderedDict(encoder=nn.Sequential(OrderedDict(rnn=nn.GRU(2, 3)), ), head=nn.Linear(3, 1))),
     ["encoder.rnn.l0"]),
])  # fmt: skip
def test_names_and_order(module: nn.Module, expected: list[str]) -> None:
    assert names(module) == expected


def test_stacks_are_modules_and_dynamics_their_parts() -> None:
    gru, lstm = nn.GRU(2, 3, 2), nn.LSTM(3, 4, bidirectional=True)
    model = nn.Sequential(nn.Linear(5, 2), gru, nn.ModuleList([lstm]))
    assert [(stack.name, stack.module) for stack in stacks(model)] == [("1", gru), ("2.0", lstm)]
    parts = [part for stack in stacks(model) for part in stack.parts]
    assert [part.name for part in parts] == names(model) == ["1.l0", "1.l1", "2.0.l0", "2.0.l0_reverse"]
    assert stacks(nn.GRU(2, 3))[0].name == ""


def test_a_shared_module_is_found_once() -> None:
    gru = nn.GRU(3, 3)
    assert names(nn.ModuleDict({"first": nn.Sequential(gru), "again": gru, "other": nn.GRU(3, 3)})) == [
        "first.0.l0",
        "other.l0",
    ]


def test_a_subclass_is_found() -> None:
    class Mine(nn.GRU):
        pass

    mine = Mine(2, 3)
    (layer,) = dynamics(nn.Sequential(mine))
    assert layer.name == "0.l0"
    assert layer.parameters()[0] is mine.weight_ih_l0
    assert adapter_of(mine) is adapter_of(nn.GRU(1, 1))


@pytest.mark.parametrize("module", [nn.Linear(2, 3), nn.Sequential(), nn.Sequential(nn.Linear(2, 3), nn.ReLU())])
def test_nothing_recurrent(module: nn.Module) -> None:
    message = (
        f"^module must be or hold a recurrent layer, got {type(module).__name__} without one; "
        "known are GRU, GRUCell, LSTM, LSTMCell, RNN, RNNCell and some of mambapy, minGRU_pytorch, ncps, torchrl, "
        r"xlstm \(multistable\.dynamics\.register adds a type\)$"
    )
    for look in (dynamics, stacks):
        with pytest.raises(ValueError, match=message):
            look(module)
    assert adapter_of(module) is None


@pytest.mark.parametrize("module", [[nn.GRU(2, 3)], nn.GRU, None])
def test_not_a_module(module: Any) -> None:
    for look in (dynamics, stacks):
        with pytest.raises(TypeError, match=f"^module must be an nn.Module, got {type(module).__name__}$"):
            look(module)


def test_a_registered_cell_is_found_and_runs() -> None:
    memory = Leaky(2, 4)
    model = nn.Sequential(OrderedDict(head=nn.Linear(3, 3), memory=memory))
    with pytest.raises(ValueError, match="without one"):
        dynamics(model)
    register(Leaky, leaky_step)
    (layer,) = dynamics(model)
    assert repr(layer) == "CustomDynamics('memory', input_size=2, state_size=4)"
    assert [id(one) for one in layer.parameters()] == [id(memory.drive.weight)]
    s, u = random(3, 4), random(2)
    drive = memory.drive(u)
    # s_k = 2^-k s + (2 - 2^(1-k)) A u
    torch.testing.assert_close(layer.hold(s, u, 121), 2.0**-121 * s + (2 - 2.0**-120) * drive, rtol=1e-14, atol=1e-15)
    inputs = random(5, 3, 2)
    expected = sum(2.0 ** -(4 - t) * memory.drive(inputs[t]) for t in range(5)) + s / 32
    torch.testing.assert_close(layer.run(inputs, s), expected, rtol=1e-13, atol=1e-14)
    assert torch.equal(layer.scan(inputs, s)[1], layer.run(inputs, s))
    assert layer.zero_state(3).dtype == torch.float64
    with pytest.raises(ValueError, match=rf"LSTMCell, RNN, RNNCell, {__name__}\.Leaky and some"):
        dynamics(nn.Linear(1, 1))


def test_what_a_recurrent_module_is_made_of_is_not_searched() -> None:
    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.GRUCell(2, 3)

    assert names(nn.Sequential(Wrapper())) == ["0.inner"]
    register(Wrapper, lambda module, s, u: module.inner(u, s), input_size=lambda _: 2, state_size=lambda _: 3)
    (layer,) = dynamics(nn.Sequential(Wrapper()))
    assert (layer.name, layer.input_size, layer.state_size) == ("0", 2, 3)


def test_subclasses_take_the_nearest_registration() -> None:
    class Child(Leaky):
        pass

    class Own(nn.GRU):
        pass

    register(Leaky, leaky_step)
    assert names(nn.Sequential(Child())) == ["0"]
    register(Child, lambda module, s, u: 3 * s)
    s, u = random(2, 4), random(2, 2)
    assert torch.equal(dynamics(Child())[0].step(s, u), 3 * s)
    parent = Leaky()
    assert torch.equal(dynamics(parent)[0].step(s, u), leaky_step(parent, s, u))
    register(Own, lambda module, s, u: s)
    assert [type(layer).__name__ for layer in dynamics(nn.ModuleList([Own(2, 3), nn.GRU(2, 3)]))] == [
        "CustomDynamics", "GRUDynamics",
    ]  # fmt: skip


def test_registering_again_replaces() -> None:
    register(Leaky, leaky_step)
    register(Leaky, lambda module, s, u: -s)
    s = random(2, 4)
    assert torch.equal(dynamics(Leaky())[0].step(s, random(2, 2)), -s)


def test_sizes_are_asked_of_the_module() -> None:
    register(
        Leaky, leaky_step,
        input_size=lambda module: module.drive.in_features, state_size=lambda module: module.drive.out_features,
        output_size=lambda module: module.hidden_size - 1,
    )  # fmt: skip
    (layer,) = dynamics(Leaky(3, 5))
    assert (layer.input_size, layer.state_size, layer.output_size) == (3, 5, 4)
    s = random(2, 5)
    assert torch.equal(layer.output(s), s[:, :4])


def test_layout_step() -> None:
    register(Leaky, leaky_step)
    module = Leaky()
    u, s = random(3, 2), random(3, 4)
    batch = adapter(module).read(module, u, s)
    assert torch.equal(batch.inputs, u[None]) and torch.equal(batch.lengths, torch.tensor([1, 1, 1]))
    assert batch.state is not None and torch.equal(batch.state, s)
    single = adapter(module).read(module, u[0], s[0])
    assert torch.equal(single.inputs, u[None, :1]) and single.state is not None and torch.equal(single.state, s[:1])
    assert adapter(module).is_cell


@pytest.mark.parametrize("layout", ["time_first", "batch_first"])
def test_layouts_of_sequences(layout: Any) -> None:
    register(LeakyLayer, leaky_step, layout=layout)
    module = LeakyLayer()
    inputs, s = random(5, 3, 2), random(3, 4)
    given = inputs if layout == "time_first" else inputs.transpose(0, 1)
    batch = adapter(module).read(module, given, (s[:, :1], s[:, 1:]))
    assert torch.equal(batch.inputs, inputs) and torch.equal(batch.lengths, torch.tensor([5, 5, 5]))
    assert batch.state is not None and torch.equal(batch.state, s)
    single = adapter(module).read(module, inputs[:, 0], None)
    assert torch.equal(single.inputs, inputs[:, :1]) and single.state is None
    assert not adapter(module).is_cell
    (layer,) = dynamics(module)
    assert layer.name == "layer"
    assert torch.equal(layer.scan(inputs, s)[0], module(inputs, s))


@pytest.mark.parametrize("module_type", [nn.GRU(2, 3), dict, "GRU"])
def test_only_types_of_modules_are_registered(module_type: Any) -> None:
    with pytest.raises(TypeError, match="^module_type must be a type of nn.Module, got "):
        register(module_type, leaky_step)


@pytest.mark.parametrize("layout", ["time-first", "", None])
def test_unknown_layout(layout: Any) -> None:
    message = f"^layout must be 'step', 'time_first' or 'batch_first', got {layout!r}$"
    with pytest.raises(ValueError, match=message):
        register(Leaky, leaky_step, layout=layout)
    assert adapter_of(Leaky()) is None


def test_a_step_of_the_wrong_shape() -> None:
    register(Leaky, lambda module, s, u: s[:, 1:])
    (layer,) = dynamics(Leaky())
    message = rf"^step of {__name__}\.Leaky must return a state of shape \(3, 4\), got \(3, 3\)$"
    with pytest.raises(ValueError, match=message):
        layer.step(random(3, 4), random(3, 2))
    with pytest.raises(ValueError, match=message):
        layer.hold(random(3, 4), random(2), 1)


@pytest.mark.parametrize(("module", "inputs", "error", "message"), [
    (nn.GRU(2, 3), [torch.ones(2, 2)], TypeError, "inputs of GRU must be a tensor or a PackedSequence, got list"),
    (nn.GRU(2, 3), torch.ones(1, 1, 1, 2), ValueError,
     r"inputs of GRU must be 2-D or 3-D, got 4-D of shape \(1, 1, 1, 2\)"),
    (nn.LSTMCell(2, 3), torch.ones(1, 1, 2), ValueError,
     r"inputs of LSTMCell must be 1-D or 2-D, got 3-D of shape \(1, 1, 2\)"),
    (nn.LSTM(2, 3), torch.ones(4, 5, 3), ValueError, "inputs of LSTM must have 2 features, got 3"),
    (nn.RNN(2, 3), torch.ones(4, 0, 2), ValueError,
     r"inputs of RNN must hold at least one sequence of at least one step, got shape \(4, 0, 2\)"),
    (nn.GRUCell(2, 3), torch.ones(0, 2), ValueError,
     r"inputs of GRUCell must hold at least one sequence of at least one step, got shape \(0, 2\)"),
    (nn.GRU(2, 3), torch.ones(4, 5, 2).double(), TypeError,
     r"inputs of GRU must have its parameters' dtype torch\.float32, got torch\.float64"),
    (nn.RNNCell(2, 3), torch.ones(5, 2, dtype=torch.long), TypeError,
     r"inputs of RNNCell must have its parameters' dtype torch\.float32, got torch\.int64"),
])  # fmt: skip
def test_inputs_that_a_module_cannot_read(module: nn.Module, inputs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        adapter(module).read(module, inputs, None)


@pytest.mark.parametrize(("layout", "inputs", "message"), [
    ("step", torch.ones(1, 1, 2).double(), r"must be 1-D or 2-D, got 3-D of shape \(1, 1, 2\)"),
    ("time_first", torch.ones(2).double(), r"must be 2-D or 3-D, got 1-D of shape \(2,\)"),
    ("batch_first", torch.ones(4, 3).double(), "must have 2 features, got 3"),
])  # fmt: skip
def test_inputs_that_a_registered_module_cannot_read(layout: Any, inputs: Tensor, message: str) -> None:
    register(Leaky, leaky_step, layout=layout)
    module = Leaky()
    with pytest.raises(ValueError, match=rf"^inputs of {__name__}\.Leaky {message}$"):
        adapter(module).read(module, inputs, None)


def test_types_of_others_are_called_by_their_whole_names() -> None:
    class LSTM(nn.Module):
        pass

    with pytest.raises(
        ValueError, match=rf"got {__name__}\..*<locals>\.LSTM without one; known are GRU, GRUCell, LSTM,"
    ):
        dynamics(LSTM())
