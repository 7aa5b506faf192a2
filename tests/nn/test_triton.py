"""The kernels for a GPU against the formulas.

Where there is no GPU, Triton's interpreter runs them on the CPU. That has to be decided before they are imported: a
process of its own runs this file once more.
"""

import math
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from devices import here, randn
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from multistable import dynamics, nn
from multistable.nn import ops
from multistable.nn.ops import _path
from multistable.nn.ops._recurrence import Recurrence

pytest.importorskip("triton")
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
ALL = {name: getattr(ops, name) for name in ("brc", "nbrc", "mgu", "gru", "lstm")}
PATHS = [("brc", "elementwise")] + [(name, form) for name in list(ALL)[1:] for form in ("resident", "streamed")]
H100 = 232_448  # bytes of shared memory that a program can have there
each = pytest.mark.parametrize(("name", "form"), PATHS, ids=[f"{name} {form}" for name, form in PATHS])
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@pytest.fixture
def _kernels(device: torch.device) -> None:
    if device.type == "cpu" and not INTERPRETED:
        pytest.skip("runs in the interpreter, in a process of its own")


kernels = pytest.mark.usefixtures("_kernels")


@pytest.mark.skipif(INTERPRETED or torch.cuda.is_available(), reason="they run here already")
def test_all_of_this_in_the_interpreter() -> None:
    root = Path(__file__).parents[2]
    alone = {**os.environ, "TRITON_INTERPRET": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", __file__]
    run = subprocess.run(command, cwd=root, env=alone, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed and int(passed[1]) > 8 * len(PATHS), run.stdout


def path_of(form: str, precision: str = "tf32x3") -> str:
    return "triton elementwise" if form == "elementwise" else f"triton {form} {precision}"


class Case(NamedTuple):
    steps: int
    batch: int
    units: int
    features: int
    hardness: float | None = None
    bias: bool = True
    lengths: tuple[int, ...] = ()


def drawn() -> Iterator[Case]:
    """Every dimension up to 200; in the interpreter, where a program's step takes milliseconds, fewer and in turn."""
    yield Case(0, 0, 5, 3, bias=False, lengths=(6, 4, 4, 1))
    yield Case(0, 0, 17, 2, 0.2, lengths=(*[3] * 2, *[2] * 15, 1))
    draw = random.Random(0)
    for long, (low, high) in enumerate(((10, 20), (20, 40), (130, 200))):  # more units than one block has
        sizes = [draw.randint(1, 4) for _ in range(4)]
        sizes[long] = draw.randint(low, high)
        yield Case(sizes[0], sizes[1], sizes[2], sizes[3], draw.choice([None, 0.3]))
    if not torch.cuda.is_available():
        return
    for _ in range(10):
        sizes = [draw.randint(1, 200) for _ in range(4)]
        yield Case(sizes[0], sizes[1], sizes[2], sizes[3], draw.choice([None, 0.3]), draw.random() < 0.5)
    for _ in range(5):
        lengths = sorted((draw.randint(1, 200) for _ in range(draw.randint(1, 200))), reverse=True)
        yield Case(0, 0, draw.randint(1, 300), 3, draw.choice([None, 0.3]), lengths=tuple(lengths))


def arguments(op: Recurrence, case: Case) -> tuple[list[Tensor | None], Tensor | None, Tensor | None]:
    """inputs, h, weight_ih, weight_hh and bias; batch sizes; hardness."""
    rows: tuple[int, ...] = (case.steps, case.batch)
    batch, sizes = case.batch, None
    if case.lengths:
        rows, batch = (sum(case.lengths),), len(case.lengths)
        sizes = torch.tensor([sum(length > t for length in case.lengths) for t in range(case.lengths[0])])
    recurrent = op.recurrent_shape(case.units)
    return (
        [
            randn(*rows, case.features),
            randn(batch, op.parts * case.units),
            randn(op.gates * case.units, case.features) / math.sqrt(case.features),
            randn(*recurrent) / math.sqrt(recurrent[1] if op.name != "brc" else 1),
            randn(op.bias_gates * case.units) if case.bias else None,
        ],
        sizes,
        None if case.hardness is None else torch.tensor(case.hardness),
    )


def scan(op: Recurrence, path: str, *given: Tensor | None) -> tuple[Tensor, Tensor]:
    states, last, *_ = getattr(torch.ops.multistable, op.name)(*given, path)
    return states, last


def results(function: Any, values: list[Tensor | None], *fixed: Any) -> list[Tensor]:
    """Values, and gradients of a loss on both results."""
    leaves = [None if value is None else value.detach().requires_grad_() for value in values]
    states, last = function(*leaves, *fixed)
    incoming = [randn(*out.shape, seed=seed).to(out) for seed, out in ((1, states), (2, last))]
    at = [leaf for leaf in leaves if leaf is not None]
    return [states, last, *torch.autograd.grad([states, last], at, incoming)]


@kernels
@each
@pytest.mark.parametrize("case", list(drawn()), ids=str)
def test_values_and_gradients_are_those_of_the_formula(name: str, form: str, case: Case) -> None:
    op = ALL[name]
    values, sizes, hardness = arguments(op, case)
    weight_hh = values[3]
    assert weight_hh is not None
    if weight_hh.is_cuda and form == "resident" and op.path(weight_hh) != path_of(form):
        pytest.skip("more weights than a program can hold")
    ours = results(lambda *given: scan(op, path_of(form), *given), values, sizes, hardness)
    plain = results(lambda *given: scan(op, "plain", *given), values, sizes, hardness)
    in_float64 = [None if value is None else value.double() for value in values]
    exact = results(op.reference, in_float64, sizes, case.hardness or 0.0)
    for one, of_plain, other in zip(ours, plain, exact, strict=True):
        # As precise as the plain passes, which round as often; beside them a few roundings of the largest.
        allowed = 2 * (of_plain - other).abs().max() + 8 * torch.finfo(torch.float32).eps * other.abs().max()
        assert (one - other).abs().max() <= allowed


KEEPING = {"brc": [1e3, 0, 9], "nbrc": [1e3, 0, 9], "mgu": [-1e3, 9], "gru": [9, 0, 1e3, 0], "lstm": [-1e3, 1e3, 0, 9]}


@kernels
@each
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # numpy's, on the way to a gate's exact end
def test_a_gate_at_its_end_passes_the_state_and_its_gradient_to_the_bit(name: str, form: str) -> None:
    op, units = ALL[name], 20
    (inputs, h, weight_ih, weight_hh, _), _, _ = arguments(op, Case(9, 3, units, 2))
    assert inputs is not None and h is not None and weight_ih is not None and weight_hh is not None
    bias = here(torch.tensor(KEEPING[name])).repeat_interleave(units)
    leaves = [value.requires_grad_() for value in (inputs, h, weight_ih, weight_hh, bias)]
    _, last = scan(op, path_of(form), *leaves, None, torch.tensor(0.1))
    kept = slice(units, None) if name == "lstm" else slice(None)  # of an LSTM, c
    assert torch.equal(last[:, kept], h[:, kept])
    incoming = torch.randn_like(h[:, kept])
    of_inputs, of_h, *of_weights = torch.autograd.grad(last[:, kept], leaves, incoming)
    assert torch.equal(of_h[:, kept], incoming)
    assert of_inputs.count_nonzero() == 0 and all(of.count_nonzero() == 0 for of in of_weights)


@kernels
@each
def test_nan_stays_in_its_sequence_and_is_not_swallowed(name: str, form: str) -> None:
    op = ALL[name]
    values, _, _ = arguments(op, Case(3, 4, 5, 2))
    inputs = values[0]
    assert inputs is not None
    inputs[1, 2] = math.nan
    states, last = scan(op, path_of(form), *values, None, torch.tensor(0.1))
    assert states[1:, 2].isnan().all() and last[2].isnan().all()
    assert states[0].isfinite().all() and last[[0, 1, 3]].isfinite().all()


@kernels
@each
@pytest.mark.parametrize("steps", [0, 5])
def test_what_is_held_is_the_last_state_under_a_constant_drive(name: str, form: str, steps: int) -> None:
    op = ALL[name]
    (_, h, _, weight_hh, drive), _, hardness = arguments(op, Case(1, 17, 20, 1, 0.2))
    assert h is not None and weight_hh is not None and drive is not None
    held = getattr(torch.ops.multistable, f"{name}_hold")(drive, h, weight_hh, hardness, steps, path_of(form))
    expected = op.hold(drive.double(), h.double(), weight_hh.double(), steps, 0.2)
    torch.testing.assert_close(held.double(), expected, rtol=0, atol=(steps + 1) * 8 * torch.finfo(torch.float32).eps)


class Recorder(TorchDispatchMode):
    """Keeps which path each operator of ours was called with."""

    paths: tuple[Any, ...] = ()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "multistable":
            self.paths += (args[-1],)
        return func(*args, **(kwargs or {}))


@kernels
@each
def test_the_way_back_is_the_way_there_however_arguments_lie_in_memory(name: str, form: str) -> None:
    op = ALL[name]
    values, sizes, hardness = arguments(op, Case(3, 4, 5, 2, 0.2))
    expected = results(lambda *given: scan(op, path_of(form), *given), values, sizes, hardness)
    apart = [None if value is None else torch.stack([value, value], -1)[..., 0] for value in values]
    with Recorder() as recorder:  # type: ignore[no-untyped-call]
        found = results(lambda *given: scan(op, path_of(form), *given), apart, sizes, hardness)
    assert recorder.paths == (path_of(form), path_of(form))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@kernels
@pytest.mark.parametrize(("name", "form"), PATHS[::4], ids=str)
def test_the_operators_keep_torchs_rules_on_every_path(name: str, form: str) -> None:
    op = ALL[name]
    values, sizes, hardness = arguments(op, Case(0, 0, 3, 2, 0.2, lengths=(3, 1)))
    leaves = [None if value is None else value.requires_grad_() for value in values]
    operator = getattr(torch.ops.multistable, name).default
    torch.library.opcheck(operator, (*leaves, sizes, hardness, path_of(form)))
    drive, h, weight_hh = (value.detach() for value in (leaves[4], leaves[1], leaves[3]) if value is not None)
    operator = getattr(torch.ops.multistable, f"{name}_hold").default
    torch.library.opcheck(operator, (drive, h, weight_hh, hardness, 2, path_of(form)))


def test_vmap_holds_one_after_the_other() -> None:
    (_, h, _, weight_hh, drive), _, _ = arguments(ops.mgu, Case(1, 4, 5, 2))
    assert h is not None and weight_hh is not None and drive is not None
    drives = torch.stack([drive, 2 * drive, -drive], 1)
    held = torch.func.vmap(lambda drive: ops.mgu.hold(drive, h, weight_hh, 3), in_dims=1)(drives)
    assert torch.equal(held, torch.stack([ops.mgu.hold(one, h, weight_hh, 3) for one in drives.unbind(1)]))


def test_hold_refuses_what_does_not_fit() -> None:
    drive, h, weight_hh = torch.zeros(16), torch.zeros(2, 8), torch.zeros(16, 4)
    cases: list[tuple[Callable[[], Tensor], str]] = [
        (
            lambda: ops.lstm.hold(drive, h[:, :7], weight_hh, 1),
            r"^h of lstm must be \(B, 2 \* H\), got shape \(2, 7\)$",
        ),
        (lambda: ops.lstm.hold(drive[1:], h, weight_hh, 1), r"^drive of lstm must be \(16,\), got shape \(15,\)$"),
        (lambda: ops.lstm.hold(drive, h, weight_hh[1:], 1), r"^weight_hh of lstm must be \(16, 4\), got shape"),
        (lambda: ops.lstm.hold(drive, h.double(), weight_hh, 1), "^h of lstm must have weight_hh's dtype and device"),
        (lambda: ops.lstm.hold(drive, h, weight_hh, -1), "^steps must be at least 0, got -1$"),
        (lambda: ops.lstm.hold(drive, h, weight_hh, 1, -0.5), "^hardness must be finite and not negative, got -0.5$"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize(("name", "precision", "resident"), [
    ("nbrc", "tf32", 128), ("mgu", "tf32", 128), ("gru", "tf32", 64), ("lstm", "tf32", 64),
    ("nbrc", "tf32x3", 64), ("mgu", "tf32x3", 64), ("gru", "tf32x3", 64), ("lstm", "tf32x3", 64),
])  # fmt: skip
def test_weights_are_resident_as_long_as_they_fit(
    monkeypatch: pytest.MonkeyPatch, name: str, precision: str, resident: int
) -> None:
    monkeypatch.setattr(_path, "_of_device", lambda device, dtype: ("", precision, H100))
    for size, form in ((1, "resident"), (resident, "resident"), (resident + 1, "streamed"), (4096, "streamed")):
        assert ALL[name].path(torch.empty(1, size)) == f"triton {form} {precision}"
    assert ops.brc.path(torch.empty(2, 4096)) == "triton elementwise"


def test_a_plain_path_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda")
    assert ops.gru.path(torch.empty(3, 1)) == "plain (on cpu)"
    assert ops.gru.path(torch.empty(3, 1, device="meta")) == "plain (on meta)"
    assert _path.choose("rnn", torch.empty(1, 1)) == ("plain", "rnn has no kernels")
    assert _path._of_device(gpu, torch.float64)[0] == "torch.float64, the kernels are for torch.float32"
    monkeypatch.setattr(_path, "_HAS_TRITON", False)
    assert _path._of_device(gpu, torch.float32)[0] == "Triton is not installed"


@pytest.mark.skipif(INTERPRETED, reason="nothing is compiled there")
@each
def test_kernels_compile_and_fit(name: str, form: str) -> None:
    """For an H100, wherever this runs: the interpreter lets pass what the compiler does not take."""
    from triton import compile
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from multistable.nn.ops.triton import _launch, _run

    size = 256 if form == "streamed" else 64
    path = path_of(form)
    fixed, options, _ = _launch._settings(path, _path.MATRICES[name], 32, size, H100)
    absent = dict.fromkeys(("states", "inners", "first_rows"))
    types = {"lengths": "*i32", "first_rows": "*i64", "batch": "i32"}
    forward, backward = _run._CELLS[name].kernels(path)
    for kernel, more in ((forward, {"hold": False}), (forward, {"hold": True, **absent}), (backward, {"direct": True})):
        constants = {**fixed, "size": size, "hard": True, **more}
        constants = {argument: constants[argument] for argument in kernel.arg_names if argument in constants}
        signature = {
            argument: "constexpr" if argument in constants else types.get(argument, "*fp32")
            for argument in kernel.arg_names
        }
        source = ASTSource(kernel, signature, constants)
        compiled = compile(source, GPUTarget("cuda", 90, 32), {**options, "enable_fp_fusion": True})
        assert compiled.metadata.shared <= H100


@on_gpu
@pytest.mark.parametrize("kind", [nn.BRC, nn.NBRC, nn.MGU, nn.GRU, nn.LSTM])
def test_on_a_gpu_layers_take_the_kernels(kind: type[nn.GRU | nn.LSTM | nn.MGU]) -> None:
    layer = kind(3, 20, device="cuda")
    (weight_hh,) = (value for name, value in layer.named_parameters() if name == "weight_hh_l0")
    assert layer.recurrence.path(weight_hh).startswith("triton")
    inputs, (part,) = torch.randn(40, 5, 3, device="cuda"), dynamics.dynamics(layer)
    assert torch.equal(layer(inputs)[0], layer(inputs)[0])
    s, u = torch.randn(5, part.state_size, device="cuda"), torch.randn(3, device="cuda")
    expected = s
    with torch.no_grad():
        for _ in range(20):
            expected = part.step(expected, u)
        # A few roundings in each step.
        torch.testing.assert_close(part.hold(s, u, 20), expected, rtol=0, atol=1e-5)


@on_gpu
@pytest.mark.parametrize(("name", "form"), PATHS[1:])
def test_on_a_gpu_tf32_differs_by_its_rounding(name: str, form: str) -> None:
    op = ALL[name]
    values, _, _ = arguments(op, Case(50, 20, 100 if form == "streamed" else 30, 3))
    values = [None if value is None else value.cuda() for value in values]
    ours = results(lambda *given: scan(op, path_of(form, "tf32"), *given), values, None, None)
    exact = results(op.reference, [None if value is None else value.double() for value in values])
    for one, other in zip(ours, exact, strict=True):
        # 11 bits of mantissa, rounded in each of 50 steps and on the way back: in random directions, ten times that.
        assert (one - other).abs().max() <= 10 * 2**-11 * other.abs().max()


@on_gpu
def test_on_a_gpu_precision_is_what_torch_has_for_its_layers() -> None:
    weight_hh = torch.empty(96, 32, device="cuda")
    of_torch: Any = torch.backends.cudnn.rnn
    before = of_torch.fp32_precision
    try:
        for set_to, expected in (("tf32", "tf32"), ("ieee", "tf32x3")):
            of_torch.fp32_precision = set_to
            assert ops.gru.path(weight_hh) == f"triton resident {expected}"
    finally:
        of_torch.fp32_precision = before


@on_gpu
def test_on_a_gpu_there_may_be_more_numbers_than_32_bits_count() -> None:
    steps, batch, units = 5_700, 1_000, 128
    if torch.cuda.get_device_properties("cuda").total_memory < 6 * 4 * steps * batch * units:
        pytest.skip("not enough memory")
    assert 3 * steps * batch * units > 2**31
    values, _, _ = arguments(ops.brc, Case(1, batch, units, 1))
    inputs, h, weight_ih, weight_hh, bias = (value.cuda() for value in values if value is not None)
    states, last = ops.brc(inputs.expand(steps, -1, -1), h, weight_ih, weight_hh, bias)
    assert torch.equal(states[-1], last)
    drive = ops.brc.drive(inputs[0, 7], weight_ih, bias)
    torch.testing.assert_close(last[7:8], ops.brc.hold(drive, h[7:8], weight_hh, steps), rtol=0, atol=1e-5)
