"""What every layer type keeps to: torch's own and ours, single and doubled."""

import copy
import io
import pickle
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from devices import here, random
from torch import Tensor, nn
from torch.autograd.functional import jacobian
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from multistable import measure, warmup
from multistable._measure.constants import draw_constant
from multistable._measure.reach import draw_prefixes
from multistable._utils.randomness import draw_seed
from multistable.dynamics import Stack, dynamics, record, stacks
from multistable.nn import BRC, GRU, LSTM, MGU, NBRC, DoubleLayer

pytestmark = pytest.mark.usefixtures("device")
I, H, B, T = 3, 6, 4, 7

TYPES: dict[str, tuple[Any, dict[str, Any]]] = {
    "rnn": (nn.RNN, {}),
    "rnn relu": (nn.RNN, {"nonlinearity": "relu"}),
    "gru": (nn.GRU, {}),
    "lstm": (nn.LSTM, {}),
    "mgu": (MGU, {}),
    "brc": (BRC, {}),
    "nbrc": (NBRC, {}),
    "hard gru": (GRU, {"hardness": 0.01}),
    "hard lstm": (LSTM, {"hardness": 0.01}),
}
LAYERS: dict[str, Callable[..., Any]] = {name: partial(kind, **options) for name, (kind, options) in TYPES.items()}
# Of a type of torch with one state, of that with two, and of one of ours; halves of different sizes, since equal ones
# hide what is taken for the other.
LAYERS |= {
    f"double {name}": partial(DoubleLayer, TYPES[name][0], warm=0.3) for name in ("gru", "lstm", "brc", "hard lstm")
}

Shape = tuple[int, bool]
every_layer = pytest.mark.parametrize("kind", LAYERS)
one_or_many = pytest.mark.parametrize(
    "shape", [pytest.param((1, False), id="one layer"), pytest.param((2, True), id="two layers, both directions")]
)
forwards = pytest.mark.parametrize("shape", [pytest.param((1, False), id="one"), pytest.param((2, False), id="two")])
backwards = pytest.mark.parametrize("shape", [pytest.param((1, True), id="one"), pytest.param((2, True), id="two")])
alone_or_in_a_model = pytest.mark.parametrize("alone", [True, False], ids=["one layer alone", "two in a model"])
bits = partial(torch.testing.assert_close, rtol=0, atol=0)
equal = partial(torch.testing.assert_close, rtol=1e-11, atol=1e-11)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def build(kind: str, shape: Shape = (1, False), **options: Any) -> Any:
    """A layer in float64 with all of its parameters drawn anew: none is zero, states settle, and relu is mostly on."""
    num_layers, bidirectional = shape
    module = here(LAYERS[kind](I, H, num_layers, bidirectional=bidirectional, **{"dtype": torch.float64, **options}))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.3)
            if parameter.dim() == 1:
                parameter.abs_()
    return module


def stack_of(module: nn.Module) -> Stack:
    (stack,) = stacks(module)
    return stack


def sides(module: Any) -> int:
    return 2 if isinstance(module, DoubleLayer) else 1


def as_hx(module: Any, s: Tensor) -> Any:
    """The flat state (B, S) of the module's stack as the module takes it."""
    is_lstm = getattr(module, "layer_type", type(module)) in (nn.LSTM, LSTM)
    parts = [torch.stack(state.chunk(2 if is_lstm else 1, -1)) for state in stack_of(module).split(s)]
    rows = [torch.cat(parts[k : k + sides(module)], -1) for k in range(0, len(parts), sides(module))]
    hx = torch.stack(rows, 1)
    return tuple(hx) if is_lstm else hx[0]


def as_flat(module: Any, hx: Any) -> Tensor:
    """The inverse of `as_hx`."""
    sizes = [part.output_size for part in stack_of(module).parts[: sides(module)]]
    rows = torch.stack(hx if isinstance(hx, tuple) else (hx,)).unbind(1)
    return torch.cat([torch.cat(list(part), -1) for row in rows for part in row.split(sizes, -1)], -1)


def each(change: Callable[[Tensor], Tensor], hx: Any) -> Any:
    if hx is None:
        return None
    return tuple(change(one) for one in hx) if isinstance(hx, tuple) else change(hx)


def rows(hx: Any, index: Any) -> Any:
    """The states of some of the batch; of one alone without the batch's dimension."""
    return each(lambda h: h[:, index], hx)


def climb(stack: Stack, inputs: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs (T, B, O), and the states before the first and after each step (T + 1, B, S), by the parts' `step`."""
    starts = iter(stack.split(s))
    paths = []
    for parts in stack.layers:
        outputs = []
        for part in parts:
            path = [next(starts)]
            for u in inputs.flip(0) if part.reverse else inputs:
                path.append(part.step(path[-1], u))
            made = torch.stack([part.output(state) for state in path[1:]])
            outputs.append(made.flip(0) if part.reverse else made)
            paths.append(torch.stack(path))
        inputs = torch.cat(outputs, -1)
    return inputs, torch.cat(paths, -1)


def iterate(stack: Stack, s: Tensor, u: Tensor, steps: int) -> list[Tensor]:
    """The states under a constant input, the first and those after each step, by `step`."""
    states = [s]
    for _ in range(steps):
        states.append(stack.step(states[-1], u.expand(len(s), -1)))
    return states


@every_layer
@one_or_many
def test_layouts_agree(kind: str, shape: Shape) -> None:
    time_first, batch_first = build(kind, shape), build(kind, shape, batch_first=True)
    batch_first.load_state_dict(time_first.state_dict())
    inputs, hx = random(T, B, I), as_hx(time_first, random(B, stack_of(time_first).state_size))
    outputs, last = time_first(inputs, hx)
    directions = 2 if shape[1] else 1
    assert outputs.shape == (T, B, directions * H) and isinstance(last, tuple) == ("lstm" in kind)
    assert {one.shape for one in (last if isinstance(last, tuple) else (last,))} == {(shape[0] * directions, B, H)}
    transposed, last_of_transposed = batch_first(inputs.transpose(0, 1), hx)
    equal((transposed.transpose(0, 1), last_of_transposed), (outputs, last))
    for b in range(B):
        for module in (time_first, batch_first):
            equal(module(inputs[:, b], rows(hx, b)), (outputs[:, b], rows(last, b)))


@every_layer
@one_or_many
@pytest.mark.parametrize("given", [True, False], ids=["from a state", "from zeros"])
@pytest.mark.parametrize("lengths", [[7, 5, 5, 2], [5, 2, 7, 5]], ids=["sorted", "unsorted"])
def test_packed_sequences_are_each_run_alone(kind: str, shape: Shape, given: bool, lengths: list[int]) -> None:
    module, inputs = build(kind, shape), random(T, B, I)
    hx = as_hx(module, random(B, stack_of(module).state_size)) if given else None
    packed = pack_padded_sequence(inputs, torch.tensor(lengths), enforce_sorted=lengths == sorted(lengths)[::-1])
    packed_outputs, last = module(packed, hx)
    outputs, lengths_out = pad_packed_sequence(packed_outputs)
    assert lengths_out.tolist() == lengths
    for b, length in enumerate(lengths):
        equal((outputs[:length, b], rows(last, b)), module(inputs[:length, b], rows(hx, b)))
        assert outputs[length:, b].count_nonzero() == 0


@every_layer
@forwards
def test_a_sequence_in_two_pieces_with_the_state_handed_on(kind: str, shape: Shape) -> None:
    module, inputs = build(kind, shape), random(T, B, I)
    outputs, last = module(inputs)
    first, between = module(inputs[:3])
    second, end = module(inputs[3:], between)
    equal((torch.cat([first, second]), end), (outputs, last))


@every_layer
@one_or_many
def test_the_default_state_is_zeros(kind: str, shape: Shape) -> None:
    module, inputs = build(kind, shape), random(T, B, I)
    stack = stack_of(module)
    zeros = stack.zero_state(B)
    assert zeros.shape == (B, stack.state_size) and zeros.dtype == torch.float64 and zeros.count_nonzero() == 0
    bits(module(inputs), module(inputs, as_hx(module, zeros)))
    bits(stack.run(inputs), stack.run(inputs, zeros))


@every_layer
@one_or_many
def test_permuting_the_batch_permutes_the_result(kind: str, shape: Shape) -> None:
    module, inputs, order = build(kind, shape), random(T, B, I), here(torch.tensor([2, 0, 3, 1]))
    hx = as_hx(module, random(B, stack_of(module).state_size))
    outputs, last = module(inputs, hx)
    equal(module(inputs[:, order], rows(hx, order)), (outputs[:, order], rows(last, order)))


@every_layer
@one_or_many
def test_float32_agrees_with_float64(kind: str, shape: Shape) -> None:
    module, inputs = build(kind, shape), random(T, B, I)
    s = random(B, stack_of(module).state_size)
    expected = each(Tensor.float, (module(inputs, as_hx(module, s))[0], stack_of(module).run(inputs, s)))
    single = copy.deepcopy(module).float()
    outputs, last = single(inputs.float(), each(Tensor.float, as_hx(module, s)))
    torch.testing.assert_close((outputs, as_flat(single, last)), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(stack_of(single).run(inputs.float(), s.float()), expected[1], rtol=1e-5, atol=1e-5)


@every_layer
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_is_that_of_the_parameters(kind: str, dtype: torch.dtype) -> None:
    module, inputs = build(kind, dtype=dtype), random(T, B, I).to(dtype)
    other = torch.float64 if dtype == torch.float32 else torch.float32
    assert {parameter.dtype for parameter in module.parameters()} == {dtype}
    outputs, last = module(inputs)
    assert outputs.dtype == dtype
    with pytest.raises((ValueError, RuntimeError), match="RNN input dtype .* does not match weight dtype"):
        module(inputs.to(other))
    with pytest.raises((ValueError, RuntimeError), match="dtype|data type"):
        module(inputs, each(lambda h: h.to(other), last))


@every_layer
@one_or_many
def test_what_the_dynamics_are_called_and_how_large_they_are(kind: str, shape: Shape) -> None:
    num_layers, directions = shape[0], ["", "_reverse"] if shape[1] else [""]
    module = build(kind, shape)
    units = {"first": 2, "second": H - 2} if "double" in kind else {"": H}
    expected = []
    for k in range(num_layers):
        for direction in directions:
            for side, size in units.items():
                name = f"{side}.{k}.l0{direction}" if side else f"l{k}{direction}"
                width, state = I if k == 0 else H * len(directions), 2 * size if "lstm" in kind else size
                expected.append((name, width, size, state, direction == "_reverse", side != "second"))
    assert expected == [
        (part.name, part.input_size, part.output_size, part.state_size, part.reverse, part.warm)
        for part in dynamics(module)
    ]


@every_layer
@one_or_many
def test_each_parameter_belongs_to_one_part(kind: str, shape: Shape) -> None:
    module = build(kind, shape)
    by_part: dict[str, list[int]] = {}
    for name, parameter in module.named_parameters():
        by_part.setdefault(re.sub(r"(weight|bias)(_ih|_hh)?_(?=l\d)", "", name), []).append(id(parameter))
    assert {part.name: [id(parameter) for parameter in part.parameters()] for part in dynamics(module)} == by_part


@every_layer
@pytest.mark.parametrize("shape", [(1, False), (2, False), (2, True)], ids=["one", "two", "two, both directions"])
def test_iterated_steps_are_the_module(kind: str, shape: Shape) -> None:
    module, inputs = build(kind, shape), random(T, B, I)
    stack = stack_of(module)
    s = random(B, stack.state_size)
    outputs, states = climb(stack, inputs, s)
    module_outputs, last = module(inputs, as_hx(module, s))
    equal((module_outputs, as_flat(module, last)), (outputs, states[-1]))
    equal(stack.run(inputs, s), states[-1])


@every_layer
@forwards
def test_scan_is_the_module(kind: str, shape: Shape) -> None:
    module, inputs = build(kind, shape), random(T, B, I)
    stack = stack_of(module)
    s = random(B, stack.state_size)
    outputs, last = module(inputs, as_hx(module, s))
    equal(stack.scan(inputs, s), (outputs, as_flat(module, last)))
    equal(stack.run(inputs[3:], stack.run(inputs[:3], s)), as_flat(module, last))
    lengths = torch.tensor([5, 2, 7, 5])
    packed = pack_padded_sequence(inputs, lengths, enforce_sorted=False)
    ends = as_flat(module, module(packed, as_hx(module, s))[1])
    equal(stack.run(inputs, s, lengths), ends)
    equal(stack._run_in_segments(inputs, s, lengths), ends)
    equal(stack._run_in_one_call(inputs, s, lengths), ends)


@every_layer
@forwards
def test_run_packed_is_the_module_with_its_gradients(kind: str, shape: Shape) -> None:
    module, inputs = build(kind, shape), random(T, B, I).requires_grad_()
    stack, packed = stack_of(module), pack_padded_sequence(inputs, torch.tensor([7, 5, 5, 2]))
    s = random(B, stack.state_size).requires_grad_()
    found = stack.run_packed(packed.data, packed.batch_sizes, s)
    outputs, last = module(packed, as_hx(module, s))
    expected = outputs.data, as_flat(module, last)
    equal(found, expected)
    at, incoming = [inputs, s, *module.parameters()], [torch.randn_like(one) for one in expected]
    of_found, of_expected = (torch.autograd.grad(one, at, incoming, retain_graph=True) for one in (found, expected))
    equal(of_found, of_expected)


@every_layer
@forwards
def test_scan_packed_is_the_module_with_its_gradients(kind: str, shape: Shape) -> None:
    module, inputs = build(kind, shape), random(T, B, I).requires_grad_()
    packed = pack_padded_sequence(inputs, torch.tensor([5, 2, 7, 5]), enforce_sorted=False)
    outputs, expected = stack_of(module).scan_packed(packed.data, packed.batch_sizes), module(packed)[0].data
    equal(outputs, expected)
    at, incoming = [inputs, *module.parameters()], torch.randn_like(expected)
    of_outputs, of_expected = (torch.autograd.grad(one, at, incoming, retain_graph=True) for one in (outputs, expected))
    assert all(gradient.any() for gradient in of_expected)
    equal(of_outputs, of_expected)


@every_layer
@backwards
def test_reach_reads_each_sequence_from_both_ends(kind: str, shape: Shape) -> None:
    module, inputs = build(kind, shape), random(T, B, I)
    stack = stack_of(module)
    s, lengths, prefixes = random(B, stack.state_size), torch.tensor([5, 2, 7, 5]), torch.tensor([3, 2, 1, 5])
    alone = [climb(stack, inputs[:length, [b]], s[[b]])[1] for b, length in enumerate(lengths.tolist())]
    at_prefixes = torch.cat([states[prefix] for states, prefix in zip(alone, prefixes.tolist(), strict=True)])
    equal(stack.reach(inputs, lengths, prefixes, s), at_prefixes)
    packed = pack_padded_sequence(inputs, lengths, enforce_sorted=False)
    equal(stack.reach(inputs, lengths, lengths, s), as_flat(module, module(packed, as_hx(module, s))[1]))


@torch.no_grad()
def keep_moving(stack: Stack) -> tuple[Tensor, Tensor]:
    """Weights, a state and an input under which the state still moves after hundreds of steps: one too many shows."""
    starts = []
    for part in stack.parts:
        weight_ih, weight_hh, *biases = part.parameters()
        module: Any = part.module  # type: ignore[attr-defined]
        units, start = part.output_size, random(B, part.state_size)
        if isinstance(module, nn.RNN):
            # A cyclic shift of the units, hardly driven: states where relu is on, and where tanh is nearly straight.
            weight_hh.copy_(torch.eye(units).roll(1, 0))
            for parameter in (weight_ih, *biases):
                parameter.mul_(1e-4)
            start = start.abs() + 1 if module.nonlinearity == "relu" else 0.03 * start
        else:
            gate = 1 if isinstance(module, nn.GRU | nn.LSTM | GRU | LSTM) else 0
            almost = 3.5 if isinstance(module, GRU | LSTM) else 5  # a hard gate would be shut at 5
            biases[0][gate * units : (gate + 1) * units] = -almost if isinstance(module, MGU) else almost
        starts.append(start)
    return torch.cat(starts, -1), random(stack.input_size)


@every_layer
@torch.no_grad()
def test_hold_takes_as_many_steps_as_asked(kind: str) -> None:
    stack = stack_of(build(kind, (2, True)))
    s, u = keep_moving(stack)
    states = iterate(stack, s, u, 250)
    for steps in (1, 120, 121, 250):
        for before, after in zip(stack.split(states[steps - 1]), stack.split(states[steps]), strict=True):
            assert (after - before).abs().max() > 1e-5
        equal(stack.hold(s, u, steps), states[steps])
    assert torch.equal(stack.hold(s, u, 0), s)
    equal(stack.scan_constant(u, 125, s), (torch.stack([stack.output(state) for state in states[1:126]]), states[125]))
    equal(stack.scan_constant(u, 125, s), stack.scan(u.expand(125, B, -1), s))


@every_layer
@one_or_many
def test_gradients_of_hold(kind: str, shape: Shape) -> None:
    stack = stack_of(build(kind, shape))
    s, u = keep_moving(stack)
    at = [s.requires_grad_(), u.requires_grad_(), *stack.parameters()]
    of_end = random(B, stack.state_size)
    stepped = torch.autograd.grad(iterate(stack, s, u, 20)[-1], at, of_end)
    assert all(gradient.count_nonzero() > 0 for gradient in stepped)
    equal(torch.autograd.grad(stack.hold(s, u, 20), at, of_end), stepped)


@every_layer
@one_or_many
def test_gradients_of_run_and_of_the_module(kind: str, shape: Shape) -> None:
    module = build(kind, shape)
    stack = stack_of(module)
    s, inputs = random(B, stack.state_size).requires_grad_(), random(T, B, I).requires_grad_()
    at = [s, inputs, *stack.parameters()]
    outputs, states = climb(stack, inputs, s)
    of_end, of_outputs = random(B, stack.state_size), random(*outputs.shape)
    stepped = torch.autograd.grad(states[-1], at, of_end, retain_graph=True)
    assert all(gradient.count_nonzero() > 0 for gradient in stepped)
    equal(torch.autograd.grad(stack.run(inputs, s), at, of_end), stepped)
    module_outputs, last = module(inputs, as_hx(module, s))
    of_both = [of_outputs, of_end]
    equal(
        torch.autograd.grad([module_outputs, as_flat(module, last)], at, of_both),
        torch.autograd.grad([outputs, states[-1]], at, of_both),
    )


@every_layer
@forwards
def test_step_under_func_transforms(kind: str, shape: Shape) -> None:
    stack = stack_of(build(kind, shape))
    s, u = random(B, stack.state_size), random(B, I)
    mapped = torch.func.vmap(lambda s, u: stack.step(s[None], u[None])[0])(s, u)
    equal(mapped, stack.step(s, u))
    slopes = torch.func.vmap(torch.func.jacrev(lambda s, u: stack.step(s[None], u[None])[0], argnums=(0, 1)))(s, u)
    for b in range(B):
        of_kernel = jacobian(lambda s, u: stack.scan(u[None, None], s[None])[1][0], (s[b], u[b]))
        equal(tuple(slope[b] for slope in slopes), of_kernel)


def optimise(module: Any, inputs: Tensor) -> None:
    """A forward and a backward pass."""
    outputs, _ = module(inputs)
    outputs.square().sum().backward()


@every_layer
@one_or_many
def test_a_deep_copy_is_equal_and_independent(kind: str, shape: Shape) -> None:
    module, inputs = build(kind, shape), random(T, B, I)
    optimise(module, inputs)
    before = module(inputs)
    copied = copy.deepcopy(module)
    bits(copied(inputs), before)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.zero_()
    bits(module(inputs), before)
    assert copied(inputs)[0].count_nonzero() == 0
    own = {id(parameter) for parameter in copied.parameters()}
    assert {id(parameter) for part in dynamics(copied) for parameter in part.parameters()} == own
    assert not own & {id(parameter) for part in dynamics(module) for parameter in part.parameters()}


@every_layer
@one_or_many
def test_a_state_dict_makes_another_module_the_same(kind: str, shape: Shape) -> None:
    module, other, inputs = build(kind, shape), build(kind, shape), random(T, B, I)
    assert not torch.equal(other(inputs)[0], module(inputs)[0])
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    state_dict = torch.load(file, weights_only=True)
    assert set(state_dict) - {name for name, _ in module.named_buffers()} == dict(module.named_parameters()).keys()
    other.load_state_dict(state_dict)
    bits(other(inputs), module(inputs))
    bits(stack_of(other).run(inputs), stack_of(module).run(inputs))


@every_layer
def test_pickling(kind: str) -> None:
    module, inputs = build(kind, (2, True)), random(T, B, I)
    optimise(module, inputs)
    back = pickle.loads(pickle.dumps(module))
    assert type(back) is type(module) and repr(back) == repr(module)
    bits(back(inputs), module(inputs))
    bits(stack_of(back).run(inputs), stack_of(module).run(inputs))


@every_layer
@one_or_many
def test_replaced_parameters_are_seen(kind: str, shape: Shape) -> None:
    module, inputs = build(kind, shape), random(T, B, I)
    stack, u = stack_of(module), random(I)
    zeros = stack.zero_state(B)
    before = climb(stack, inputs, zeros)[1][-1]
    equal(stack.run(inputs), before)
    held_before = stack.hold(zeros, u, 3)
    for owner in list(module.modules()):
        for name, parameter in list(owner.named_parameters(recurse=False)):
            setattr(owner, name, nn.Parameter(0.5 * parameter.detach()))
    after = as_flat(module, module(inputs)[1])
    assert (after - before).abs().max() > 1e-3
    equal(stack.run(inputs), after)
    equal(climb(stack, inputs, zeros)[1][-1], after)
    held = stack.hold(zeros, u, 3)
    assert (held - held_before).abs().max() > 1e-3
    equal(held, iterate(stack, zeros, u, 3)[-1])
    assert {id(parameter) for parameter in stack.parameters()} == {id(parameter) for parameter in module.parameters()}


@every_layer
@one_or_many
def test_training_mode_makes_no_difference_without_dropout(kind: str, shape: Shape) -> None:
    module, inputs = build(kind, shape), random(T, B, I)
    bits(module.train()(inputs), module.eval()(inputs))


@every_layer
@pytest.mark.parametrize("bidirectional", [True, False], ids=["bi", "uni"])
@pytest.mark.parametrize("packed", [True, False], ids=["packed", "padded"])
def test_dropout_comes_between_layers_in_training_only(kind: str, bidirectional: bool, packed: bool) -> None:
    module, without = build(kind, (2, bidirectional), dropout=0.5), build(kind, (2, bidirectional))
    without.load_state_dict(module.state_dict())
    inputs: Any = random(T, B, I)
    if packed:
        inputs = pack_padded_sequence(inputs, torch.tensor([5, 2, 7, 5]), enforce_sorted=False)
    expected, last_expected = without(inputs)
    outputs, last = module.eval()(inputs)
    bits((outputs.data, last), (expected.data, last_expected))
    (first, last_of_first), (second, _) = (module.train()(inputs) for _ in range(2))
    assert not torch.equal(first.data, second.data)
    assert "relu" in kind or first.data.count_nonzero() == first.data.numel()  # none after the last layer
    lowest, lowest_expected = (
        each(lambda h: h[: 2 if bidirectional else 1], h) for h in (last_of_first, last_expected)
    )
    bits(lowest, lowest_expected)


@every_layer
@one_or_many
def test_without_any_parameter_to_train(kind: str, shape: Shape) -> None:
    module, inputs = build(kind, shape), random(T, B, I)
    expected = module(inputs)
    module.requires_grad_(False)
    outputs, last = module(inputs)
    bits((outputs, last), expected)
    assert not outputs.requires_grad
    stack = stack_of(module)
    s, u = random(B, stack.state_size).requires_grad_(), random(I).requires_grad_()
    held, stepped = stack.hold(s, u, 5), iterate(stack, s, u, 5)[-1]
    of_end = random(B, stack.state_size)
    equal(torch.autograd.grad(held, [s, u], of_end), torch.autograd.grad(stepped, [s, u], of_end))
    assert measure(module, inputs, horizon=5, generator=0).n == B


class Tagger(nn.Module):
    """Tokens (T, B) in, a label for each out."""

    def __init__(self, rnn: Any) -> None:
        super().__init__()
        self.embedding, self.rnn = nn.Embedding(9, I, dtype=torch.float64), rnn
        directions = 2 if rnn.bidirectional else 1
        self.head = nn.Linear(directions * H, 2, dtype=torch.float64)

    def forward(self, tokens: Tensor) -> Tensor:
        labels: Tensor = self.head(self.rnn(self.embedding(tokens))[0])
        return labels


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(module: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


@every_layer
@alone_or_in_a_model
def test_measure_is_reproducible_and_changes_nothing(kind: str, alone: bool) -> None:
    rnn = build(kind, (1, False) if alone else (2, True))
    module, inputs = (rnn, random(T, 8, I)) if alone else (here(Tagger(rnn)), here(torch.randint(9, (T, 8))))
    before = snapshot(module)
    first, again, other = (measure(module, inputs, horizon=10, generator=seed) for seed in (1, 1, 2))
    assert changed(module, before) == set()
    assert first == again
    assert torch.equal(first.states, again.states) and not torch.equal(first.states, other.states)
    assert first.n == 8 and first.states.shape == (8, stack_of(rnn).state_size)
    assert [layer.name for layer in first.per_layer] == [part.name for part in dynamics(module)]


class Caller(nn.Module):
    """A model that is nothing but calls of a layer from a state on: a single one, or calls of `piece` steps each."""

    def __init__(self, rnn: Any, hx: Any, piece: int | None = None) -> None:
        super().__init__()
        self.rnn, self.hx, self.piece = rnn, hx, piece

    def forward(self, inputs: Any) -> Any:
        hx = self.hx
        for part in inputs.split(self.piece) if self.piece else [inputs]:
            _, hx = self.rnn(part, hx)
        return hx


@every_layer
@one_or_many
@pytest.mark.parametrize("form", ["time first", "batch first", "packed", "single"])
def test_what_a_model_gives_a_layer_is_recorded(kind: str, shape: Shape, form: str) -> None:
    module, inputs = build(kind, shape, batch_first=form == "batch first"), random(T, B, I)
    (stack,) = stacks(module)
    s = random(B, stack.state_size)
    hx = as_hx(module, s)
    lengths = [5, 2, 7, 5] if form == "packed" else [T] * B
    batch: Any = inputs
    if form == "batch first":
        batch = inputs.transpose(0, 1)
    elif form == "packed":
        batch = pack_padded_sequence(inputs, torch.tensor(lengths), enforce_sorted=False)
    elif form == "single":
        batch, inputs, s, lengths, hx = inputs[:, 1], inputs[:, [1]], s[[1]], [T], rows(hx, 1)
    from_state, from_zeros = (
        record(model, stacks(model), batch, torch.Generator())[0]
        for model in (Caller(module, hx), Caller(module, None))
    )
    for received in (from_state, from_zeros):
        assert received.lengths.tolist() == lengths
        for b, length in enumerate(lengths):
            bits(received.inputs[:length, b], inputs[:length, b])
    bits(from_state.state, s)
    assert from_zeros.state is None


def measured_by_hand(module: Any, inputs: Tensor, hx: Any) -> Tensor:
    """The states that `measure` finds, from the module's own calls on single prefixes and from single steps."""
    generator = torch.Generator().manual_seed(3)
    draw_seed(generator), draw_seed(generator)  # for what the measure runs, and for what the model draws
    prefixes = draw_prefixes(torch.full((B,), len(inputs)), None, torch.Generator().manual_seed(draw_seed(generator)))
    reached = [
        as_flat(module, module(inputs[:prefix, [b]], rows(hx, [b]))[1]) for b, prefix in enumerate(prefixes.tolist())
    ]
    stack = stack_of(module)
    return iterate(stack, torch.cat(reached), draw_constant(stack, generator), 5)[-1]


# To a prefix of both directions there is no call of the module, but for sequences of a single step.
@every_layer
@pytest.mark.parametrize(("shape", "steps"), [((2, False), T), ((2, True), 1)])
@torch.no_grad()
def test_measure_of_a_layer_and_of_a_model_that_calls_it(kind: str, shape: Shape, steps: int) -> None:
    module, inputs = build(kind, shape), random(steps, B, I)

    def source(batch_size: int, generator: torch.Generator) -> Tensor:
        draw_seed(generator)  # as for what a model draws
        return inputs

    def found(module: nn.Module, source: Any) -> Tensor:
        return measure(module, source, horizon=5, n=B, generator=3).states

    direct = found(module, source)
    equal(direct, measured_by_hand(module, inputs, None))
    bits(found(Caller(module, None), inputs), direct)
    hx = as_hx(module, random(B, stack_of(module).state_size))
    from_state = found(Caller(module, hx), inputs)
    assert (from_state - direct).abs().max() > 1e-3
    equal(from_state, measured_by_hand(module, inputs, hx))
    bits(found(Caller(module, None, 3), inputs), direct)
    bits(found(Caller(module, hx, 1), inputs), from_state)


@every_layer
@alone_or_in_a_model
def test_warmup_changes_what_is_warm_and_nothing_else(kind: str, alone: bool) -> None:
    rnn = build(kind, (1, False) if alone else (2, True))
    module, inputs = (rnn, random(T, B, I)) if alone else (here(Tagger(rnn)), here(torch.randint(9, (T, B))))
    twin, before, start = copy.deepcopy(module), snapshot(module), "" if alone else "rnn."
    results = [warmup(one, inputs, steps=2, horizon=1, generator=0) for one in (module, twin)]
    names = [name for name, _ in module.named_parameters()]
    warm = {name for name in names if name.startswith(start) and not name.startswith(f"{start}second.")}
    assert changed(module, before) == warm
    assert changed(twin, snapshot(module)) == set()
    assert results[0].history == results[1].history
    assert results[0].history.layers == tuple(part.name for part in dynamics(module) if part.warm)
