"""What `attractors` is made of, each against an answer that is known."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from multistable._attractors.lyapunov import lyapunov
from multistable._attractors.newton import chord, factors_of, newton
from multistable._attractors.spectrum import eigenvalues, metric
from multistable.dynamics import Dynamics, Product, dynamics, jacobians, stacks
from multistable.nn import BRC, MGU, NBRC, DoubleLayer

F64 = torch.float64


def matrix(*rows: Sequence[float]) -> Tensor:
    return torch.tensor([rows], dtype=F64)


@pytest.mark.parametrize(
    ("one", "radius"),
    [
        (matrix((0, 1, 5), (0, 0, 1), (0, 0, 0)), 0.0),
        (matrix((0, 0), (0, 0)), 0.0),
        (matrix((0.5, 1), (0, 0.5)), 0.5),
        (matrix((0.9, 1e6), (0, 0.8)), 0.9),
        (matrix((0, -0.7), (0.7, 0)), 0.7),
        (matrix((0, 1), (1, 0)), 1.0),
        (matrix((-2,)), 2.0),
        # Far from normal: the powers' diagonal vanishes beside their corner.
        ((1.01 * torch.eye(40, dtype=F64) + 0.1 * torch.ones(39, dtype=F64).diag(-1))[None], 1.01),
        ((1 - 1e-7) * torch.eye(3, dtype=F64)[None], 1 - 1e-7),
    ],
)
def test_spectral_radii_known_by_hand(one: Tensor, radius: float) -> None:
    assert eigenvalues(one[0])[0].abs().item() == pytest.approx(radius, rel=1e-12, abs=1e-12)


def test_the_largest_eigenvalues_of_a_large_matrix_are_those_of_all() -> None:
    """A random matrix has a pair on the rim of its disk; one value beside it stands out."""
    generator = torch.Generator().manual_seed(0)
    one = 0.5 / 600**0.5 * torch.randn(600, 600, generator=generator, dtype=F64)
    one[0, 0] += 0.9
    found, expected = eigenvalues(one), torch.linalg.eigvals(one).abs().max()
    assert found[0].abs().item() == pytest.approx(expected.item(), rel=1e-9)


def test_a_step_that_forgets_its_state_has_a_jacobian_of_zero() -> None:
    class Forgetful(Cubic):
        def step(self, s: Tensor, u: Tensor) -> Tensor:
            return torch.zeros_like(s)

    assert jacobians(Forgetful(2), torch.ones(3, 2, dtype=F64), torch.zeros(1, dtype=F64)).eq(0).all()


LAYERS: list[Callable[[], nn.Module]] = [
    lambda: nn.RNN(2, 5),
    lambda: nn.RNN(2, 5, nonlinearity="relu", bias=False),
    lambda: nn.GRU(2, 5),
    lambda: nn.GRU(2, 5, bias=False),
    lambda: nn.LSTM(2, 4),
    lambda: nn.GRU(2, 5, num_layers=2),
    lambda: nn.LSTM(2, 4, num_layers=2),
    lambda: nn.LSTM(2, 4, proj_size=3),
    lambda: nn.LSTMCell(2, 4),
    lambda: MGU(2, 5),
    lambda: BRC(2, 5),
    lambda: NBRC(2, 5),
    lambda: nn.GRU(2, 3, bidirectional=True),
    lambda: DoubleLayer(nn.GRU, 2, 6, 2),
]


@pytest.mark.parametrize("make", LAYERS)
def test_jacobians_are_those_of_autograd(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    (stack,) = stacks(make().double())
    s, u = torch.randn(3, stack.state_size, dtype=F64), torch.randn(2, dtype=F64)
    with torch.no_grad():
        found = jacobians(stack, s, u)
    assert not found.requires_grad and not s.requires_grad
    for row, one in enumerate(s):
        expected: Any = torch.autograd.functional.jacobian(lambda x: stack.step(x[None], u[None])[0], one)
        torch.testing.assert_close(found[row], expected, rtol=1e-12, atol=1e-14)


def test_jacobians_of_many_states_are_those_of_each() -> None:
    (layer,) = dynamics(nn.RNN(1, 200).double())
    s, u = torch.randn(40, 200, dtype=F64), torch.zeros(1, dtype=F64)  # more than are made at a time
    torch.testing.assert_close(jacobians(layer, s, u)[37], jacobians(layer, s[37:38], u)[0], rtol=1e-12, atol=1e-14)


def test_a_product_is_its_factors_side_by_side() -> None:
    torch.manual_seed(0)
    one, two = (stacks(module.double())[0] for module in (nn.GRU(1, 3, num_layers=2), nn.LSTM(2, 4)))
    both = Product("", [one, two])
    assert (both.input_size, both.state_size, both.output_size) == (3, 14, 7)
    assert len(both.parameters()) == len(one.parameters()) + len(two.parameters())
    s, u = torch.randn(5, 14, dtype=F64), torch.randn(3, dtype=F64)
    expected = torch.cat([one.hold(s[:, :6], u[:1], 7), two.hold(s[:, 6:], u[1:], 7)], 1)
    assert torch.equal(both.hold(s, u, 7), expected)
    for step in range(7):
        s = both.step(s, u.expand(5, 3))
        assert torch.isfinite(s).all(), step
    torch.testing.assert_close(s, expected, rtol=1e-12, atol=1e-14)
    assert torch.equal(both.output(s), torch.cat([s[:, 3:6], s[:, 6:10]], 1))
    run = both.scan(u.expand(7, 5, 3), torch.zeros(5, 14, dtype=F64))[1]
    torch.testing.assert_close(run, both.hold(torch.zeros(5, 14, dtype=F64), u, 7), rtol=1e-12, atol=1e-14)


class Tent(Dynamics):
    """x' = 1.9 min(x, 1 - x): every displacement grows by 1.9 in each step."""

    def __init__(self) -> None:
        super().__init__("tent", 1, 1)
        self.slope = nn.Parameter(torch.tensor(1.9, dtype=F64))

    def parameters(self) -> list[nn.Parameter]:
        return [self.slope]

    def step(self, s: Tensor, u: Tensor) -> Tensor:
        return self.slope * torch.minimum(s, 1 - s)


@torch.no_grad()
def test_the_exponent_of_the_tent_map() -> None:
    s = torch.linspace(0.11, 0.87, 8, dtype=F64)[:, None]
    found = lyapunov(Tent(), s, torch.zeros(1, dtype=F64), 1000, torch.full_like(s, 1e-8))
    # Exact but for steps at which the two trajectories stand on either side of the tip: about one in 10^8.
    assert (found.exponents - math.log(1.9)).abs().max() < 1e-5
    assert found.errors.max() < 1e-5


@torch.no_grad()
def test_the_exponent_of_a_stable_linear_map_is_its_slowest_rate() -> None:
    rnn: Any = nn.RNN(1, 2, bias=False, nonlinearity="relu", dtype=F64)
    rnn.weight_hh_l0.copy_(torch.tensor([[0.9, 0.0], [0.0, 0.5]]))
    (layer,) = dynamics(rnn)
    s = torch.ones(3, 2, dtype=F64)
    found = lyapunov(layer, s, torch.zeros(1, dtype=F64), 1000, torch.full_like(s, 1e-8))
    # Steps that lie within relu's bend of zero would differ: the states stay above it for as long as displacements do.
    assert (found.exponents[:, 0] - math.log(0.9)).abs().max() < 0.05


class Cubic(Dynamics):
    """s' = s + (s - s^3) / 4 in each entry: the roots of s' - s are -1, 0 and 1."""

    def __init__(self, size: int) -> None:
        super().__init__("cubic", 1, size)
        self.rate = nn.Parameter(torch.tensor(0.25, dtype=F64))

    def parameters(self) -> list[nn.Parameter]:
        return [self.rate]

    def step(self, s: Tensor, u: Tensor) -> Tensor:
        return s + self.rate * (s - s**3)


@torch.no_grad()
def test_newton_finds_roots_stable_or_not() -> None:
    starts = torch.tensor([[0.9, -1.2], [0.1, 1.1], [-0.05, 0.02]], dtype=F64)
    found = newton(Cubic(2), starts, torch.zeros(1, dtype=F64))
    assert found.are_roots.all()
    expected = torch.tensor([[1, -1], [0, 1], [0, 0]], dtype=F64)
    torch.testing.assert_close(found.states, expected, rtol=0, atol=1e-10)


@torch.no_grad()
def test_the_chord_method_ends_at_a_root_or_says_that_it_does_not() -> None:
    layer, u = Cubic(1), torch.zeros(1, dtype=F64)
    factors = factors_of(jacobians(layer, torch.ones(2, 1, dtype=F64), u))
    found = chord(layer, torch.tensor([[1.05], [float("nan")]], dtype=F64), u, factors)
    assert found.are_roots.tolist() == [True, False]
    assert found.states[0].item() == pytest.approx(1, abs=1e-10)
    singular = factors_of(torch.ones(1, 1, 1, dtype=F64))
    assert not chord(layer, torch.full((1, 1), 0.5, dtype=F64), u, singular).are_roots.any()


@given(st.integers(0, 10_000), st.integers(1, 8))
def test_every_step_of_a_stable_map_shrinks_in_its_metric(seed: int, size: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(size, size, generator=generator, dtype=F64)
    stable = 0.95 * drawn / torch.linalg.eigvals(drawn).abs().max()
    found = metric(stable)
    assert found is not None
    # P is the sum of (A^k)^T A^k, so that A^T P A is P without its first term.
    torch.testing.assert_close(stable.T @ found @ stable + torch.eye(size, dtype=F64), found, rtol=1e-6, atol=0.01)
