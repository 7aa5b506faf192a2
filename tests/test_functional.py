"""VAA and VAA*, against reference numbers, plain loops and their mathematical properties."""

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from devices import here
from hypothesis import given, settings
from hypothesis import strategies as st
from parity import DATA, assert_matches, load
from torch import Tensor

from multistable import vaa, vaa_star

pytestmark = pytest.mark.usefixtures("device")
FORMULAS = {"vaa": vaa, "vaa_star": vaa_star}
both = pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS.keys())
AT_A_TIME = "multistable.functional._DISTANCES_AT_A_TIME"

with np.load(DATA / "vaa.npz") as arrays:
    REFERENCE = {key: torch.from_numpy(arrays[key]) for key in arrays}


def random(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    return here(scale * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)))


def clusters(n: int, d: int, apart: float, offset: float, dtype: torch.dtype) -> Tensor:
    """Points on a line through a corner far from the origin: neighbours lie `apart`, others a multiple of it."""
    places = torch.arange(n) % 7
    points = torch.full((n, d), offset, dtype=torch.float64)
    points[:, 0] += apart * places
    return here(points.to(dtype))


def naive_vaa(states: Tensor, tol: float) -> float:
    rows = states.tolist()
    return sum(1 / sum(math.dist(a, b) < tol for b in rows) for a in rows) / len(rows)


def naive_vaa_star(states: Tensor, tol: float) -> float:
    rows = states.tanh().tolist()
    total = 0.0
    for a in rows:
        distances = [math.dist(a, b) for b in rows]
        total += 1 / sum(1 - max(0.0, d - tol) / (d + 1e-6) for d in distances)
    return total / len(rows)


def plain_vaa_star(states: Tensor, tol: float) -> Tensor:
    """VAA* as the paper writes it; its gradient is NaN where states coincide."""
    points = states.tanh()
    distance = (points[:, None] - points[None]).pow(2).sum(-1).add(here(torch.eye(len(points)))).sqrt()
    distance = distance * (1 - here(torch.eye(len(points))))
    closeness = 1 - (distance - tol).relu() / (distance + 1e-6)
    return closeness.sum(1).reciprocal().mean()


def gradient(formula: Callable[[Tensor, float], Tensor], states: Tensor, tol: float) -> Tensor:
    states = states.clone().requires_grad_()
    (of_states,) = torch.autograd.grad(formula(states, tol), states)
    return of_states


@pytest.mark.parametrize("key", [key for key in REFERENCE if not key.endswith("/states")])
def test_reference_numbers(key: str) -> None:
    case, formula, tol = key.split("/")
    assert_matches(FORMULAS[formula](here(REFERENCE[f"{case}/states"]), float(tol)), REFERENCE[key])


@pytest.mark.parametrize("eps", ["1e-2", "1e-4"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "mgu", "brc", "nbrc"])
def test_reference_numbers_of_networks(cell: str, eps: str) -> None:
    reference = load(cell)
    assert_matches(vaa(here(reference["vaa/states"]), float(eps)), reference[f"vaa/value_eps{eps}"])


@pytest.mark.parametrize("n", [1, 2, 25, 26, 60])
@pytest.mark.parametrize("d", [1, 3, 40])
@pytest.mark.parametrize("tol", [1e-4, 0.3, 2.0])
def test_equals_a_plain_loop(n: int, d: int, tol: float) -> None:
    states = random(n, d) / math.sqrt(d)
    states[n // 2 :] = states[: n - n // 2] + 0.5e-4 / math.sqrt(d)
    assert vaa(states, tol).item() == pytest.approx(naive_vaa(states, tol), abs=1e-12)
    assert vaa_star(states, tol).item() == pytest.approx(naive_vaa_star(states, tol), abs=1e-12)


# Above 25 rows torch.cdist would by default expand |a - b|^2 into a matrix product, whose error is far above `tol`.
@pytest.mark.parametrize("n", [20, 26, 60])
@pytest.mark.parametrize("d", [2, 40])
@pytest.mark.parametrize(("offset", "tol", "dtype"), [
    (1e2, 1e-3, torch.float32),
    (1e3, 1e-2, torch.float32),
    (1e3, 1e-6, torch.float64),
])  # fmt: skip
@pytest.mark.parametrize("share", [0.2, 0.4, 0.7, 1.3])
def test_vaa_is_exact_far_from_the_origin(
    n: int, d: int, offset: float, tol: float, dtype: torch.dtype, share: float
) -> None:
    states = clusters(n, d, share * tol, offset, dtype)
    assert vaa(states, tol).item() == pytest.approx(naive_vaa(states, tol), abs=1e-12 if dtype.itemsize == 8 else 1e-6)


@pytest.mark.parametrize("n", [20, 26, 60])
@pytest.mark.parametrize("d", [2, 40])
@pytest.mark.parametrize("share", [0.3, 0.7, 1.3, 5])
def test_vaa_star_is_accurate_for_close_states_in_float32(n: int, d: int, share: float) -> None:
    states = clusters(n, d, share * 1e-4, 0.5, torch.float32)
    # In float32, (d - tol) / (d + 1e-6) keeps about seven digits where distances themselves are exact.
    points = states.tanh().double().atanh()
    assert vaa_star(states, 1e-4).item() == pytest.approx(naive_vaa_star(points, 1e-4), rel=1e-5)


@pytest.mark.parametrize(("n", "d", "tol"), [(2, 1, 0.05), (6, 3, 0.05), (6, 3, 0.7), (30, 2, 0.01)])
def test_gradient(n: int, d: int, tol: float) -> None:
    states = random(n, d, seed=1).requires_grad_()
    distances = torch.pdist(states.detach().tanh())
    assert (distances - tol).abs().min() > 1e-5  # a finite difference must not cross the kink at `tol`
    assert torch.autograd.gradcheck(lambda s: vaa_star(s, tol), states, atol=1e-8, rtol=1e-6)
    torch.testing.assert_close(
        gradient(vaa_star, states.detach(), tol), gradient(plain_vaa_star, states.detach(), tol), rtol=1e-11, atol=1e-13
    )


def test_gradient_pushes_close_states_apart() -> None:
    of_states = gradient(vaa_star, here(torch.tensor([[-0.1], [0.1]])), 1e-2)
    assert of_states[0] < 0 < of_states[1]


@pytest.mark.parametrize("at_a_time", [1, 10**7], ids=["blockwise", "direct"])
@pytest.mark.parametrize("states", [
    pytest.param(torch.ones(30, 4), id="all equal"),
    pytest.param(torch.cat([random(15, 4), random(15, 4)]), id="pairs coincide"),
    pytest.param(1e3 * random(30, 4).sign(), id="saturated"),
    pytest.param(torch.cat([torch.zeros(2, 3), torch.full((1, 3), 1e-200)]).double(), id="distance underflows"),
    pytest.param(torch.cat([random(15, 4), random(15, 4) + 1e-12]), id="distance rounds"),
])  # fmt: skip
def test_gradient_is_finite(monkeypatch: pytest.MonkeyPatch, states: Tensor, at_a_time: int) -> None:
    monkeypatch.setattr(AT_A_TIME, at_a_time)
    assert gradient(vaa_star, here(states), 1e-4).isfinite().all()


@pytest.mark.parametrize("at_a_time", [1, 10**7], ids=["blockwise", "direct"])
def test_gradient_is_zero_where_all_lie_within_tol(monkeypatch: pytest.MonkeyPatch, at_a_time: int) -> None:
    monkeypatch.setattr(AT_A_TIME, at_a_time)
    assert gradient(vaa_star, random(30, 4, scale=1e-6), 1e-4).count_nonzero() == 0


def test_vaa_has_no_gradient() -> None:
    assert not vaa(random(4, 2).requires_grad_()).requires_grad


@pytest.mark.parametrize("at_a_time", [1, 31, 31 * 5, 31 * 30])
@pytest.mark.parametrize("tol", [1e-4, 0.2])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, at_a_time: int, tol: float) -> None:
    states = torch.cat([random(20, 3), random(11, 3)])
    direct = vaa(states, tol), vaa_star(states, tol), gradient(vaa_star, states, tol)
    monkeypatch.setattr(AT_A_TIME, at_a_time)
    in_blocks = vaa(states, tol), vaa_star(states, tol), gradient(vaa_star, states, tol)
    torch.testing.assert_close(in_blocks, direct, rtol=1e-13, atol=1e-15)


def test_gradient_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AT_A_TIME, 1)
    states = random(6, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: 3 * vaa_star(s, 0.05), states, atol=1e-8, rtol=1e-6)


def test_no_more_distances_than_allowed_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    cdist = torch.cdist

    def counted(*args: Any, **kwargs: Any) -> Tensor:
        distances = cdist(*args, **kwargs)
        sizes.append(distances.numel())
        return distances

    monkeypatch.setattr(torch, "cdist", counted)
    monkeypatch.setattr(AT_A_TIME, 250)
    states = random(100, 2)
    vaa(states)
    gradient(vaa_star, states, 1e-4)
    assert max(sizes) == 200 and sum(sizes) == 3 * 100 * 100


def test_two_blocks_are_not_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, cdist = [], torch.cdist

    def counted(*args: Any, **kwargs: Any) -> Tensor:
        distances = cdist(*args, **kwargs)
        sizes.append(distances.numel())
        return distances

    monkeypatch.setattr(torch, "cdist", counted)
    monkeypatch.setattr(AT_A_TIME, 5_000)
    vaa_star(random(100, 2))
    assert sizes == [5_000, 5_000]


# Entries are quarters, so that squared distances are exact in any order of summation and never round across `tol`.
tols = st.sampled_from([1e-4, 0.3, 0.6, 1.1, 4.0])


@st.composite
def state_sets(draw: st.DrawFn) -> Tensor:
    n, d = draw(st.integers(1, 40)), draw(st.integers(1, 4))
    quarters = draw(st.lists(st.integers(-12, 12), min_size=n * d, max_size=n * d))
    return here(torch.tensor(quarters, dtype=torch.float64).view(n, d) / 4)


@both
@settings(max_examples=60)
@given(states=state_sets(), tol=tols, seed=st.integers(0, 99))
def test_order_does_not_matter(
    formula: Callable[[Tensor, float], Tensor], states: Tensor, tol: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    rows, features = (here(torch.randperm(size, generator=generator)) for size in states.shape)
    value = formula(states, tol).item()
    assert formula(states[rows], tol).item() == pytest.approx(value, abs=1e-12)
    assert formula(states[:, features], tol).item() == pytest.approx(value, abs=1e-12)


@both
@settings(max_examples=60)
@given(states=state_sets(), tol=tols)
def test_bounds(formula: Callable[[Tensor, float], Tensor], states: Tensor, tol: float) -> None:
    assert 1 / len(states) - 1e-12 <= formula(states, tol).item() <= 1 + 1e-12


@both
@settings(max_examples=60)
@given(states=state_sets(), one=tols, other=tols)
def test_falls_as_the_tolerance_grows(
    formula: Callable[[Tensor, float], Tensor], states: Tensor, one: float, other: float
) -> None:
    assert formula(states, max(one, other)) <= formula(states, min(one, other)) + 1e-12


@settings(max_examples=60)
@given(states=state_sets(), tol=st.sampled_from([1e-4, 0.2]))
def test_vaa_counts_distinct_states(states: Tensor, tol: float) -> None:
    distinct = len({tuple(row) for row in states.tolist()})
    assert vaa(states, tol).item() == pytest.approx(distinct / len(states), abs=1e-12)


@both
@pytest.mark.parametrize("n", [1, 2, 30])
def test_all_together(formula: Callable[[Tensor], Tensor], n: int) -> None:
    assert formula(random(1, 3).expand(n, 3)).item() == pytest.approx(1 / n, abs=1e-15)
    assert formula(here(torch.empty(n, 0))).item() == pytest.approx(1 / n, abs=1e-7)


@pytest.mark.parametrize("n", [1, 2, 30])
def test_all_apart(n: int) -> None:
    assert vaa(here(10.0 * torch.arange(n)[:, None])).item() == 1
    assert vaa(here(torch.eye(n)), tol=1.4).item() == 1


def test_by_default_a_distance_of_a_ten_thousandth_is_apart() -> None:
    """As in the paper; VAA* falls by (d - tol) / d above it."""
    near, far = torch.tensor([[0.0], [0.99e-4]]).double(), torch.tensor([[0.0], [1.5e-4]]).double()
    assert (vaa(near).item(), vaa(far).item()) == (0.5, 1)
    assert vaa_star(near).item() == pytest.approx(0.5, abs=1e-12)
    assert vaa_star(far).item() == pytest.approx(1 / (2 - 0.5e-4 / 1.51e-4), abs=1e-6)  # tanh takes away 1e-12


def test_a_tolerance_below_the_dtypes_range_still_counts_each_state_once() -> None:
    assert vaa(torch.arange(3.0)[:, None], 1e-50).item() == 1


def test_a_distance_of_exactly_tol_is_apart() -> None:
    states = here(torch.tensor([[0.0], [0.5]]))
    assert vaa(states, 0.5).item() == 1
    assert vaa(states, 0.5 + 1e-6).item() == 0.5


@both
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(formula: Callable[[Tensor], Tensor], dtype: torch.dtype) -> None:
    states = random(40, 3).to(dtype)
    value = formula(states)
    assert value.dtype == torch.float32
    assert torch.equal(value, formula(states.float()))


@both
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_is_kept(formula: Callable[[Tensor], Tensor], dtype: torch.dtype) -> None:
    value = formula(random(40, 3).to(dtype))
    assert value.dtype == dtype and value.shape == ()


def test_gradient_reaches_half_precision_states() -> None:
    states = random(40, 3, scale=0.1).half()
    of_states = gradient(vaa_star, states, 1e-2)
    assert of_states.dtype == torch.float16
    assert torch.equal(of_states, gradient(vaa_star, states.float(), 1e-2).half())


MEMORY = """
import torch
from multistable import vaa, vaa_star

torch.set_num_threads(1)

def kib(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))

def work(n):
    states = torch.randn(n, 8, requires_grad=True)
    vaa(states)
    vaa_star(states).backward()
    assert states.grad.isfinite().all()

work(100)
before = kib("VmRSS")
work(4_000)
print(kib("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_bounded() -> None:
    # All distances at once take 61 MiB, and their backward pass eight times that; a block of them takes 4 MiB.
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 2**18


@both
@pytest.mark.parametrize(("tol", "error", "message"), [
    ("1", TypeError, "tol must be a number, got str '1'"),
    (True, TypeError, "tol must be a number, got bool True"),
    (torch.tensor(1.0), TypeError, "tol must be a number, got Tensor"),
    (0, ValueError, "tol must be finite and above 0, got 0"),
    (-1.0, ValueError, r"tol must be finite and above 0, got -1\.0"),
    (math.inf, ValueError, "tol must be finite and above 0, got inf"),
    (math.nan, ValueError, "tol must be finite and above 0, got nan"),
])  # fmt: skip
def test_wrong_tolerance(
    formula: Callable[[Tensor, Any], Tensor], tol: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        formula(here(torch.ones(2, 2)), tol)


@both
@pytest.mark.parametrize(("states", "error", "message"), [
    ([[1.0]], TypeError, "states must be a floating-point tensor, got list"),
    (torch.ones(2, 2, dtype=torch.long), TypeError, r"states must be a floating-point tensor, got torch\.int64"),
    (torch.ones(2, 2, dtype=torch.cfloat), TypeError, r"states must be a floating-point tensor, got torch\.complex64"),
    (torch.ones(3), ValueError, r"states must have shape \(n, d\) with n at least 1, got \(3,\)"),
    (torch.ones(2, 3, 4), ValueError, r"states must have shape \(n, d\) with n at least 1, got \(2, 3, 4\)"),
    (torch.ones(0, 3), ValueError, r"states must have shape \(n, d\) with n at least 1, got \(0, 3\)"),
    (torch.tensor([[0.0, math.nan], [math.inf, 1.0], [2.0, 3.0]]), ValueError,
     "states must be finite, got 2 NaN or infinite values of 6"),
])  # fmt: skip
def test_wrong_states(formula: Callable[[Any], Tensor], states: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        formula(here(states) if isinstance(states, Tensor) else states)
