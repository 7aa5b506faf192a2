"""`Stack`: the layers of one module as one map, held to torch's modules and to a loop over single sequences."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from devices import here
from devices import random as drawn
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from multistable.dynamics import Adapter, Dynamics, Stack, dynamics, stacks
from multistable.dynamics.calls import read_layer_call

pytestmark = pytest.mark.usefixtures("device")
I, H = 2, 3
equal = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-12)

MODULES: dict[str, Callable[..., nn.RNNBase]] = {
    "rnn": nn.RNN,
    "gru": nn.GRU,
    "lstm": nn.LSTM,
    "lstm proj": partial(nn.LSTM, proj_size=2),
}
kinds = pytest.mark.parametrize("kind", MODULES)
depths = pytest.mark.parametrize("num_layers", [2, 3])


def build(kind: str, num_layers: int, *, bidirectional: bool = False) -> tuple[nn.RNNBase, Stack]:
    torch.manual_seed(0)
    module = here(MODULES[kind](I, H, num_layers, bidirectional=bidirectional, dtype=torch.float64))
    (stack,) = stacks(module)
    return module, stack


def random(*shape: int) -> Tensor:
    return drawn(*shape, seed=sum(shape))


def module_states(module: nn.RNNBase, s: Tensor) -> Tensor | tuple[Tensor, Tensor]:
    """The stack's flat state as torch's hx: (layers * directions, B, H), for an LSTM a pair of them."""
    count = module.num_layers * (2 if module.bidirectional else 1)
    parts = torch.stack(s.chunk(count, 1))
    if not isinstance(module, nn.LSTM):
        return parts
    size = module.proj_size or H
    return parts[..., :size].contiguous(), parts[..., size:].contiguous()


def flat(h: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    joined = h if isinstance(h, Tensor) else torch.cat(h, -1)
    return joined.transpose(0, 1).flatten(1)


def reach_alone(stack: Stack, inputs: Tensor, lengths: Tensor, prefixes: Tensor, s: Tensor) -> Tensor:
    """`reach` from its definition: one sequence at a time, one step at a time."""
    rows = []
    for b, (length, prefix) in enumerate(zip(lengths.tolist(), prefixes.tolist(), strict=True)):
        starts = iter(stack.split(s[b : b + 1]))
        received = [u[None] for u in inputs[:length, b]]
        ends = []
        for parts in stack.layers:
            outputs = []
            for part in parts:
                states = [next(starts)]
                for u in reversed(received) if part.reverse else received:
                    states.append(part.step(states[-1], u))
                ends.append(states[prefix])
                made = [part.output(state) for state in states[1:]]
                outputs.append(made[::-1] if part.reverse else made)
            received = [torch.cat(side_by_side, -1) for side_by_side in zip(*outputs, strict=True)]
        rows.append(torch.cat(ends, -1))
    return torch.cat(rows)


@kinds
@depths
def test_iterated_steps_are_the_module(kind: str, num_layers: int) -> None:
    module, stack = build(kind, num_layers)
    inputs, s = random(5, 4, I), random(4, stack.state_size)
    out, h = module(inputs, module_states(module, s))
    state, outputs = s, []
    for u in inputs:
        state = stack.step(state, u)
        outputs.append(stack.output(state))
    equal((torch.stack(outputs), state), (out, flat(h)))
    equal(stack.scan(inputs, s), (out, flat(h)))
    equal(stack.run(inputs, s), flat(h))


@kinds
@depths
@pytest.mark.parametrize("bidirectional", [True, False], ids=["bi", "uni"])
def test_held_input(kind: str, num_layers: int, bidirectional: bool) -> None:
    _, stack = build(kind, num_layers, bidirectional=bidirectional)
    u, s = random(I), random(4, stack.state_size)
    state, outputs = s, []
    for _ in range(5):
        state = stack.step(state, u.expand(4, -1))
        outputs.append(stack.output(state))
    expected = torch.stack(outputs), state
    equal(stack.scan(u.expand(5, 4, -1), s), expected)
    equal(stack.scan_constant(u, 5, s), expected)
    equal(stack.hold(s, u, 5), state)


@kinds
@pytest.mark.parametrize("bidirectional", [True, False], ids=["bi", "uni"])
def test_gradients_of_hold_across_chunks(kind: str, bidirectional: bool) -> None:
    _, stack = build(kind, 2, bidirectional=bidirectional)
    # Weights of this size keep the states from settling within the chunk.
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.mul_(1.6)
    u, s = random(I).requires_grad_(), random(2, stack.state_size).requires_grad_()
    state = s
    for _ in range(121):
        state = stack.step(state, u.expand(2, -1))
    at, of_end = [u, *stack.parameters()], random(2, stack.state_size)
    equal(torch.autograd.grad(stack.hold(s, u, 121), at, of_end), torch.autograd.grad(state, at, of_end))


@kinds
@depths
def test_bidirectional_run_is_the_module(kind: str, num_layers: int) -> None:
    module, stack = build(kind, num_layers, bidirectional=True)
    inputs, s = random(5, 4, I), random(4, stack.state_size)
    equal(stack.run(inputs, s), flat(module(inputs, module_states(module, s))[1]))
    equal(stack.run(inputs), flat(module(inputs)[1]))


ragged = pytest.mark.parametrize(("lengths", "prefixes"), [
    pytest.param([6, 1, 4, 4, 2, 6, 4], [6, 1, 4, 4, 2, 6, 4], id="to the end"),
    pytest.param([6, 1, 4, 4, 2, 6, 4], [2, 1, 1, 4, 1, 5, 2], id="ragged"),
    pytest.param([3, 3, 3], [1, 2, 3], id="equally long"),
    pytest.param([1, 1], [1, 1], id="one step"),
    pytest.param([5], [2], id="one sequence"),
])  # fmt: skip


@kinds
@depths
@ragged
def test_reach_in_a_bidirectional_stack(kind: str, num_layers: int, lengths: list[int], prefixes: list[int]) -> None:
    module, stack = build(kind, num_layers, bidirectional=True)
    lens, cuts = torch.tensor(lengths), torch.tensor(prefixes)
    inputs = random(7, len(lengths), I)
    inputs[here(torch.arange(7)[:, None] >= lens)] = 1e6  # padding
    inputs.requires_grad_()
    s = random(len(lengths), stack.state_size).requires_grad_()
    reached, alone = stack.reach(inputs, lens, cuts, s), reach_alone(stack, inputs, lens, cuts, s)
    equal(reached, alone)
    if lengths == prefixes:
        packed = pack_padded_sequence(inputs, lens, enforce_sorted=False)
        equal(reached, flat(module(packed, module_states(module, s))[1]))
        equal(stack.run(inputs, s, lens), reached)
    at, of_reached = [inputs, s, *stack.parameters()], random(*reached.shape)
    equal(
        torch.autograd.grad(reached, at, of_reached, materialize_grads=True),
        torch.autograd.grad(alone, at, of_reached, materialize_grads=True),
    )


@kinds
@depths
@ragged
def test_reach_without_reverse_parts(kind: str, num_layers: int, lengths: list[int], prefixes: list[int]) -> None:
    module, stack = build(kind, num_layers)
    lens, cuts = torch.tensor(lengths), torch.tensor(prefixes)
    inputs, s = random(7, len(lengths), I), random(len(lengths), stack.state_size)
    reached = stack.reach(inputs, lens, cuts, s)
    equal(reached, reach_alone(stack, inputs, lens, cuts, s))
    equal(reached, flat(module(pack_padded_sequence(inputs, cuts, enforce_sorted=False), module_states(module, s))[1]))


@pytest.mark.parametrize("bidirectional", [True, False], ids=["bi", "uni"])
def test_reach_starts_from_zeros_by_default(bidirectional: bool) -> None:
    _, stack = build("lstm", 2, bidirectional=bidirectional)
    inputs, lengths, prefixes = random(5, 3, I), torch.tensor([5, 3, 4]), torch.tensor([2, 3, 1])
    equal(stack.reach(inputs, lengths, prefixes), stack.reach(inputs, lengths, prefixes, stack.zero_state(3)))


def seen_as(*layers: list[Dynamics]) -> Adapter:
    return Adapter(lambda module, name: layers, read_layer_call, None, is_cell=False)


def test_halves_side_by_side() -> None:
    torch.manual_seed(0)
    left, right, top = dynamics(here(nn.ModuleList([nn.GRU(I, 2), nn.LSTM(I, 3), nn.RNN(5, 4)]).double()))
    module = nn.Module()
    stack = Stack("double", module, seen_as([left, right], [top]))
    assert (stack.input_size, stack.state_size, stack.output_size) == (I, 2 + 6 + 4, 4)
    s, u = random(4, 12), random(4, I)
    a, b = left.step(s[:, :2], u), right.step(s[:, 2:8], u)
    c = top.step(s[:, 8:], torch.cat([a, b[:, :3]], -1))
    expected = torch.cat([a, b, c], -1)
    equal(stack.step(s, u), expected)
    equal(stack.scan(u[None], s), (c[None], expected))
    equal(stack.scan_constant(u[0], 1, s)[1][0], expected[0])
    assert torch.equal(stack.output(s), s[:, 8:])
    assert torch.equal(Stack("", module, seen_as([left, right])).output(s[:, :8]), s[:, [0, 1, 2, 3, 4]])
    lengths = torch.tensor([3, 1, 2, 3])
    equal(stack.run(random(3, 4, I), s, lengths), reach_alone(stack, random(3, 4, I), lengths, lengths, s))


@pytest.mark.parametrize("bidirectional", [True, False], ids=["bi", "uni"])
def test_jacobian_of_a_step(bidirectional: bool) -> None:
    _, stack = build("lstm", 2, bidirectional=bidirectional)
    s, u = random(4, stack.state_size), random(4, I)
    jacobians = torch.func.vmap(torch.func.jacrev(lambda s, u: stack.step(s[None], u[None])[0]))(s, u)
    whole = torch.autograd.functional.jacobian(lambda s: stack.scan(u[None], s)[1], s)
    equal(jacobians, torch.stack([whole[b, :, b] for b in range(4)]))
    below = sum(part.state_size for part in stack.layers[0])
    assert jacobians[:, :below, below:].count_nonzero() == 0  # nothing flows down
    assert jacobians[:, below:, :below].count_nonzero() > 0


@kinds
@pytest.mark.parametrize("bidirectional", [True, False], ids=["bi", "uni"])
def test_what_a_stack_is_made_of(kind: str, bidirectional: bool) -> None:
    module, stack = build(kind, 2, bidirectional=bidirectional)
    assert [[part.name for part in parts] for parts in stack.layers] == (
        [["l0", "l0_reverse"], ["l1", "l1_reverse"]] if bidirectional else [["l0"], ["l1"]]
    )
    assert stack.parts == tuple(part for parts in stack.layers for part in parts)
    assert all(one is other for one, other in zip(stack.parameters(), module.parameters(), strict=True))
    assert stack.output_size == module(random(1, 1, I))[0].shape[-1]
    s = random(4, stack.state_size)
    assert torch.equal(torch.cat(stack.split(s), -1), s)
    assert [state.shape[1] for state in stack.split(s)] == [part.state_size for part in stack.parts]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(
    ("lengths", "prefixes", "message"),
    [
        ([3, 5], [4, 2], r"prefixes must not exceed lengths \[3, 5\], got \[4, 2\]"),
    ],
)
def test_prefixes_that_do_not_fit(bidirectional: bool, lengths: list[int], prefixes: list[int], message: str) -> None:
    (stack,) = stacks(nn.GRU(2, 3, bidirectional=bidirectional))
    with pytest.raises(ValueError, match=message):
        stack.reach(torch.randn(5, 2, 2), torch.tensor(lengths), torch.tensor(prefixes))
