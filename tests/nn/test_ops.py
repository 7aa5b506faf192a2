"""The fast recurrences against their references, the formulas written out, and their mathematical properties."""

import itertools
import math
import pickle
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
import torch
from devices import current, here, random
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode

from multistable.nn import ops
from multistable.nn.ops import _path
from multistable.nn.ops._recurrence import Step

pytestmark = pytest.mark.usefixtures("device")
I, H, B, T = 3, 5, 4, 7
NAMES = ("inputs", "h", "weight_ih", "weight_hh", "bias")


Scan = Callable[..., tuple[Tensor, Tensor]]


class Op(NamedTuple):
    name: str
    fast: Scan
    reference: Scan
    step: Step
    gates: int
    recurrent: int  # gates that see the state
    full: bool = True  # whether the recurrent weights are matrices
    biases: int = 0  # gates that have a bias, where these are more
    parts: int = 1  # tensors that make up a state
    hardness: float = 0.0

    def recurrent_shape(self, units: int) -> tuple[int, int]:
        return (self.recurrent * (units if self.full else 1), units)


class Arguments(NamedTuple):
    """In the order in which a recurrence takes them."""

    inputs: Tensor
    h: Tensor
    weight_ih: Tensor
    weight_hh: Tensor
    bias: Tensor | None
    batch_sizes: Tensor | None
    hardness: Tensor


OPS = {
    "brc": Op("brc", ops.brc, ops.brc_reference, ops.brc_step, 3, 2, full=False),
    "nbrc": Op("nbrc", ops.nbrc, ops.nbrc_reference, ops.nbrc_step, 3, 2),
    "mgu": Op("mgu", ops.mgu, ops.mgu_reference, ops.mgu_step, 2, 2),
    "gru": Op("gru", ops.gru, ops.gru_reference, ops.gru_step, 3, 3, biases=4),
    "lstm": Op("lstm", ops.lstm, ops.lstm_reference, ops.lstm_step, 4, 4, parts=2),
}
HARD = {f"hard {name}": op._replace(hardness=0.3) for name, op in OPS.items()}
SHAPES: dict[str, dict[str, Any]] = {
    "rectangular": {},
    "one step": {"steps": 1},
    "one sequence": {"batch": 1},
    "one unit": {"units": 1},
    "33 units": {"units": 33},
    "one feature": {"features": 1},
    "all ones": {"steps": 1, "batch": 1, "units": 1, "features": 1},
    "packed": {"lengths": [5, 5, 3, 1]},
    "packed, equal lengths": {"lengths": [4, 4, 4]},
    "packed, lengths of one": {"lengths": [1, 1, 1]},
    "packed, one sequence": {"lengths": [4]},
    "packed, one long": {"lengths": [9, 1, 1, 1, 1, 1]},
    "packed, strictly falling": {"lengths": [6, 5, 4, 3, 2, 1]},
    "packed, gaps": {"lengths": [11, 7, 2], "units": 33, "features": 1},
}
each = pytest.mark.parametrize("op", OPS.values(), ids=OPS)
soft_and_hard = pytest.mark.parametrize("op", (OPS | HARD).values(), ids=OPS | HARD)
shaped = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
biased = pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
packed = pytest.mark.parametrize("lengths", [None, [5, 3, 3, 1]], ids=["rectangular", "packed"])


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def equal(ours: Any, theirs: Any) -> None:
    # A few hundred operations at most lie between the two, each rounding to 1e-16.
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-12)


def batch_sizes(lengths: list[int]) -> Tensor:
    return torch.tensor([sum(length > t for length in lengths) for t in range(max(lengths))])


def arguments(
    op: Op,
    *,
    steps: int = T,
    batch: int = B,
    features: int = I,
    units: int = H,
    bias: bool = True,
    lengths: list[int] | None = None,
) -> Arguments:
    rows = (steps, batch) if lengths is None else (sum(lengths),)
    return Arguments(
        random(*rows, features),
        random(batch if lengths is None else len(lengths), op.parts * units),
        random(op.gates * units, features) / math.sqrt(features),
        random(*op.recurrent_shape(units)) / (math.sqrt(units) if op.full else 1),
        random((op.biases or op.gates) * units) if bias else None,
        None if lengths is None else batch_sizes(lengths),
        torch.tensor(op.hardness, dtype=torch.float64),
    )


def requiring_grad(given: Arguments, names: tuple[str, ...] = NAMES) -> tuple[Arguments, list[Tensor]]:
    """Leaves over the same memory, of which those named require a gradient."""
    values = {name: value if value is None else value.detach() for name, value in given._asdict().items()}
    at = [value.requires_grad_() for name in names if (value := values[name]) is not None]
    return Arguments._make(values.values()), at


def gradients(
    scan: Scan, given: Arguments, incoming: Sequence[Tensor | None], names: tuple[str, ...] = NAMES
) -> tuple[Tensor, ...]:
    leaves, at = requiring_grad(given, names)
    pairs = [(out, of_out) for out, of_out in zip(scan(*leaves), incoming, strict=True) if of_out is not None]
    return torch.autograd.grad([out for out, _ in pairs], at, [of_out for _, of_out in pairs])


def incoming_of(op: Op, given: Arguments, loss: str = "both") -> list[Tensor | None]:
    """The gradients that a loss on the states, on the last of them, or on both could pass on."""
    return [
        torch.randn_like(out) if loss in (name, "both") else None
        for name, out in zip(("states", "last"), op.reference(*given), strict=True)
    ]


def assert_agree(op: Op, given: Arguments) -> None:
    """Values, and gradients of a loss on both results."""
    equal(op.fast(*given), op.reference(*given))
    incoming = incoming_of(op, given)
    equal(gradients(op.fast, given, incoming), gradients(op.reference, given, incoming))


def with_dtype(given: Arguments, dtype: torch.dtype) -> Arguments:
    return Arguments._make(
        value.to(dtype) if value is not None and value.is_floating_point() else value for value in given
    )


def transposed(value: Tensor) -> Tensor:
    """The same values, the first dimension the innermost in memory."""
    return value.transpose(0, -1).contiguous().transpose(0, -1)


@each
@shaped
@pytest.mark.parametrize(("loss", "bias"), [("states", False), ("last", True), ("both", True), ("both", False)])
def test_values_and_gradients_are_those_of_the_reference(op: Op, shape: dict[str, Any], loss: str, bias: bool) -> None:
    given = arguments(op, **shape, bias=bias)
    states, last = op.fast(*given)
    assert states.shape == (*given.inputs.shape[:-1], given.weight_hh.shape[1]) and last.shape == given.h.shape
    equal((states, last), op.reference(*given))
    incoming = incoming_of(op, given, loss)
    expected = gradients(op.reference, given, incoming)
    assert all(gradient.abs().max() > 1e-6 for gradient in expected)
    equal(gradients(op.fast, given, incoming), expected)


@pytest.mark.parametrize("op", HARD.values(), ids=HARD)
@pytest.mark.parametrize("shape", ["rectangular", "33 units", "packed, gaps"])
def test_values_and_gradients_of_hard_gates_are_those_of_the_reference(op: Op, shape: str) -> None:
    assert_agree(op, arguments(op, **SHAPES[shape]))


@each
@pytest.mark.parametrize(
    "names", [names for count in (1, 2, 4) for names in itertools.combinations(NAMES, count)], ids="+".join
)
def test_any_choice_of_gradients(op: Op, names: tuple[str, ...]) -> None:
    given = arguments(op)
    incoming = incoming_of(op, given)
    equal(gradients(op.fast, given, incoming, names), gradients(op.reference, given, incoming, names))


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "transposed": transposed,
    "sliced": lambda value: torch.stack([value, value.sin()], -1)[..., 0],
    "expanded": lambda value: value[:1].expand_as(value),
}


@each
@packed
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_arguments_may_lie_in_memory_as_they_like(op: Op, lengths: list[int] | None, name: str, layout: str) -> None:
    given = arguments(op, lengths=lengths)
    value = LAYOUTS[layout](getattr(given, name))
    assert value.dim() == 1 or not value.is_contiguous()
    assert_agree(op, given._replace(**{name: value}))


@each
@packed
@pytest.mark.parametrize("layout", LAYOUTS)
def test_incoming_gradients_may_lie_in_memory_as_they_like(op: Op, lengths: list[int] | None, layout: str) -> None:
    given = arguments(op, lengths=lengths)
    incoming = [LAYOUTS[layout](torch.randn_like(out)) for out in op.reference(*given)]
    equal(
        gradients(op.fast, given, incoming),
        gradients(op.reference, given, [of_out.contiguous() for of_out in incoming]),
    )


@each
@packed
def test_incoming_gradients_may_be_one_number(op: Op, lengths: list[int] | None) -> None:
    given = arguments(op, lengths=lengths)
    expected = op.reference(*given)
    incoming = [here(torch.ones((), dtype=out.dtype)).expand_as(out) for out in expected]
    equal(
        gradients(op.fast, given, incoming),
        gradients(op.reference, given, [torch.ones_like(out) for out in expected]),
    )


@each
@pytest.mark.parametrize("shape", [
    {}, {"steps": 6}, {"steps": 1}, {"lengths": [9, 7, 7, 2]}, {"lengths": [6, 5, 4, 3, 2, 1]}, {"lengths": [8, 1, 1]},
])  # fmt: skip
@pytest.mark.parametrize("steps_in_chunk", [0, 1, 3])
def test_chunks_change_no_gradient(
    monkeypatch: pytest.MonkeyPatch, op: Op, shape: dict[str, Any], steps_in_chunk: int
) -> None:
    given = arguments(op, **shape)
    monkeypatch.setattr("multistable.nn.ops._rows._CHUNK", steps_in_chunk * given.h.numel())
    incoming = incoming_of(op, given)
    equal(gradients(op.fast, given, incoming), gradients(op.reference, given, incoming))


@each
@pytest.mark.parametrize("lengths", [None, [530, 529, 300, *[270] * 28, 1]], ids=["rectangular", "packed"])
def test_gradients_over_more_numbers_than_one_chunk_holds(op: Op, lengths: list[int] | None) -> None:
    given = arguments(op, steps=530, batch=32, units=16, features=1, lengths=lengths)
    given = given._replace(weight_ih=0.1 * given.weight_ih, weight_hh=0.5 * given.weight_hh)
    assert 2 * 2**17 < 530 * given.h.numel() / op.parts < 3 * 2**17
    incoming = incoming_of(op, given)
    ours, theirs = (gradients(scan, given, incoming) for scan in (op.fast, op.reference))
    for one, other in zip(ours, theirs, strict=True):
        # What is summed over up to 17,000 rows rounds to 1e-16 of the sum of its terms' sizes.
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@soft_and_hard
@biased
@packed
def test_gradients_are_slopes(op: Op, bias: bool, lengths: list[int] | None) -> None:
    given = arguments(op, steps=3, batch=2, units=3, features=2, bias=bias, lengths=lengths and [3, 2, 2])
    _, at = requiring_grad(given)

    def function(*values: Tensor) -> tuple[Tensor, Tensor]:
        inputs, h, weight_ih, weight_hh, *rest = values
        return op.fast(inputs, h, weight_ih, weight_hh, rest[0] if rest else None, given.batch_sizes, op.hardness)

    assert torch.autograd.gradcheck(function, at)


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def times(matrix: list[list[float]], vector: list[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


Matrix = list[list[float]]
Vector = list[float]


def gate(z: float, hardness: float) -> float:
    return min(max((1 + 2 * hardness) * sigmoid(z) - hardness, 0), 1)


def brc_by_hand(x: Vector, h: Vector, u: Matrix, w: Matrix, b: Vector, hardness: float) -> Vector:
    drive, n = [a + b for a, b in zip(times(u, x), b, strict=True)], len(h)
    c = [gate(drive[i] + w[0][i] * h[i], hardness) for i in range(n)]
    a = [1 + math.tanh(drive[n + i] + w[1][i] * h[i]) for i in range(n)]
    return [c[i] * h[i] + (1 - c[i]) * math.tanh(drive[2 * n + i] + a[i] * h[i]) for i in range(n)]


def nbrc_by_hand(x: Vector, h: Vector, u: Matrix, w: Matrix, b: Vector, hardness: float) -> Vector:
    drive, n = [a + b for a, b in zip(times(u, x), b, strict=True)], len(h)
    c = [gate(drive[i] + times(w[:n], h)[i], hardness) for i in range(n)]
    a = [1 + math.tanh(drive[n + i] + times(w[n:], h)[i]) for i in range(n)]
    return [c[i] * h[i] + (1 - c[i]) * math.tanh(drive[2 * n + i] + a[i] * h[i]) for i in range(n)]


def mgu_by_hand(x: Vector, h: Vector, u: Matrix, w: Matrix, b: Vector, hardness: float) -> Vector:
    drive, n = [a + b for a, b in zip(times(u, x), b, strict=True)], len(h)
    f = [gate(drive[i] + times(w[:n], h)[i], hardness) for i in range(n)]
    from_state = times(w[n:], [f[i] * h[i] for i in range(n)])
    return [(1 - f[i]) * h[i] + f[i] * math.tanh(drive[n + i] + from_state[i]) for i in range(n)]


def gru_by_hand(x: Vector, h: Vector, u: Matrix, w: Matrix, b: Vector, hardness: float) -> Vector:
    n, by_x, by_h = len(h), times(u, x), times(w, h)
    r = [sigmoid(by_x[n + i] + b[n + i] + by_h[i]) for i in range(n)]
    z = [gate(by_x[2 * n + i] + b[2 * n + i] + by_h[n + i], hardness) for i in range(n)]
    new = [math.tanh(by_x[i] + b[i] + r[i] * (by_h[2 * n + i] + b[3 * n + i])) for i in range(n)]
    return [(1 - z[i]) * new[i] + z[i] * h[i] for i in range(n)]


def lstm_by_hand(x: Vector, s: Vector, u: Matrix, w: Matrix, b: Vector, hardness: float) -> Vector:
    n = len(s) // 2
    h, c = s[:n], s[n:]
    drive = [sum(terms) for terms in zip(times(u, x), times(w, h), b, strict=True)]
    i, f = ([gate(one, hardness) for one in drive[k * n : (k + 1) * n]] for k in (0, 1))
    c = [f[k] * c[k] + i[k] * math.tanh(drive[3 * n + k]) for k in range(n)]
    return [*(sigmoid(drive[2 * n + k]) * math.tanh(c[k]) for k in range(n)), *c]


BY_HAND: dict[str, Callable[[Vector, Vector, Matrix, Matrix, Vector, float], Vector]] = {
    "brc": brc_by_hand,
    "nbrc": nbrc_by_hand,
    "mgu": mgu_by_hand,
    "gru": gru_by_hand,
    "lstm": lstm_by_hand,
}


@soft_and_hard
@pytest.mark.parametrize("units", [1, 2, 3])
def test_the_formula(op: Op, units: int) -> None:
    given = arguments(op, steps=3, batch=1, units=units)
    assert given.bias is not None
    state, expected = given.h[0].tolist(), []
    for x in given.inputs[:, 0].tolist():
        weights = given.weight_ih.tolist(), given.weight_hh.tolist(), given.bias.tolist()
        state = BY_HAND[op.name](x, state, *weights, op.hardness)
        expected.append(state)
    for scan in (op.fast, op.reference):
        states, last = scan(*given)
        equal(states[:, 0].tolist(), [state[:units] for state in expected])
        equal(last[0].tolist(), expected[-1])


@each
@pytest.mark.parametrize("scan", ["fast", "reference"])
def test_bias_is_none_by_default(op: Op, scan: str) -> None:
    function: Callable[..., tuple[Tensor, Tensor]] = getattr(op, scan)
    given = arguments(op, bias=False)
    equal(function(*given[:4]), function(*given[:4], here(torch.zeros((op.biases or op.gates) * H).double()), None))


@each
def test_packed_sequences_do_not_see_each_other(op: Op) -> None:
    lengths = [6, 4, 4, 1]
    given = arguments(op, lengths=lengths)
    states, last = op.fast(*given)
    sizes = batch_sizes(lengths).tolist()
    for b, length in enumerate(lengths):
        rows = [sum(sizes[:t]) + b for t in range(length)]
        alone = given._replace(inputs=given.inputs[rows, None], h=given.h[b : b + 1], batch_sizes=None)
        equal((states[rows, None], last[b : b + 1]), op.fast(*alone))


seeds = st.integers(0, 10_000)
sizes = st.integers(1, 6)


@soft_and_hard
@settings(max_examples=30)
@given(steps=sizes, batch=sizes, units=sizes, scale=st.sampled_from([0.1, 1.0, 10.0, 1e3]), seed=seeds)
def test_states_stay_within_the_larger_of_one_and_the_first(
    op: Op, steps: int, batch: int, units: int, scale: float, seed: int
) -> None:
    torch.manual_seed(seed)
    *values, _, _ = arguments(op, steps=steps, batch=batch, units=units)
    inputs, h, weight_ih, weight_hh, bias = (scale * value for value in values if value is not None)
    states, last = op.fast(inputs, h, weight_ih, weight_hh, bias, None, op.hardness)
    bound = h.abs().clamp(min=1) * (1 + 1e-12)
    if op.name == "lstm":
        assert (states.abs() <= 1).all() and (last[:, units:].abs() <= h.abs()[:, units:] + steps * (1 + 1e-12)).all()
    else:
        assert (states.abs() <= bound).all()


@each
@settings(max_examples=30)
@given(steps=sizes, batch=sizes, units=sizes, seed=seeds)
def test_permuted_sequences_give_permuted_states(op: Op, steps: int, batch: int, units: int, seed: int) -> None:
    torch.manual_seed(seed)
    given = arguments(op, steps=steps, batch=batch, units=units)
    order = here(torch.randperm(batch))
    states, last = op.fast(*given)
    permuted = op.fast(*given._replace(inputs=given.inputs[:, order], h=given.h[order]))
    equal(permuted, (states[:, order], last[order]))


@each
@settings(max_examples=30)
@given(before=sizes, after=sizes, batch=sizes, seed=seeds)
def test_the_state_is_all_that_the_past_passes_on(op: Op, before: int, after: int, batch: int, seed: int) -> None:
    torch.manual_seed(seed)
    given = arguments(op, steps=before + after, batch=batch)
    states, last = op.fast(*given)
    early, between = op.fast(*given._replace(inputs=given.inputs[:before]))
    late, end = op.fast(*given._replace(inputs=given.inputs[before:], h=between))
    equal((torch.cat([early, late]), end), (states, last))


@each
@packed
def test_second_derivatives_are_refused(op: Op, lengths: list[int] | None) -> None:
    leaves, at = requiring_grad(arguments(op, lengths=lengths))
    states, _ = op.fast(*leaves)
    first = torch.autograd.grad(states.square().sum(), at, create_graph=True)
    message = (
        f"multistable.nn.ops.{op.name} has no second derivative: {op.name}_reference has, the same function in plain "
        "operations"
    )
    for of_one in first:
        with pytest.raises(NotImplementedError, match=f"^{message}$"):
            torch.autograd.grad(of_one.sum(), at, retain_graph=True, allow_unused=True)


@soft_and_hard
def test_the_reference_has_second_derivatives(op: Op) -> None:
    given = arguments(op, batch=1, units=2, features=1, lengths=[2, 1])
    _, at = requiring_grad(given)

    def function(inputs: Tensor, h: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
        return op.reference(inputs, h, weight_ih, weight_hh, bias, given.batch_sizes, op.hardness)

    assert torch.autograd.gradgradcheck(function, at)


@each
@packed
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_shorter_dtypes_differ_by_their_rounding(op: Op, lengths: list[int] | None, dtype: torch.dtype) -> None:
    # Some ten roundings of half an eps in each of 7 steps, and as many again on the way back: in random directions they
    # come to the root of their number. Twice that.
    allowed = 2 * math.sqrt(2 * 7 * 10) / 2
    short = with_dtype(arguments(op, lengths=lengths), dtype)
    exact = with_dtype(short, torch.float64)
    incoming = [torch.randn_like(out) for out in op.reference(*short)]
    ours = *op.fast(*short), *gradients(op.fast, short, incoming)
    theirs = *op.reference(*exact), *gradients(op.reference, exact, [of_out.double() for of_out in incoming])
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == dtype
        assert (one.double() - other).abs().max() <= allowed * torch.finfo(dtype).eps * other.abs().max()


@each
@pytest.mark.parametrize(("lengths", "names"), [
    (None, NAMES),
    ([3, 3, 1], NAMES[:4]),
    (None, ("h",)),
])  # fmt: skip
def test_the_operator_keeps_torchs_rules(op: Op, lengths: list[int] | None, names: tuple[str, ...]) -> None:
    given, _ = requiring_grad(arguments(op, steps=3, lengths=lengths, bias="bias" in names), names)
    torch.library.opcheck(getattr(torch.ops.multistable, op.name).default, tuple(given))


@each
@pytest.mark.parametrize("name", NAMES[:4])
def test_the_fake_kernel_knows_the_layout_of_results(op: Op, name: str) -> None:
    given = arguments(op, steps=3)
    given = given._replace(**{name: transposed(getattr(given, name))})
    torch.library.opcheck(
        getattr(torch.ops.multistable, op.name).default, tuple(given), test_utils=("test_faketensor",)
    )


class Recorder(TorchDispatchMode):
    """Keeps what an operator is called with."""

    def __init__(self, operator: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operator = operator
        self.calls: list[tuple[Any, ...]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is self.operator:
            self.calls.append(tuple(args))
        return func(*args, **(kwargs or {}))


def check_backward_operator(op: Op, given: Arguments, loss: str = "both", names: tuple[str, ...] = NAMES) -> None:
    operator = getattr(torch.ops.multistable, f"{op.name}_backward").default
    with Recorder(operator) as recorder:
        gradients(op.fast, given, incoming_of(op, given, loss), names)
    (call,) = recorder.calls
    torch.library.opcheck(operator, call, test_utils=("test_schema", "test_faketensor"))


@each
@packed
@pytest.mark.parametrize("loss", ["states", "last", "both"])
def test_the_backward_operator_keeps_torchs_rules(op: Op, lengths: list[int] | None, loss: str) -> None:
    check_backward_operator(op, arguments(op, steps=3, lengths=lengths), loss)


@each
@pytest.mark.parametrize("names", [("inputs",), ("h",), ("weight_ih", "weight_hh", "bias")], ids="+".join)
def test_the_backward_operator_keeps_torchs_rules_for_some_gradients(op: Op, names: tuple[str, ...]) -> None:
    check_backward_operator(op, arguments(op, steps=3), names=names)


@each
@packed
@pytest.mark.parametrize("name", NAMES[:4])
def test_the_fake_kernel_knows_the_layout_of_gradients(op: Op, lengths: list[int] | None, name: str) -> None:
    given = arguments(op, steps=3, lengths=lengths)
    check_backward_operator(op, given._replace(**{name: transposed(getattr(given, name))}))


@each
@packed
def test_nothing_given_is_changed(op: Op, lengths: list[int] | None) -> None:
    leaves, at = requiring_grad(arguments(op, lengths=lengths))
    given = [value for value in leaves if value is not None]
    before = [value.detach().clone() for value in given]
    outs = op.fast(*leaves)
    incoming = [torch.randn_like(out) for out in outs]
    kept = [*outs, *incoming]
    copies = [value.detach().clone() for value in kept]
    torch.autograd.grad(outs, at, incoming)
    assert all(torch.equal(one, other) for one, other in zip([*given, *kept], [*before, *copies], strict=True))


@each
@packed
def test_the_backward_pass_can_be_repeated(op: Op, lengths: list[int] | None) -> None:
    leaves, at = requiring_grad(arguments(op, lengths=lengths))
    outs = op.fast(*leaves)
    incoming = [torch.randn_like(out) for out in outs]
    first = torch.autograd.grad(outs, at, incoming, retain_graph=True)
    second = torch.autograd.grad(outs, at, incoming)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@each
@packed
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_values_without_a_graph(op: Op, lengths: list[int] | None, mode: Callable[[], Any]) -> None:
    leaves, _ = requiring_grad(arguments(op, lengths=lengths))
    expected = op.fast(*leaves)
    with mode():
        found = op.fast(*leaves)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other) and other.requires_grad and not one.requires_grad


@each
@pytest.mark.parametrize("shape", [{}, {"steps": 1}, {"lengths": [3, 1]}, {"lengths": [1, 1]}])
def test_results_have_memory_of_their_own(op: Op, shape: dict[str, Any]) -> None:
    given = arguments(op, **shape)
    everything = [*(value for value in given if value is not None), *op.fast(*given)]
    assert len({value.untyped_storage().data_ptr() for value in everything}) == len(everything)


@each
def test_the_operator_gives_the_gates_no_gradient(op: Op) -> None:
    leaves, _ = requiring_grad(arguments(op))
    states, last, gates, inners = getattr(torch.ops.multistable, op.name).default(*leaves)
    assert states.requires_grad and last.requires_grad and not gates.requires_grad and not inners.requires_grad


@each
def test_weights_changed_before_the_backward_pass_are_noticed(op: Op) -> None:
    leaves, _ = requiring_grad(arguments(op))
    states, _ = op.fast(*leaves)
    with torch.no_grad():
        leaves.weight_hh.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        states.sum().backward()


@each
def test_autocast_does_not_reach_inside(op: Op) -> None:
    given = with_dtype(arguments(op), torch.float32)
    plain = op.fast(*given)
    with torch.autocast(current().type, torch.bfloat16):
        cast = op.fast(*given)
    assert all(torch.equal(one, other) for one, other in zip(cast, plain, strict=True))


@each
def test_autocast_does_not_reach_inside_the_backward_pass(op: Op) -> None:
    leaves, at = requiring_grad(with_dtype(arguments(op), torch.float32))
    outs = op.fast(*leaves)
    incoming = [torch.randn_like(out) for out in outs]
    plain = torch.autograd.grad(outs, at, incoming, retain_graph=True)
    with torch.autocast(current().type, torch.bfloat16):
        cast = torch.autograd.grad(outs, at, incoming)
    assert all(torch.equal(one, other) for one, other in zip(cast, plain, strict=True))


# Of torch's own, when it first makes a dual tensor.
forward_mode = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")


@each
@forward_mode
@pytest.mark.parametrize("name", NAMES)
def test_forward_mode_derivatives_are_refused(op: Op, name: str) -> None:
    given = arguments(op)
    value = getattr(given, name)
    message = (
        f"multistable.nn.ops.{op.name} has no forward-mode derivative: {op.name}_reference has, the same function in "
        "plain operations"
    )
    with forward_ad.dual_level(), pytest.raises(NotImplementedError, match=f"^{message}$"):
        op.fast(*given._replace(**{name: forward_ad.make_dual(value, value)}))
    with pytest.raises(NotImplementedError, match=f"^{message}$"):
        torch.func.jvp(lambda at: op.fast(*given._replace(**{name: at})), (value,), (value,))


@each
@forward_mode
@pytest.mark.parametrize("name", NAMES)
def test_forward_mode_derivatives_of_the_reference_are_adjoint_to_gradients(op: Op, name: str) -> None:
    given = arguments(op)
    value = getattr(given, name)
    direction, incoming = torch.randn_like(value), incoming_of(op, given)
    slopes = torch.func.jvp(lambda at: op.reference(*given._replace(**{name: at})), (value,), (direction,))[1]
    (gradient,) = gradients(op.fast, given, incoming, (name,))
    equal(sum((a * b).sum() for a, b in zip(slopes, incoming, strict=True)), (gradient * direction).sum())


@each
@packed
@pytest.mark.parametrize(("name", "change", "message"), [
    ("inputs", lambda one: one[None], r"inputs of \w+ must be .* of at least one step, got shape \(1, "),
    ("inputs", lambda one: one[:0], r"inputs of \w+ must be .* of at least one step, got shape \(0, "),
    ("h", lambda one: one[:1], r"h of \w+ must be \(4, (2 \* )?H\), got shape \(1, "),
    ("h", lambda one: one[0], r"h of \w+ must be \(4, (2 \* )?H\), got shape \(\d+,\)"),
    ("weight_ih", lambda one: one[1:], "weight_ih of .* must be .*, got shape"),
    ("weight_ih", lambda one: one[:, :1], "weight_ih of .* must be .*, got shape"),
    ("weight_hh", lambda one: one[:, :1], "weight_hh of .* must be .*, got shape"),
    ("bias", lambda one: one[:1], r"bias of .* must be .*, got shape \(1,\)"),
    ("h", lambda one: one.float(), "h of .* must have weight_ih's dtype and device .*, got torch.float32, .*"),
    ("bias", lambda one: one.to("meta"), "bias of .* must have weight_ih's dtype and device .*, got .*, meta"),
])  # fmt: skip
def test_arguments_that_do_not_fit(
    op: Op, lengths: list[int] | None, name: str, change: Callable[[Tensor], Tensor], message: str
) -> None:
    given = arguments(op, lengths=lengths)
    with pytest.raises(ValueError, match=message):
        op.fast(*given._replace(**{name: change(getattr(given, name))}))


@each
def test_functions_have_names_and_can_be_pickled(op: Op) -> None:
    assert pickle.loads(pickle.dumps(op.fast)) is op.fast
    assert getattr(ops, op.name) is op.fast and op.fast.__doc__


@each
@pytest.mark.parametrize("hardness", [1e-3, 0.1, 0.3, 2.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_gate_at_its_end_keeps_the_state_and_its_gradient_to_the_bit(
    op: Op, hardness: float, dtype: torch.dtype
) -> None:
    """Half of the units keep what they have through 50 steps of noise, the other half do not."""
    units, steps = 6, 50
    given = with_dtype(arguments(op, steps=steps, units=units), dtype)
    assert given.bias is not None
    kept = torch.arange(units) < units // 2
    # The pre-activation from which on the gate is at its end, and as much again as inputs and states can take away.
    far = math.log((1 + hardness) / hardness) + 1 + 6 * given.weight_ih.abs().sum(1).max() + units * 2
    for gate, sign in {"brc": [(0, 1)], "nbrc": [(0, 1)], "mgu": [(0, -1)], "gru": [(2, 1)], "lstm": [(0, -1), (1, 1)]}[
        op.name
    ]:
        given.bias[gate * units :][:units] = here(torch.where(kept, sign * far.cpu(), -sign * far.cpu()))
    leaves, _ = requiring_grad(given._replace(hardness=torch.tensor(hardness)), ("h",))
    _, last = op.fast(*leaves)
    of_kept = slice((op.parts - 1) * units, (op.parts - 1) * units + units // 2)
    assert torch.equal(last[:, of_kept], given.h[:, of_kept])
    assert not (last[:, of_kept.stop :] == given.h[:, of_kept.stop :]).any()
    (gradient,) = torch.autograd.grad(last[:, of_kept].sum(), leaves.h)
    assert torch.equal(gradient[:, of_kept], torch.ones_like(gradient[:, of_kept]))
    assert gradient.count_nonzero() == gradient[:, of_kept].numel()


@each
@pytest.mark.parametrize("scan", ["fast", "reference"])
def test_no_hardness_is_the_ordinary_cell_to_the_bit(op: Op, scan: str) -> None:
    given = arguments(op)
    function = getattr(op, scan)
    for zero in (0, 0.0, torch.zeros(()), torch.zeros((), dtype=torch.float64)):
        found = function(*given[:6], zero)
        assert all(torch.equal(one, other) for one, other in zip(found, function(*given[:6]), strict=True))


@each
@pytest.mark.parametrize(("hardness", "error", "message"), [
    (-0.1, ValueError, "hardness must be finite and not negative, got -0.1"),
    (math.nan, ValueError, "hardness must be finite and not negative, got nan"),
    (math.inf, ValueError, "hardness must be finite and not negative, got inf"),
    (True, TypeError, "hardness must be a number, got bool True"),
    ("0.3", TypeError, "hardness must be a number, got str '0.3'"),
    (torch.tensor(-0.5), ValueError, "hardness must be finite and not negative, got -0.5"),
    (torch.tensor(math.nan), ValueError, "hardness must be finite and not negative, got nan"),
    (torch.tensor(1), TypeError, "hardness must be of a floating-point type, got torch.int64"),
    (torch.zeros(2), ValueError, r"hardness must be a single number, got shape \(2,\)"),
])  # fmt: skip
def test_hardness_that_is_none(op: Op, hardness: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        op.fast(*arguments(op)[:6], hardness)


def test_marked_as_constant_as_torch_marks() -> None:
    # Done by hand in ops._path, for torch.compiler's decorator takes long to import.
    marked = torch.compiler.assume_constant_result(lambda: None)
    assert vars(marked) == vars(_path._of_device)
