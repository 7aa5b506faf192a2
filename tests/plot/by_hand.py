"""Results of small maps whose attractors are known, put together without a search."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from multistable import Attractor, Attractors, vaa
from multistable._attractors.fixed_points_results import FixedPoints
from multistable._attractors.kinds import Kind
from multistable._measure import Trace

Step = Callable[[Tensor], Tensor]

HORIZONS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
TOL = 1e-4


def randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rotation(angle: float, gain: float) -> Tensor:
    """A rotation of the plane, times a gain."""
    cos, sin = np.cos(angle), np.sin(angle)
    return gain * torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)


def tanh_of(weight: Tensor) -> Step:
    return lambda s: torch.tanh(s @ weight.T)


def states_of(step: Step, starts: Tensor, steps: int) -> Tensor:
    """The states from the beginning on, (steps + 1, n, S)."""
    states = [starts]
    for _ in range(steps):
        states.append(step(states[-1]))
    return torch.stack(states)


def attractor(kind: str, share: float, state: Tensor, **known: Any) -> Attractor:
    """An attractor, with None for whatever is not given."""
    numbers = ("period", "spectral_radius", "time_constant", "rotation", "exponent", "exponent_error", "followed")
    of_kind: Literal["equilibrium", "cycle", "oscillation", "chaos"] = kind  # type: ignore[assignment]
    return Attractor(
        **{"eigenvalues": None, **dict.fromkeys(numbers), **known}, kind=of_kind, basin_share=share, state=state
    )


def followed(
    step: Step, starts: Tensor, kinds: Kind | tuple[Kind, ...], *found: Attractor, labels: Tensor | None = None
) -> Attractors:
    """What becomes of states, every second of which has a path of 20 steps."""
    n, m, steps = len(starts), len(starts) // 2, 20
    states = states_of(step, starts, HORIZONS[-1] + 1)
    at = states[list(HORIZONS)]
    moves = (states[[horizon + 1 for horizon in HORIZONS]] - at).abs().amax((1, 2))
    return Attractors(
        name="",
        attractors=found,
        kinds=(kinds,) * n if isinstance(kinds, str) else kinds,
        labels=(-1,) * n if labels is None else tuple(labels.tolist()),
        n=n,
        horizon=HORIZONS[-1],
        tol=TOL,
        trace=Trace(HORIZONS, tuple(vaa(one, TOL).item() for one in at), tuple(moves.tolist())),
        trajectory=at,
        paths=states[:steps, :m],
        u=torch.zeros(1, dtype=torch.float64),
        sequences=torch.arange(n),
        prefixes=torch.zeros(n, dtype=torch.long),
    )


@cache
def wells(size: int) -> Attractors:
    """Units with two equilibria each, 2^size together; from two states near each."""
    step = tanh_of(2 * torch.eye(size, dtype=torch.float64))
    signs = torch.tensor(list(product([1.0, -1.0], repeat=size)), dtype=torch.float64)
    starts = signs.repeat(2, 1) * randn(0, 2 * len(signs), size).abs()
    ends = states_of(step, signs, 200)[-1]
    # The derivative of tanh(2 h) by h, where h is in equilibrium.
    slopes = 2 * (1 - ends**2)
    found = (
        attractor(
            "equilibrium",
            1 / len(signs),
            end,
            period=1,
            spectral_radius=slope.max().item(),
            time_constant=-1 / slope.max().log().item(),
            eigenvalues=slope.to(torch.complex128),
        )
        for end, slope in zip(ends, slopes, strict=True)
    )
    return followed(step, starts, "equilibrium", *found, labels=torch.arange(len(signs)).repeat(2))


@cache
def ring() -> Attractors:
    """A pair of units that makes a quarter turn in each step, from eight states."""
    weight = rotation(np.pi / 2, 2.0)
    step = tanh_of(weight)
    cycle = states_of(step, torch.tensor([[0.5, 0.4]], dtype=torch.float64), 203)[200:, 0]
    round_ = torch.eye(2, dtype=torch.float64)
    for state in cycle.roll(-1, 0):  # each step ends at the next state, where its derivative is taken
        round_ = (1 - state**2)[:, None] * weight @ round_
    values = torch.linalg.eigvals(round_)
    radius = values.abs().max().item()
    constant = float(-4 / np.log(radius))
    one = attractor("cycle", 1.0, cycle, period=4, spectral_radius=radius, time_constant=constant, eigenvalues=values)
    return followed(step, 0.5 * randn(1, 8, 2), "cycle", one, labels=torch.zeros(8, dtype=torch.long))


@cache
def swings(count: int = 1, size: int = 2) -> Attractors:
    """A turn that does not come back to where it was; with `count` of the same oscillation, for legends."""
    weight = torch.zeros(size, size, dtype=torch.float64)
    weight[:2, :2] = rotation(1.0, 1.3)
    step = tanh_of(weight)
    starts = 0.5 * randn(2, 8 * count, size)
    curve = states_of(step, starts[:1], 1400)[1200:, 0]
    curve = curve[torch.atan2(curve[:, 1], curve[:, 0]).argsort()]
    one = attractor("oscillation", 1 / count, curve, period=6.28, time_constant=12.0, rotation=1 / 6.28, exponent=0.0)
    found = (replace(one, state=(1 - 0.05 * place) * curve) for place in range(count))
    return followed(step, starts, "oscillation", *found, labels=torch.arange(8 * count) % count)


@cache
def chaos() -> Attractors:
    """Strong random weights."""
    step = tanh_of(3 / 8 * randn(0, 64, 64))
    cloud = states_of(step, randn(1, 1, 64), 1400)[200:, 0]
    one = attractor("chaos", 1.0, cloud, exponent=0.2134, exponent_error=0.012, followed=1500)
    return followed(step, randn(2, 9, 64), "chaos", one, labels=torch.zeros(9, dtype=torch.long))


@cache
def drift() -> Attractors:
    """Units that add up what is constant."""
    return followed(lambda s: s + torch.tensor([0.1, 0.05, 0.2]), randn(3, 6, 3), "drift")


@cache
def fading() -> Attractors:
    """Units that lose 0.7 % of their state in a step, and are not at rest by the horizon."""
    values = torch.full((2,), 0.993, dtype=torch.complex128)
    rest = torch.zeros(2, dtype=torch.float64)
    one = attractor("equilibrium", 1.0, rest, period=1, spectral_radius=0.993, time_constant=142.4, eigenvalues=values)
    return followed(lambda s: 0.993 * s, randn(4, 8, 2), "slow", one, labels=torch.zeros(8, dtype=torch.long))


@cache
def motionless(size: int = 3) -> Attractors:
    """All states are zero, always."""
    zero = torch.zeros(8, size, dtype=torch.float64)
    values = torch.zeros(size, dtype=torch.complex128)
    one = attractor("equilibrium", 1.0, zero[0], period=1, spectral_radius=0.0, time_constant=0.0, eigenvalues=values)
    return followed(lambda s: 0 * s, zero, "equilibrium", one, labels=torch.zeros(8, dtype=torch.long))


def undecided() -> Attractors:
    """Units at rest, if that were not known."""
    return replace(wells(2), attractors=(), labels=(-1,) * 8, kinds=("slow",) * 8)


@cache
def growing() -> Attractors:
    """x' = x / 2 + x^3: what begins within 0.7 goes to zero, what begins beyond grows beyond all bounds."""
    starts = torch.tensor([[0.5, 0.1], [0.9, 0.2], [-0.6, 0.3], [-0.8, -0.5], [0.2, -0.6], [0.1, 0.95]])
    starts = starts.double()
    leaves = (starts.abs() > 0.5**0.5).any(1)
    one = attractor(
        "equilibrium",
        0.5,
        torch.zeros(2, dtype=torch.float64),
        period=1,
        spectral_radius=0.5,
        time_constant=1.44,
        eigenvalues=torch.full((2,), 0.5, dtype=torch.complex128),
    )
    kinds: tuple[Kind, ...] = tuple("unbounded" if one else "equilibrium" for one in leaves.tolist())
    step: Step = lambda s: s / 2 + s**3  # noqa: E731
    paths = states_of(step, starts, 19)
    assert not paths.isfinite().all()
    k = 3  # records end with the first state that can't be followed
    trajectory = paths[list(HORIZONS[:k])]
    return Attractors(
        "",
        (one,),
        kinds,
        tuple(torch.where(leaves, -1, 0).tolist()),
        len(starts),
        HORIZONS[-1],
        TOL,
        Trace(HORIZONS[:k], tuple(vaa(one, TOL).item() for one in trajectory), (1.0, 2.0, 3.0)),
        trajectory,
        paths[:, :4],
        torch.zeros(1, dtype=torch.float64),
        torch.arange(len(starts)),
        torch.zeros(len(starts), dtype=torch.long),
    )


def fixed_points_at(points: Tensor, jacobians: Tensor, slow: Tensor | None = None) -> FixedPoints:
    """Fixed points with these derivatives, (K, S), (K, S, S)."""
    values, vectors = torch.linalg.eig(jacobians)
    order = values.abs().argsort(1, descending=True)
    values = values.gather(1, order)
    vectors = vectors.gather(2, order[:, None].expand_as(vectors))
    slow = points[:0] if slow is None else slow
    return FixedPoints(
        points=points,
        unstable=(values.abs() > 1).sum(1),
        stable=(values.abs() < 1).all(1),
        eigenvalues=values,
        eigenvectors=vectors,
        residuals=torch.zeros(len(points)),
        slow_points=slow,
        speeds=torch.full((len(slow),), 1e-6),
        u=torch.zeros(1, dtype=torch.float64),
        starts=100,
    )


def points_of_wells(size: int) -> FixedPoints:
    """All 3^size fixed points of `wells`: in each unit -s, 0 or s."""
    s = wells(size).attractors[0].state[0].item()
    points = torch.tensor(list(product([s, -s, 0.0], repeat=size)), dtype=torch.float64)
    points = points[(points == 0).sum(1).argsort(stable=True)]
    return fixed_points_at(points, torch.diag_embed(2 * (1 - points**2)))
