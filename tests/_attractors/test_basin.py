"""Neighbourhoods of roots, against basins that are known by hand."""

import math
from collections.abc import Callable

import pytest
import torch
from problems import Written, follow
from torch import Tensor

from multistable._attractors.basin import sides
from multistable._attractors.roots import basin_of
from multistable._attractors.spectrum import STABLE

F64 = torch.float64
NOTHING = torch.zeros(1, dtype=F64)


def at_zero(function: Callable[[Tensor], Tensor], size: int) -> tuple[Callable[[Tensor], list[bool]], float]:
    """What the ball around 0 holds, and the spectral radius there."""
    basin = basin_of(Written(function, size), torch.zeros(1, size, dtype=F64), NOTHING)
    return lambda s: basin.holds(s).tolist(), basin.radius


@pytest.mark.parametrize("stretch", [1.0, 0.1, 10.0])
def test_the_ball_ends_within_a_cycle_that_repels(stretch: float) -> None:
    """On ellipses, states within 1 come to the centre, and those beyond leave: the ball reaches part of the way."""

    def step(s: Tensor) -> Tensor:
        x, y = s[:, 0], s[:, 1] / stretch
        grown = 1 - 0.1 * (1 - x.square() - y.square())
        cos, sin = math.cos(0.5), math.sin(0.5)
        return torch.stack([grown * (cos * x - sin * y), stretch * grown * (sin * x + cos * y)], 1)

    with torch.no_grad():
        holds, radius = at_zero(step, 2)
        phases = torch.linspace(0, 2 * math.pi, 12, dtype=F64)
        ellipse = torch.stack([phases.cos(), stretch * phases.sin()], 1)
        assert radius == pytest.approx(0.9, rel=1e-9)
        assert holds(0.2 * ellipse) == [True] * 12
        assert holds(1.001 * ellipse) == [False] * 12


def test_a_ball_of_a_map_that_shrinks_everywhere_has_no_end() -> None:
    with torch.no_grad():
        holds, _ = at_zero(lambda s: 0.5 * s, 3)
        assert holds(torch.tensor([[1e3, 0, 0], [1.0, -1e5, 3]], dtype=F64)) == [True, True]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_gap_in_the_way_is_seen(size: int) -> None:
    """x' = x / 2, but states whose length lies in a tenth of an octave are thrown far away."""

    def step(s: Tensor) -> Tensor:
        length = s.norm(dim=1, keepdim=True)
        return torch.where((length > 0.1) & (length < 0.107), 100 + s, 0.5 * s)

    with torch.no_grad():
        holds, _ = at_zero(step, size)
        first = torch.eye(size, dtype=F64)[:1]
        assert holds(torch.cat([0.4 * first, 0.01 * first])) == [False, True]


def test_a_map_far_from_normal_keeps_its_ball_small() -> None:
    """A displacement of y grows 100-fold in x before both shrink: beyond 0.01 in y, x passes 0.5 and leaves."""

    def step(s: Tensor) -> Tensor:
        x, y = s.unbind(1)
        return torch.stack([torch.where(x.abs() < 0.5, 0.9 * x + 20 * y, 2 * x), 0.9 * y], 1)

    outcome = follow(Written(step, 2), torch.tensor([[0.0, 0.02], [0.0, 1e-4]], dtype=F64), 512)
    assert outcome.kinds[1] == "equilibrium" and outcome.kinds[0] in ("slow", "drift", "unbounded")


@pytest.mark.parametrize(
    ("matrix", "stable"),
    [
        ([[0.0, 2.0], [2.0, 0.0]], False),
        ([[0.0, 0.9], [0.9, 0.0]], True),
        ([[0.5, 0.0], [0.0, -3.0]], False),  # x = -3 x is off at once, but is not told from what is on
    ],
)
def test_a_kink_is_judged_on_all_sides(matrix: list[list[float]], stable: bool) -> None:
    """At 0, autograd says that the derivative of relu is 0, and everything would be stable."""
    weights = torch.tensor(matrix, dtype=F64)
    with torch.no_grad():
        holds, radius = at_zero(lambda s: (s @ weights.T).relu(), 2)
        assert (radius < STABLE) == stable
        if stable:
            assert radius == pytest.approx(0.9) and holds(torch.zeros(1, 2, dtype=F64)) == [True]
            assert holds(torch.ones(1, 2, dtype=F64)) == [False]


@pytest.mark.parametrize("bend", [1e-2, 1.0])
def test_a_bend_is_seen_and_a_curve_is_not_one(bend: float) -> None:
    point = torch.tensor([0.3, 2.0], dtype=F64)
    beside = sides(lambda s: 0.5 * s + bend * (s - point).abs(), point)
    assert beside is not None and beside.shape == (16, 2)
    assert sides(lambda s: (100 * s).tanh() + bend * (s - point).square(), point) is None
