"""Torch's own layers as maps: every way through them agrees with the module and with a loop over `step`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from devices import here, random
from torch import Tensor, nn
from torch.autograd.functional import jacobian
from torch.nn.utils.rnn import pack_sequence

from multistable.dynamics import Dynamics, dynamics

pytestmark = pytest.mark.usefixtures("device")
I, H, B, T = 3, 5, 2, 4

LAYERS: dict[str, Callable[..., nn.RNNBase]] = {
    "rnn tanh": nn.RNN,
    "rnn relu": partial(nn.RNN, nonlinearity="relu"),
    "gru": nn.GRU,
    "lstm": nn.LSTM,
    "lstm proj": partial(nn.LSTM, proj_size=2),
}
CELLS: dict[str, Callable[..., nn.RNNCellBase]] = {
    "rnn cell tanh": nn.RNNCell,
    "rnn cell relu": partial(nn.RNNCell, nonlinearity="relu"),
    "gru cell": nn.GRUCell,
    "lstm cell": nn.LSTMCell,
}
layers = pytest.mark.parametrize("kind", LAYERS)
cells = pytest.mark.parametrize("kind", CELLS)
all_kinds = pytest.mark.parametrize("kind", [*LAYERS, *CELLS])
biased = pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
equal = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-12)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def one_part(kind: str, bias: bool = True) -> Dynamics:
    """The cell, or a layer whose place shows in its parameters' names: the second, read in reverse."""
    if kind in CELLS:
        (part,) = dynamics(here(CELLS[kind](I, H, bias=bias, dtype=torch.float64)))
        return part
    module = here(LAYERS[kind](I, H, num_layers=2, bias=bias, bidirectional=True, dtype=torch.float64))
    return dynamics(module)[-1]


def iterate(part: Dynamics, inputs: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    outputs = []
    for u in inputs:
        s = part.step(s, u)
        outputs.append(part.output(s))
    return torch.stack(outputs), s


def module_call(module: nn.Module, inputs: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Call torch's module from the parts' flat states; the output and the flat states it ends in."""
    if not isinstance(module, nn.LSTM):
        out, h = module(inputs, torch.stack(states))
        return out, list(h.unbind())
    size = module.proj_size or module.hidden_size
    h, c = torch.stack([s[:, :size] for s in states]), torch.stack([s[:, size:] for s in states])
    out, (h, c) = module(inputs, (h, c))
    return out, [torch.cat(pair, -1) for pair in zip(h, c, strict=True)]


@layers
@pytest.mark.parametrize("num_layers", [1, 3])
@biased
@pytest.mark.parametrize("bidirectional", [True, False], ids=["bi", "uni"])
def test_iterated_steps_are_the_module(kind: str, num_layers: int, bias: bool, bidirectional: bool) -> None:
    module = here(LAYERS[kind](I, H, num_layers, bias=bias, bidirectional=bidirectional, dtype=torch.float64))
    parts = dynamics(module)
    directions = 2 if bidirectional else 1
    assert len(parts) == num_layers * directions
    starts = [random(B, part.state_size) for part in parts]
    given = inputs = random(T, B, I)
    ends = []
    for k in range(0, len(parts), directions):
        outputs = []
        for part, start in zip(parts[k : k + directions], starts[k : k + directions], strict=True):
            assert part.reverse == part.name.endswith("_reverse")
            out, end = iterate(part, inputs.flip(0) if part.reverse else inputs, start)
            outputs.append(out.flip(0) if part.reverse else out)
            ends.append(end)
        inputs = torch.cat(outputs, -1)
    equal((inputs, ends), module_call(module, given, starts))


@cells
@biased
def test_a_step_is_the_cell(kind: str, bias: bool) -> None:
    cell = here(CELLS[kind](I, H, bias=bias, dtype=torch.float64))
    (part,) = dynamics(cell)
    s, u = random(B, part.state_size), random(B, I)
    state = s.split(H, -1) if kind == "lstm cell" else s
    after = cell(u, state)
    equal(part.step(s, u), torch.cat(after, -1) if isinstance(after, tuple) else after)


@layers
def test_zero_state_is_what_the_module_starts_from(kind: str) -> None:
    module = here(LAYERS[kind](I, H, dtype=torch.float64))
    (part,) = dynamics(module)
    inputs = random(T, B, I)
    assert part.zero_state(B).dtype == torch.float64
    equal(part.run(inputs), module_call(module, inputs, [here(torch.zeros(B, part.state_size).double())])[1][0])
    equal(part.scan(inputs, part.zero_state(B))[0], module(inputs)[0])


@all_kinds
@biased
def test_scan_and_run_agree_with_step(kind: str, bias: bool) -> None:
    part = one_part(kind, bias)
    inputs, s = random(T, B, part.input_size), random(B, part.state_size)
    expected = iterate(part, inputs, s)
    equal(part.scan(inputs, s), expected)
    equal(part.run(inputs, s), expected[1])


@all_kinds
@biased
def test_scan_packed_agrees_with_step(kind: str, bias: bool) -> None:
    part = one_part(kind, bias)
    lengths = [4, 3, 3, 1]
    inputs = [random(length, 1, part.input_size) for length in lengths]
    packed = pack_sequence([one[:, 0] for one in inputs])
    expected = pack_sequence([iterate(part, one, part.zero_state(1))[0][:, 0] for one in inputs])
    outputs, at = part.scan_packed(packed.data, packed.batch_sizes), list(part.parameters())
    equal(outputs, expected.data)
    incoming = torch.randn_like(outputs)
    equal(torch.autograd.grad(outputs, at, incoming), torch.autograd.grad(expected.data, at, incoming))


@all_kinds
@biased
def test_scan_constant_agrees_with_step(kind: str, bias: bool) -> None:
    part = one_part(kind, bias)
    u, s = random(part.input_size), random(B, part.state_size)
    expected = iterate(part, u.expand(T, B, -1), s)
    equal(part.scan_constant(u, T, s), expected)
    equal(part.hold(s, u, T), expected[1])


@all_kinds
@biased
@pytest.mark.parametrize("grad", [True, False], ids=["grad", "no grad"])
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")  # torch's own, of nn.LSTM too
def test_float32_kernels_agree_with_step(kind: str, bias: bool, grad: bool) -> None:
    # Without gradient torch may take other kernels. Five steps, each of a few operations that round to 6e-8.
    part = one_part(kind, bias)
    part.module.float()  # type: ignore[attr-defined]
    u, inputs, s = (
        random(*shape).float() for shape in ((part.input_size,), (T, B, part.input_size), (B, part.state_size))
    )
    with torch.set_grad_enabled(grad):
        torch.testing.assert_close(part.scan(inputs, s), iterate(part, inputs, s), rtol=2e-6, atol=2e-6)
        held = iterate(part, u.expand(T, B, -1), s)
        torch.testing.assert_close(part.scan_constant(u, T, s), held, rtol=2e-6, atol=2e-6)


@torch.no_grad()
def keep_moving(part: Dynamics) -> tuple[Tensor, Tensor]:
    """Weights, a state and an input under which the state still moves after hundreds of steps: one too many shows."""
    weights = {name.split("_l")[0]: parameter for name, parameter in zip(
        ("weight_ih", "weight_hh", "bias_ih", "bias_hh"), part.parameters(), strict=False
    )}  # fmt: skip
    if len(weights["weight_hh"]) == H:
        # A cyclic shift of the units, hardly driven: states where relu is on, and where tanh is nearly straight.
        weights.pop("weight_hh").copy_(torch.eye(H).roll(1, 0))
        for weight in weights.values():
            weight.mul_(1e-4)
        relu = part.module.nonlinearity == "relu"  # type: ignore[attr-defined]
        s = random(B, part.state_size)
        return s.abs() + 1 if relu else 0.03 * s, random(part.input_size)
    # A gate that keeps the state: the update gate, the forget gate.
    weights["weight_ih"][H : 2 * H] = 6.0 / part.input_size
    return random(B, part.state_size), here(torch.ones(part.input_size, dtype=torch.float64))


@all_kinds
@biased
@torch.no_grad()
def test_hold_takes_as_many_steps_as_asked(kind: str, bias: bool) -> None:
    part = one_part(kind, bias)
    s, u = keep_moving(part)
    states = [s]
    for _ in range(250):
        states.append(part.step(states[-1], u.expand(B, -1)))
    for steps in (0, 1, 119, 120, 121, 250):
        assert steps == 0 or (states[steps] - states[steps - 1]).abs().max() > 1e-4
        equal(part.hold(s, u, steps), states[steps])


@all_kinds
@biased
@pytest.mark.parametrize("steps", [3, 121])
def test_gradients_of_hold(kind: str, bias: bool, steps: int) -> None:
    part = one_part(kind, bias)
    s, u = keep_moving(part)
    at = [s.requires_grad_(), u.requires_grad_(), *part.parameters()]
    of_end = random(B, part.state_size)
    held = torch.autograd.grad(part.hold(s, u, steps), at, of_end)
    stepped = torch.autograd.grad(iterate(part, u.expand(steps, B, -1), s)[1], at, of_end)
    assert all(gradient.abs().max() > 1e-9 for gradient in stepped)
    equal(held, stepped)


@all_kinds
@biased
def test_gradients_of_run_and_scan(kind: str, bias: bool) -> None:
    part = one_part(kind, bias)
    inputs, s = random(T, B, part.input_size).requires_grad_(), random(B, part.state_size).requires_grad_()
    at = [s, inputs, *part.parameters()]
    of_outputs, of_end = random(T, B, part.output_size), random(B, part.state_size)
    stepped = iterate(part, inputs, s)
    equal(
        torch.autograd.grad(part.run(inputs, s), at, of_end),
        torch.autograd.grad(stepped[1], at, of_end, retain_graph=True),
    )
    of_both = [of_outputs, of_end]
    equal(torch.autograd.grad(part.scan(inputs, s), at, of_both), torch.autograd.grad(stepped, at, of_both))


@all_kinds
@biased
def test_step_under_func_transforms(kind: str, bias: bool) -> None:
    part = one_part(kind, bias)
    s, u = random(B, part.state_size), random(B, part.input_size)

    def point(s: Tensor, u: Tensor) -> Tensor:
        return part.step(s[None], u[None])[0]

    def kernel(s: Tensor, u: Tensor) -> Tensor:
        return part.scan(u[None, None], s[None])[1][0]

    first = torch.func.vmap(torch.func.jacrev(point, argnums=(0, 1)))(s, u)
    second = torch.func.vmap(torch.func.jacrev(torch.func.jacrev(point)))(s, u)
    for b in range(B):
        equal(tuple(of[b] for of in first), jacobian(kernel, (s[b], u[b])))

        def slope(state: Tensor, b: int = b) -> Any:
            return jacobian(lambda at: kernel(at, u[b]), state, create_graph=True)

        equal(second[b], jacobian(slope, s[b]))
    assert ("relu" in kind) == (second.abs().max() == 0)


@all_kinds
def test_step_under_vmap_without_gradient(kind: str) -> None:
    part = one_part(kind)
    s, u = random(2, B, part.state_size), random(2, B, part.input_size)
    equal(torch.func.vmap(part.step)(s, u), torch.stack([part.step(a, b) for a, b in zip(s, u, strict=True)]))


@layers
@biased
@pytest.mark.parametrize("bidirectional", [True, False], ids=["bi", "uni"])
def test_parameters_are_the_modules_own(kind: str, bias: bool, bidirectional: bool) -> None:
    module = LAYERS[kind](I, H, num_layers=2, bias=bias, bidirectional=bidirectional)
    ours = [parameter for part in dynamics(module) for parameter in part.parameters()]
    theirs = list(module.parameters())
    assert len(ours) == len(theirs)
    assert all(one is other for one, other in zip(ours, theirs, strict=True))


@cells
@biased
def test_parameters_are_the_cells_own(kind: str, bias: bool) -> None:
    cell = CELLS[kind](I, H, bias=bias)
    (part,) = dynamics(cell)
    assert [id(parameter) for parameter in part.parameters()] == [id(parameter) for parameter in cell.parameters()]


@all_kinds
def test_replaced_parameters_are_seen(kind: str) -> None:
    part = one_part(kind)
    module = part.module  # type: ignore[attr-defined]
    s, u = random(B, part.state_size), random(B, part.input_size)
    before = part.step(s, u)
    for name, parameter in list(module.named_parameters()):
        setattr(module, name, nn.Parameter(torch.zeros_like(parameter)))
    assert not torch.equal(part.step(s, u), before)
    equal(part.step(s, u), part.scan(u[None], s)[1])


@pytest.mark.parametrize(("kind", "state_size", "output_size"), [
    ("rnn tanh", H, H), ("gru", H, H), ("lstm", 2 * H, H), ("lstm proj", 2 + H, 2), ("gru cell", H, H),
    ("lstm cell", 2 * H, H),
])  # fmt: skip
def test_sizes(kind: str, state_size: int, output_size: int) -> None:
    part = one_part(kind)
    assert (part.state_size, part.output_size) == (state_size, output_size)
    s = random(B, state_size)
    assert torch.equal(part.output(s), s[:, :output_size])


def test_repr_names_the_layer() -> None:
    (layer,) = dynamics(nn.LSTM(2, 3))
    assert repr(layer) == "LSTMDynamics('l0', input_size=2, state_size=6)"


def test_a_weight_that_is_no_parameter_nor_computed_in_a_known_way_is_refused() -> None:
    gru = nn.GRU(2, 3)
    del gru._parameters["weight_hh_l0"]
    with pytest.raises(
        TypeError, match="^weight_hh_l0 of GRU must be an nn.Parameter: reparametrised recurrent weights"
    ):
        dynamics(gru)
