"""Recurrences at values where a gate, a weight or a row alone decides, and what their building blocks promise."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from multistable.nn import ops
from multistable.nn.ops._rows import chunks, last_rows, step_sizes, with_gradients
from multistable.nn.ops._steps import Steps

F64 = torch.float64


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=F64)


@pytest.mark.parametrize("bias", [True, False])
def test_gru_weights_make_the_gru_of_torch(bias: bool) -> None:
    torch.manual_seed(0)
    module = nn.GRU(2, 3, bias=bias, dtype=F64)
    biases = [module.get_parameter(f"bias_{kind}_l0") if bias else None for kind in ("ih", "hh")]
    weight_ih, of_gates = ops.gru_weights(module.get_parameter("weight_ih_l0"), *biases)
    inputs, h = random(6, 4, 2), random(4, 3)
    expected, last = module(inputs, h[None])
    for scan in (ops.gru, ops.gru_reference):
        found = scan(inputs, h, weight_ih, module.get_parameter("weight_hh_l0"), of_gates)
        # Some ten operations in each of six steps.
        torch.testing.assert_close(found, (expected, last[0]), rtol=1e-13, atol=1e-14)
    assert (of_gates is None) == (not bias)


@pytest.mark.parametrize("given", [0, 1])
def test_gru_weights_of_one_bias_alone_have_none(given: int) -> None:
    biases: list[Tensor | None] = [None, None]
    biases[given] = random(9)
    assert ops.gru_weights(random(9, 2), *biases)[1] is None


def test_step_sizes_are_those_of_the_sequences() -> None:
    assert step_sizes(random(4, 3, 2), None) == [3, 3, 3, 3]
    assert step_sizes(random(6, 2), torch.tensor([3, 2, 1])) == [3, 2, 1]


def test_the_last_rows_are_those_of_the_last_steps() -> None:
    # Rows 0-3 are the first step of four sequences, 4-6 the second of three, 7 the third of one.
    assert last_rows([4, 3, 1], torch.device("cpu")).tolist() == [7, 5, 6, 3]
    assert last_rows([2, 2], torch.device("cpu")).tolist() == [2, 3]


def test_gradients_of_states_and_of_the_last_add_up() -> None:
    states, of_states, of_last = random(8, 2), random(8, 2), random(4, 2)
    at = last_rows([4, 3, 1], states.device)
    expected = torch.zeros_like(states)
    expected[at] = of_last
    assert torch.equal(with_gradients(states, None, of_last, [4, 3, 1]), expected)
    assert torch.equal(with_gradients(states, of_states, of_last, [4, 3, 1]), of_states + expected)
    alone = with_gradients(states, of_states, None, [4, 3, 1])
    assert torch.equal(alone, of_states) and alone.data_ptr() != of_states.data_ptr()
    assert with_gradients(states, None, None, [4, 3, 1]).count_nonzero() == 0


@pytest.mark.parametrize("sizes", [[5] * 7, [9, 9, 4, 1], [1]])
@pytest.mark.parametrize("numbers", [0, 10, 18, 20, 30, 10**6])
def test_chunks_cover_all_steps_once_from_the_end(
    monkeypatch: pytest.MonkeyPatch, sizes: list[int], numbers: int
) -> None:
    monkeypatch.setattr("multistable.nn.ops._rows._CHUNK", numbers)
    found = chunks(sizes, 2)
    steps = [step for chunk, _ in found[::-1] for step in range(chunk.start, chunk.stop)]
    rows = [row for _, chunk in found[::-1] for row in range(chunk.start, chunk.stop)]
    assert steps == list(range(len(sizes))) and rows == list(range(sum(sizes)))
    for chunk, chunk_rows in found:
        assert chunk_rows.stop - chunk_rows.start == sum(sizes[chunk])
        # No more numbers than are allowed, but one step at least.
        assert len(sizes[chunk]) == 1 or len(sizes[chunk]) * sizes[0] * 2 <= numbers
    full = max(1, numbers // (2 * sizes[0]))
    assert len(found) == math.ceil(len(sizes) / full)


def test_chunks_without_units() -> None:
    assert chunks([3, 2], 0) == [(slice(0, 2), slice(0, 5))]


def test_steps_are_handed_out_from_the_last_to_the_first() -> None:
    rows, earlier = torch.arange(6.0)[:, None], [torch.zeros(size, 1) for size in (4, 3, 2)]
    after = [torch.full((size, 1), float(size)) for size in (3, 2, 1)]
    chunk = Steps(rows, None, rows, rows[:, :0], rows[:, :0], rows, after, earlier, torch.zeros(3, 0), [3, 2, 1])
    found = [
        (part[:, 0].tolist(), of_after[0].item(), len(of_earlier)) for part, of_after, of_earlier in chunk.split(rows)
    ]
    assert found == [([5], 1, 1), ([3, 4], 2, 2), ([0, 1, 2], 3, 3)]
    for _, _, of_earlier in chunk.split(rows):
        of_earlier.add_(1)
    assert [one[:, 0].tolist() for one in earlier] == [[1, 1, 1, 0], [1, 1, 0], [1, 0]]


Gated = tuple[Callable[..., tuple[Tensor, Tensor]], list[float], float, float]

# Gates that a bias of +-40 opens or shuts: the bias of each gate, the state before, the state that must come after.
CLOSED: dict[str, Gated] = {
    "brc keeps": (ops.brc, [40, 0, 9], 0.3, 0.3),
    "brc takes": (ops.brc, [-40, -40, 0.5], 0.3, math.tanh(0.5)),
    "brc doubles": (ops.brc, [-40, 40, 0.5], 0.3, math.tanh(0.5 + 2 * 0.3)),
    "nbrc keeps": (ops.nbrc, [40, 0, 9], 0.3, 0.3),
    "nbrc takes": (ops.nbrc, [-40, -40, 0.5], 0.3, math.tanh(0.5)),
    "nbrc doubles": (ops.nbrc, [-40, 40, 0.5], 0.3, math.tanh(0.5 + 2 * 0.3)),
    "mgu keeps": (ops.mgu, [-40, 9], 0.3, 0.3),
    "mgu takes": (ops.mgu, [40, 0.5], 0.3, math.tanh(0.5)),
    "gru keeps": (ops.gru, [9, 0, 40, 0], 0.3, 0.3),
    "gru takes": (ops.gru, [0.5, -40, -40, 7], 0.3, math.tanh(0.5)),
    "gru resets": (ops.gru, [0.5, 40, -40, 0.7], 0.3, math.tanh(0.5 + 0.7)),
}


@pytest.mark.parametrize("case", CLOSED)
def test_gates_that_are_open_or_shut(case: str) -> None:
    op, bias, before, after = CLOSED[case]
    gates = 3 if op is ops.gru else len(bias)
    rows = {"brc": 2, "nbrc": 2, "mgu": 2, "gru": 3}[case.split(maxsplit=1)[0]]
    states, last = op(
        torch.zeros(1, 1, 1, dtype=F64),
        torch.tensor([[before]], dtype=F64),
        torch.zeros(gates, 1, dtype=F64),
        torch.zeros(rows, 1, dtype=F64),
        torch.tensor(bias, dtype=F64),
    )
    assert states.item() == last.item() == pytest.approx(after, abs=1e-15)


def test_types_that_hold_no_fractions_are_refused() -> None:
    whole = torch.ones(3, 1, dtype=torch.long)
    with pytest.raises(TypeError, match=r"^weight_ih of brc must be of a floating-point type, got torch\.int64$"):
        ops.brc(whole[None], torch.ones(3, 1, dtype=torch.long), whole, whole[:2])


def test_what_vmap_maps_over() -> None:
    """Over inputs and states, over weights, and over the second dimension."""
    inputs, h, weight_ih, weight_hh = random(3, 5, 4, 2), random(5, 4, 3), random(9, 2), random(2, 3)

    def last(inputs: Tensor, h: Tensor, weight_ih: Tensor) -> Tensor:
        return ops.brc(inputs, h, weight_ih, weight_hh)[1]

    mapped = torch.func.vmap(last, in_dims=(1, 0, None))(inputs, h, weight_ih)
    expected = torch.stack([last(inputs[:, k], h[k], weight_ih) for k in range(5)])
    assert torch.equal(mapped, expected)
    weights = torch.stack([weight_ih, 2 * weight_ih])
    mapped = torch.func.vmap(last, in_dims=(None, None, 0))(inputs[:, 0], h[0], weights)
    assert torch.equal(mapped, torch.stack([last(inputs[:, 0], h[0], one) for one in weights]))
