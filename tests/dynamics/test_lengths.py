"""`run` with lengths: each sequence ends where it would alone, and what lies behind its end is never read."""

from functools import partial
from typing import Any

import pytest
import torch
from devices import here
from devices import random as drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from multistable.dynamics import Adapter, Dynamics, Stack, stacks
from multistable.dynamics.base import check_lengths
from multistable.dynamics.calls import read_layer_call

pytestmark = pytest.mark.usefixtures("device")
I, H = 2, 3
equal = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-12)


def layer(kind: str) -> Dynamics:
    torch.manual_seed(0)
    modules = {
        "gru": nn.GRU(I, H),
        "lstm": nn.LSTM(I, H),
        "gru 2 layers": nn.GRU(I, H, 2),
        "lstm 2 layers": nn.LSTM(I, H, 2),
    }
    (stack,) = stacks(here(modules[kind].double()))
    return stack if len(stack.parts) > 1 else stack.parts[0]


def random(*shape: int) -> Tensor:
    return drawn(*shape, seed=sum(shape))


def each_alone(dynamics: Dynamics, inputs: Tensor, s: Tensor, lengths: list[int]) -> Tensor:
    ends = []
    for b, length in enumerate(lengths):
        state = s[b : b + 1]
        for u in inputs[:length, b : b + 1]:
            state = dynamics.step(state, u)
        ends.append(state)
    return torch.cat(ends)


kinds = pytest.mark.parametrize("kind", ["gru", "lstm", "gru 2 layers", "lstm 2 layers"])
# What `run` chooses from, each on every device.
ways = pytest.mark.parametrize("way", ["_run_in_segments", "_run_in_one_call"])
ragged = pytest.mark.parametrize(("longest", "lengths"), [
    pytest.param(3, [1, 2, 3, 3, 1, 2, 2, 1, 3, 1, 2, 3, 1], id="many tie"),
    pytest.param(4, [4] * 9, id="all full"),
    pytest.param(6, [2] * 9, id="all equally short"),
    pytest.param(6, [3, 6, 1, 5, 2, 4], id="all distinct"),
    pytest.param(6, [6, 5, 4, 3, 2, 1], id="descending"),
    pytest.param(6, [1, 2, 3, 4, 5, 6], id="ascending"),
    pytest.param(9, [2, 7, 2, 7], id="gaps"),
    pytest.param(1, [1] * 5, id="one step"),
    pytest.param(5, [3], id="one sequence"),
    pytest.param(1, [1], id="one step of one sequence"),
])  # fmt: skip


@kinds
@ways
@ragged
def test_equals_each_sequence_alone(kind: str, way: str, longest: int, lengths: list[int]) -> None:
    dynamics = layer(kind)
    inputs = random(longest, len(lengths), I).requires_grad_()
    s = random(len(lengths), dynamics.state_size).requires_grad_()
    together = getattr(dynamics, way)(inputs, s, torch.tensor(lengths))
    alone = each_alone(dynamics, inputs, s, lengths)
    equal(together, alone)
    of_ends = random(*together.shape)
    at = [inputs, s, *dynamics.parameters()]
    equal(torch.autograd.grad(together, at, of_ends), torch.autograd.grad(alone, at, of_ends))


@kinds
@ways
@ragged
def test_padding_is_never_read(kind: str, way: str, longest: int, lengths: list[int]) -> None:
    dynamics = layer(kind)
    run, s = getattr(dynamics, way), dynamics.zero_state(len(lengths))
    inputs = random(longest, len(lengths), I)
    lens = torch.tensor(lengths)
    padded = inputs.clone()
    padded[here(torch.arange(longest)[:, None] >= lens)] = torch.nan
    padded.requires_grad_()
    end = run(padded, s, lens)
    assert torch.equal(end, run(inputs, s, lens))
    gradients = torch.autograd.grad(end.sum(), [padded, *dynamics.parameters()])
    assert all(gradient.isfinite().all() for gradient in gradients)


@settings(max_examples=60)
@given(data=st.data())
def test_any_lengths(data: st.DataObject) -> None:
    dynamics = layer("lstm")
    longest = data.draw(st.integers(1, 5))
    lengths = data.draw(st.lists(st.integers(1, longest), min_size=1, max_size=12))
    inputs, s = random(longest, len(lengths), I), random(len(lengths), dynamics.state_size)
    alone = each_alone(dynamics, inputs, s, lengths)
    equal(dynamics._run_in_segments(inputs, s, torch.tensor(lengths)), alone)
    equal(dynamics._run_in_one_call(inputs, s, torch.tensor(lengths)), alone)


@kinds
def test_defaults(kind: str) -> None:
    dynamics = layer(kind)
    inputs = random(4, 3, I)
    zeros = dynamics.zero_state(3)
    assert zeros.shape == (3, dynamics.state_size) and zeros.count_nonzero() == 0
    full = dynamics.run(inputs, zeros, torch.tensor([4, 4, 4]))
    equal(dynamics.run(inputs), full)
    equal(dynamics.run(inputs, lengths=torch.tensor([4, 4, 4])), full)
    equal(dynamics.run(inputs, zeros), full)
    equal(dynamics.run(inputs, lengths=here(torch.tensor([4, 4, 4]))), full)


wrong = pytest.mark.parametrize(("lengths", "message"), [
    (torch.tensor([1, 2]), r"lengths must have shape \(3,\), got \(2,\)"),
    (torch.tensor([[1, 2, 3]]), r"lengths must have shape \(3,\), got \(1, 3\)"),
    (torch.tensor([1, 0, 2]), r"lengths must lie in 1\.\.4, got \[1, 0, 2\]"),
    (torch.tensor([1, -1, 2]), r"lengths must lie in 1\.\.4, got \[1, -1, 2\]"),
    (torch.tensor([1, 5, 2]), r"lengths must lie in 1\.\.4, got \[1, 5, 2\]"),
])  # fmt: skip


@kinds
@wrong
def test_wrong_lengths(kind: str, lengths: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        layer(kind).run(random(4, 3, I), lengths=lengths)


@pytest.mark.parametrize("method", ["run", "lengths of reach", "prefixes of reach"])
@wrong
def test_wrong_lengths_of_a_bidirectional_stack(method: str, lengths: Tensor, message: str) -> None:
    (stack,) = stacks(here(nn.GRU(I, H, 2, bidirectional=True).double()))
    inputs, full = random(4, 3, I), torch.tensor([4, 4, 4])
    calls: dict[str, Any] = {
        "run": lambda: stack.run(inputs, lengths=lengths),
        "lengths of reach": lambda: stack.reach(inputs, lengths, full),
        "prefixes of reach": lambda: stack.reach(inputs, full, lengths),
    }
    named = message.replace("lengths", "prefixes") if method == "prefixes of reach" else message
    with pytest.raises(ValueError, match=f"^{named}$"):
        calls[method]()


def test_an_empty_batch_has_no_lengths() -> None:
    with pytest.raises(ValueError, match=r"^lengths must lie in 1\.\.4, got \[\]$"):
        check_lengths("lengths", torch.zeros(0, dtype=torch.long), 4, 0)


def test_a_stack_of_one_layer_is_that_layer() -> None:
    gru = layer("gru")
    alone = Adapter(lambda module, name: [[gru]], read_layer_call, None, is_cell=False)
    inputs, s, lengths = random(5, 6, I), random(6, H), torch.tensor([1, 5, 2, 2, 4, 5])
    assert torch.equal(Stack("", nn.Module(), alone).run(inputs, s, lengths), gru.run(inputs, s, lengths))
