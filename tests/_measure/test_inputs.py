from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence
from torch.utils.data import DataLoader, TensorDataset

from multistable import measure, warmup
from multistable._measure.inputs import batches
from multistable._measure.reach import draw_prefixes
from multistable.dynamics import Sequences, stacks


def draw(module: nn.Module, inputs: object, size: int = 4, count: int = 3) -> list[Sequences]:
    drawn = batches(module, stacks(module), inputs, size, torch.Generator().manual_seed(0), endless=True)
    return [next(drawn) for _ in range(count)]


def rows(sequences: Sequences) -> list[Tensor]:
    """Each sequence alone, without padding."""
    return [sequences.inputs[:length, row] for row, length in enumerate(sequences.lengths.tolist())]


def assert_drawn_from(pool: list[Tensor], drawn: list[Sequences], size: int) -> None:
    for one in drawn:
        found = [[torch.equal(row, sequence) for sequence in pool].index(True) for row in rows(one)]
        assert len(found) == len(set(found)) == size


POOL = list(torch.arange(70.0).reshape(10, 7, 1).unbind())
RAGGED = [sequence[: 1 + index % 5] for index, sequence in enumerate(POOL)]


@pytest.mark.parametrize(
    ("module", "inputs", "pool"),
    [
        (nn.GRU(1, 2), torch.stack(POOL, 1), POOL),
        (nn.GRU(1, 2, batch_first=True), torch.stack(POOL), POOL),
        (nn.GRUCell(1, 2), torch.stack(POOL, 1), POOL),
        (nn.GRU(1, 2), RAGGED, RAGGED),
        (nn.LSTMCell(1, 2), RAGGED, RAGGED),
        (nn.GRU(1, 2, batch_first=True), RAGGED, RAGGED),
        (nn.GRU(1, 2), pack_sequence(RAGGED, enforce_sorted=False), RAGGED),
        (nn.GRU(1, 2), TensorDataset(torch.stack(POOL), torch.zeros(10)), POOL),
    ],
)
def test_a_pool_is_drawn_from_without_replacement(module: nn.Module, inputs: object, pool: list[Tensor]) -> None:
    drawn = draw(module, inputs)
    assert_drawn_from(pool, drawn, size=4)
    assert any(not torch.equal(rows(drawn[0])[0], rows(one)[0]) for one in drawn[1:])
    assert_drawn_from(pool, draw(module, inputs, size=50), size=10)


@pytest.mark.parametrize(
    ("module", "batch"),
    [(nn.GRU(1, 2), torch.stack(POOL, 1)), (nn.Sequential(nn.GRU(1, 2)), torch.stack(POOL, 1))],
)
def test_of_a_pair_the_first_is_taken(module: nn.Module, batch: Tensor) -> None:
    alone, paired = (measure(module, inputs, horizon=5, generator=0).states for inputs in (batch, (batch, "targets")))
    assert torch.equal(alone, paired)


def test_of_a_models_pair_of_matrices_the_first_is_taken() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.rnn = nn.Embedding(5, 1), nn.GRU(1, 2, batch_first=True)

        def forward(self, tokens: Tensor) -> Tensor:
            outputs: Tensor = self.rnn(self.embedding(tokens))[0]
            return outputs

    model, tokens = Tokens(), torch.randint(5, (10, 7))
    pair = (tokens, torch.full((10, 7), 99))  # no token: the embedding would raise
    alone, paired = (measure(model, inputs, horizon=5, generator=0).states for inputs in (tokens, pair))
    assert torch.equal(alone, paired)


def test_single_steps_are_a_cells_own_layout() -> None:
    (drawn,) = draw(nn.GRUCell(1, 2), torch.arange(10.0)[:, None], size=10, count=1)
    assert drawn.inputs.shape == (1, 10, 1)


@pytest.mark.parametrize(
    "inputs",
    [
        DataLoader(TensorDataset(torch.stack(POOL), torch.zeros(10)), batch_size=5),
        [torch.stack(POOL[:5]), torch.stack(POOL[5:])],
        [(torch.stack(POOL[:5]), torch.zeros(5)), (torch.stack(POOL[5:]), torch.zeros(5))],
        [POOL[:5], POOL[5:]],
        [pack_sequence(POOL[:5]), pack_sequence(POOL[5:])],
    ],
)
def test_an_iterable_of_batches_starts_over(inputs: object) -> None:
    drawn = draw(nn.GRU(1, 2, batch_first=True), inputs)
    for one, pool in zip(drawn, [POOL[:5], POOL[5:], POOL[:5]], strict=True):
        assert all(torch.equal(row, sequence) for row, sequence in zip(rows(one), pool, strict=True))


def test_a_function_is_given_the_batch_size_and_a_generator() -> None:
    calls = []

    def source(batch_size: int, generator: torch.Generator) -> Tensor:
        calls.append(batch_size)
        return torch.randn(7, batch_size, 1, generator=generator)

    first, second = draw(nn.GRU(1, 2), source, count=2), draw(nn.GRU(1, 2), source, count=2)
    assert calls == [4] * 4
    assert torch.equal(first[1].inputs, second[1].inputs)
    assert not torch.equal(first[0].inputs, first[1].inputs)


def test_a_model_takes_what_its_forward_takes() -> None:
    class Keyed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(1, 4, batch_first=True)

        def forward(self, values: Tensor, scale: float = 1.0) -> Tensor:
            outputs: Tensor = self.rnn(scale * values)[0]
            return outputs

    values = torch.randn(20, 9, 1)
    by_tensor = measure(Keyed(), values, horizon=5, generator=0)
    assert by_tensor.n == 20
    model = Keyed()
    same = [
        measure(model, inputs, horizon=5, generator=0).states
        for inputs in (2 * values, {"values": values, "scale": 2.0})
    ]
    assert torch.equal(*same)
    items = measure(model, TensorDataset(values, torch.zeros(20)), horizon=5, n=15, generator=0)
    assert items.n == 15


def test_prefixes_are_uniform_and_within_bounds() -> None:
    lengths = torch.tensor([1, 5, 5, 40]).repeat(5000)
    generator = torch.Generator().manual_seed(0)
    capped = draw_prefixes(lengths, 8, generator).reshape(-1, 4)
    assert capped.min(0).values.tolist() == [1, 1, 1, 1]
    assert capped.max(0).values.tolist() == [1, 5, 5, 8]
    counts = capped[:, 3].bincount(minlength=9)[1:].double() / 5000
    assert (counts - 1 / 8).abs().max() < 5 * (1 / 8 * 7 / 8 / 5000) ** 0.5  # five standard deviations
    assert draw_prefixes(lengths, None, generator).reshape(-1, 4).max(0).values.tolist() == [1, 5, 5, 40]


GRU = nn.GRU(2, 4, num_layers=2)
GOOD = torch.randn(6, 10, 2)


def with_nan() -> Tensor:
    values = GOOD.clone()
    values[3, 4, 1] = float("nan")
    return values


def exhausted() -> Iterator[Tensor]:
    yield from [GOOD] * 12


BAD_INPUTS = [
    (torch.randn(6, 10, 2, 1), ValueError, r"inputs of GRU must be 2-D or 3-D, got 4-D of shape \(6, 10, 2, 1\)"),
    (torch.randn(6), ValueError, r"inputs of GRU must be 2-D or 3-D, got 1-D"),
    (torch.randn(6, 10, 3), ValueError, r"inputs of GRU must have 2 features, got 3"),
    (torch.randn(6, 0, 2), ValueError, r"at least one sequence of at least one step, got shape \(6, 0, 2\)"),
    (torch.randn(0, 10, 2), ValueError, r"at least one sequence of at least one step, got shape \(0, 10, 2\)"),
    ([torch.randn(3, 2), torch.randn(0, 2)], ValueError, r"sequences of at least one step, got none in sequence 1"),
    ([torch.randn(3, 2), torch.randn(3, 5)], ValueError, r"inputs of GRU must have 2 features, got 5"),
    (torch.randn(6, 1, 2), ValueError, r"at least two sequences .*to be told apart"),
    (with_nan(), ValueError, r"inputs must be finite, got 1 NaN or infinite values of 120"),
    (with_nan().nan_to_num(float("inf")), ValueError, r"inputs must be finite"),
    ([with_nan()], ValueError, r"inputs must be finite"),
    (GOOD.double(), TypeError, r"parameters' dtype torch.float32, got torch.float64"),
    (GOOD.long(), TypeError, r"parameters' dtype torch.float32, got torch.int64"),
    (GOOD.to_sparse(), TypeError, "inputs of GRU must be a dense tensor, got layout torch.sparse_coo"),
    (exhausted, TypeError, "inputs must be a generator, not the function that makes one: call it"),
    (GOOD.numpy().astype(object), TypeError, "arrays must hold numbers, got dtype object"),
    (None, TypeError, r"inputs must be a tensor, .* got NoneType"),
    (3, TypeError, r"inputs must be a tensor, .* got int"),
    ([], ValueError, r"at least one batch, got an empty list|at least two sequences"),
    (["text"], TypeError, r"inputs of GRU must be a tensor or a PackedSequence, got str"),
    (TensorDataset(torch.randn(0, 6, 2)), ValueError, r"at least one sequence, got an empty data set"),
]


@pytest.mark.parametrize(("inputs", "error", "message"), BAD_INPUTS)
def test_bad_inputs(inputs: object, error: type[Exception], message: str) -> None:
    before = [parameter.clone() for parameter in GRU.parameters()]
    with pytest.raises(error, match=message):
        warmup(GRU, inputs, generator=0)
    with pytest.raises(error, match=message):
        measure(GRU, inputs, generator=0)
    assert all(torch.equal(a, b) for a, b in zip(GRU.parameters(), before, strict=True))


BAD_NUMBERS = [
    ("objective", "vaa", ValueError, "objective must be 'vaa_star' or 'contraction', got 'vaa'"),
    ("steps", 0, ValueError, "steps must be at least 1, got 0"),
    ("steps", -3, ValueError, "steps must be at least 1, got -3"),
    ("steps", 2.5, TypeError, "steps must be an int, got float"),
    ("steps", True, TypeError, "steps must be an int, got bool"),
    ("horizon", 0, ValueError, "horizon must be at least 1, got 0"),
    ("horizon", 10**30, ValueError, r"horizon must be at most 2\^63 - 1, got 10{30}$"),
    ("horizon_increment", 0, ValueError, "horizon_increment must be at least 1, got 0"),
    ("batch_size", 1, ValueError, "batch_size must be at least 2, got 1"),
    ("max_prefix", 0, ValueError, "max_prefix must be at least 1, got 0"),
    ("tol", 0, ValueError, "tol must be finite and above 0, got 0"),
    ("tol", -1e-4, ValueError, "tol must be finite and above 0, got -0.0001"),
    ("tol", float("nan"), ValueError, "tol must be finite and above 0, got nan"),
    ("tol", "small", TypeError, "tol must be a number, got str"),
    ("lr", 0.0, ValueError, "lr must be finite and above 0, got 0.0"),
    ("lr", float("inf"), ValueError, "lr must be finite and above 0, got inf"),
    ("lr", 1e38, ValueError, r"lr must be at most 1e\+37, got 1e\+38"),
    ("target", 0.0, ValueError, "target must be finite and above 0, got 0.0"),
    ("target", 1.5, ValueError, r"target must lie in \(0, 1\], got 1.5"),
    ("generator", "seed", TypeError, "generator must be a torch.Generator, an int or None, got str"),
    ("generator", -1, ValueError, r"generator must be a seed in 0..2\^63 - 1, got -1"),
    ("layers", 3, TypeError, "layers must hold names, got int"),
    ("layers", [], ValueError, "layers must name at least one layer, got none"),
    ("layers", ["l7"], ValueError, r"layers must name recurrent layers \('l0', 'l1'\), got 'l7'"),
]


@pytest.mark.parametrize(("name", "value", "error", "message"), BAD_NUMBERS)
def test_bad_arguments_of_warmup(name: str, value: object, error: type[Exception], message: str) -> None:
    before = [parameter.clone() for parameter in GRU.parameters()]
    with pytest.raises(error, match=message):
        warmup(GRU, GOOD, **{name: value})  # type: ignore[arg-type]
    assert all(torch.equal(a, b) for a, b in zip(GRU.parameters(), before, strict=True))


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("horizon", 0, ValueError, "horizon must be at least 1, got 0"),
        ("horizon", 1.5, TypeError, "horizon must be an int, got float"),
        ("horizon", 10**30, ValueError, r"horizon must be at most 2\^63 - 1, got 10{30}$"),
        ("n", 1, ValueError, "n must be at least 2, got 1"),
        ("tol", 0.0, ValueError, "tol must be finite and above 0, got 0.0"),
        ("generator", 1.5, TypeError, "generator must be a torch.Generator, an int or None, got float"),
    ],
)
def test_bad_arguments_of_measure(name: str, value: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        measure(GRU, GOOD, **{name: value})  # type: ignore[call-overload]


@pytest.mark.parametrize("call", [measure, warmup])
def test_bad_modules(call: object) -> None:
    assert callable(call)
    with pytest.raises(TypeError, match="module must be an nn.Module, got str"):
        call("gru", GOOD)
    with pytest.raises(ValueError, match="module must be or hold a recurrent layer, got Linear without one; known are"):
        call(nn.Linear(2, 2), GOOD)
    with pytest.raises(TypeError, match="parameters of 'l0' must be float32 or float64, got torch.bfloat16"):
        call(nn.GRU(2, 4).bfloat16(), GOOD.bfloat16())
    broken = nn.GRU(2, 4)
    with torch.no_grad():
        broken.get_parameter("bias_ih_l0")[0] = float("nan")
    with pytest.raises(ValueError, match="parameters of 'l0' must be finite, got NaN or infinity"):
        call(broken, GOOD)


def test_all_parameters_frozen() -> None:
    with pytest.raises(ValueError, match="a layer to warm up must have a parameter that requires a gradient"):
        warmup(nn.GRU(2, 4).requires_grad_(False), GOOD)


def test_an_exhausted_iterator_restores_the_weights() -> None:
    before = [parameter.clone() for parameter in GRU.parameters()]
    with pytest.raises(
        RuntimeError,
        match=r"inputs ran out after 8 of 100 steps \(and the measure before them\): pass an iterable that can",
    ):
        warmup(GRU, exhausted(), generator=0)
    assert all(torch.equal(a, b) for a, b in zip(GRU.parameters(), before, strict=True))


def test_nan_in_a_later_batch_restores_the_weights() -> None:
    before = [parameter.clone() for parameter in GRU.parameters()]
    with pytest.raises(ValueError, match="inputs must be finite, got 1 NaN"):
        warmup(GRU, iter([*[GOOD] * 9, with_nan()]), generator=0)
    assert all(torch.equal(a, b) for a, b in zip(GRU.parameters(), before, strict=True))


class Detour(nn.Module):
    """A model that does not use its second recurrent layer, and makes NaN of large values."""

    def __init__(self, *, reaches: bool) -> None:
        super().__init__()
        self.first, self.second, self.reaches = nn.GRU(2, 4), nn.GRU(4, 4), reaches

    def forward(self, values: Tensor) -> Tensor:
        outputs: Tensor = self.first(values)[0]
        return self.second(outputs * 1e38 * 1e38 - outputs * 1e38 * 1e38)[0] if self.reaches else outputs


@pytest.mark.parametrize("call", [measure, warmup])
def test_a_layer_that_is_never_reached(call: object) -> None:
    assert callable(call)
    with pytest.raises(RuntimeError, match=r"the model's forward pass never reached 'second' \(GRU\)"):
        call(Detour(reaches=False), GOOD)
    warmup(Detour(reaches=False), GOOD, layers=["first"], steps=1)


def test_nan_made_within_a_model() -> None:
    with pytest.raises(ValueError, match="what 'second' receives must be finite, got"):
        measure(Detour(reaches=True), GOOD)
