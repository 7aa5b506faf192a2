"""What is done on a GPU alone gives what a CPU's way gives."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from devices import here, random
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from multistable.dynamics import Stack, stacks
from multistable.dynamics._column import Column, column_of
from multistable.dynamics._device import chunk_length
from multistable.nn import GRU, DoubleLayer

pytestmark = pytest.mark.usefixtures("device")
I, H, B, T = 3, 5, 4, 6
equal = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-12)
LAYERS: dict[str, Callable[..., nn.Module]] = {
    "rnn": nn.RNN,
    "rnn relu": partial(nn.RNN, nonlinearity="relu"),
    "gru": nn.GRU,
    "lstm": nn.LSTM,
    "lstm proj": partial(nn.LSTM, proj_size=2),
}
columns = pytest.mark.parametrize("kind", LAYERS)
biased = pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])


def stack_of(module: nn.Module) -> Stack:
    (stack,) = stacks(here(module.double()))
    return stack


def column(kind: str, bias: bool) -> tuple[Stack, Column]:
    """Three layers, one by one and as a column."""
    torch.manual_seed(0)
    stack = stack_of(LAYERS[kind](I, H, 3, bias=bias))
    found = column_of(stack.layers)
    assert found is not None
    return stack, found


def layer_by_layer(stack: Stack, scan: Callable[[Any, Tensor, Tensor], Any], given: Tensor, s: Tensor) -> Any:
    states = []
    for part, before in zip(stack.parts, stack.split(s), strict=True):
        given, last = scan(part, given, before)
        states.append(last)
    return given, torch.cat(states, -1)


def assert_same(found: Any, expected: Any, at: list[Tensor]) -> None:
    equal(found, expected)
    incoming = [torch.randn_like(one) for one in expected]
    options: dict[str, Any] = {"retain_graph": True, "materialize_grads": True, "allow_unused": True}
    equal(torch.autograd.grad(found, at, incoming, **options), torch.autograd.grad(expected, at, incoming, **options))


@columns
@biased
def test_a_column_is_its_layers_one_after_the_other(kind: str, bias: bool) -> None:
    stack, whole = column(kind, bias)
    inputs, u = random(T, B, I).requires_grad_(), random(I).requires_grad_()
    s = random(B, stack.state_size).requires_grad_()
    at = [inputs, u, s, *stack.parameters()]
    alone = layer_by_layer(stack, lambda part, *given: part.scan(*given), inputs, s)
    assert_same(whole.scan(inputs, s), alone, at)
    held = layer_by_layer(stack, lambda part, *given: part.scan(*given), u.expand(T, B, -1), s)
    assert_same(whole.scan_constant(u, T, s), held, at)
    packed = pack_padded_sequence(inputs, torch.tensor([6, 4, 4, 1]))
    sizes = packed.batch_sizes
    rows = layer_by_layer(stack, lambda part, rows, before: part.run_packed(rows, sizes, before), packed.data, s)
    assert_same(whole.scan(packed.data, s, sizes), rows, at)


@pytest.mark.parametrize("module", [
    pytest.param(nn.GRU(I, H, 2, bidirectional=True), id="two directions"),
    pytest.param(DoubleLayer(nn.GRU, I, H), id="two halves"),
    pytest.param(GRU(I, H, 2), id="ours"),
])  # fmt: skip
def test_what_is_no_column(module: nn.Module) -> None:
    assert column_of(stack_of(module).layers) is None


@pytest.mark.parametrize("module", [nn.GRU(I, H, 2), nn.LSTM(I, H), GRU(I, H, 2)], ids=["gru", "lstm", "ours"])
def test_the_length_of_chunks_changes_nothing(module: nn.Module) -> None:
    stack = stack_of(module)
    s, u = random(B, stack.state_size).requires_grad_(), random(I)
    at = [s, *stack.parameters()]
    whole = stack._hold_in_chunks(s, u, 50, 50)
    for length in (1, 7, 49, 10**9):
        assert_same([stack._hold_in_chunks(s, u, 50, length)], [whole], at)


def test_chunks_are_as_long_as_their_memory_on_a_gpu_and_fit_the_cache_of_a_cpu() -> None:
    assert chunk_length(torch.device("cpu"), 2**40) == chunk_length(torch.device("cpu"), 1) == 120
    gpu = torch.device("cuda")
    for bytes_per_step in (1, 4 * 32 * 3 * 128, 10**6, 2**28):
        steps = chunk_length(gpu, bytes_per_step)
        assert steps * bytes_per_step <= 2**28 < (steps + 1) * bytes_per_step
    assert chunk_length(gpu, 2**40) == 1
    assert chunk_length(gpu, 0) == 2**28  # of no states
