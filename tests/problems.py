"""A shelf of maps whose attractors are known by hand, for whatever says where trajectories go."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

import torch
from devices import here
from torch import Tensor, nn

from multistable._attractors.kinds import Kind
from multistable._attractors.search import Outcome, Search
from multistable.dynamics import Dynamics, register, registry

__all__ = ["PROBLEMS", "Attracting", "Problem", "Written", "as_model", "follow", "spread"]

F64 = torch.float64
Function = Callable[[Tensor], Tensor]


class Written(Dynamics):
    """s' = function(s), without parameters and whatever the input."""

    def __init__(self, function: Function, size: int) -> None:
        super().__init__("written", 1, size)
        self.function = function

    def parameters(self) -> list[nn.Parameter]:
        return []

    def step(self, s: Tensor, u: Tensor) -> Tensor:
        return self.function(s)


def follow(layer: Dynamics, s: Tensor, horizon: int = 10_000, tol: float = 1e-4) -> Outcome:
    """Where the trajectories from `s` go without input."""
    return Search(layer, here(s), here(s.new_zeros(layer.input_size)), horizon, tol).run()


def spread(n: int, size: int) -> Tensor:
    return 2 * torch.rand(n, size, generator=torch.Generator().manual_seed(0), dtype=F64) - 1


@dataclass(frozen=True, eq=False)
class Attracting:
    """The points of a stable equilibrium or cycle, (period, S), and its spectral radius."""

    points: Tensor
    radius: float


@dataclass(frozen=True, eq=False)
class Problem:
    """A map, where trajectories start, (n, S), what each comes to, and the number of its attractor, -1 for none."""

    name: str
    function: Function
    starts: Tensor
    kinds: tuple[Kind, ...]
    ends: tuple[int, ...]
    attractors: tuple[Attracting, ...] = ()
    horizon: int = 2_000
    tol: float = 1e-4


class _Cell(nn.Module):
    def __init__(self, function: Function, size: int) -> None:
        super().__init__()
        self.function, self.input_size, self.hidden_size = function, 1, size
        self.weight = nn.Parameter(torch.zeros((), dtype=F64))

    def forward(self, u: Tensor, s: Tensor) -> Tensor:
        return self.function(s) + self.weight


class _Model(nn.Module):
    """Calls its cell once, from the problem's starts."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.cell, self.starts = _Cell(problem.function, problem.starts.shape[1]), here(problem.starts)

    def forward(self, inputs: Tensor) -> Tensor:
        s: Tensor = self.cell(inputs, self.starts)
        return s


@contextmanager
def as_model(problem: Problem) -> Iterator[tuple[nn.Module, Tensor]]:
    """The problem as a user has it: a model, and inputs that lead to its starts."""
    register(_Cell, lambda cell, s, u: cell(u, s))
    try:
        yield here(_Model(problem)), here(torch.zeros(len(problem.starts), 1, dtype=F64))
    finally:
        del registry._ADAPTERS[_Cell]


REST = 0.9575040240772687  # tanh(2 a) = a


def all_alike(name: str, function: Function, starts: Tensor, kind: Kind, horizon: int = 2_000) -> Problem:
    """Nothing certain anywhere."""
    return Problem(name, function, starts, (kind,) * len(starts), (-1,) * len(starts), horizon=horizon)


def linear(*rates: float) -> Function:
    return lambda s: s * s.new_tensor(rates)


def turn(s: Tensor) -> Tensor:
    cos, sin = math.cos(0.7), math.sin(0.7)
    return torch.stack([cos * s[:, 0] - sin * s[:, 1], sin * s[:, 0] + cos * s[:, 1]], 1)


def bottleneck(s: Tensor) -> Tensor:
    """x' = x + c + x^2 has no root for c > 0, and moves by less than a root may where x is small."""
    return torch.stack([s[:, 0] + 1e-11 + s[:, 0].square(), 0.5 * s[:, 1]], 1)


def tent(s: Tensor) -> Tensor:
    return 1.9 * torch.minimum(s, 1 - s)


def necklaces(*scales: float) -> Problem:
    """Each step passes every unit's value on: the cycle that a state goes to is that of its signs, in any scale."""
    units = len(scales)
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=units)), dtype=F64)
    scale = torch.tensor(scales, dtype=F64)

    def step(s: Tensor) -> Tensor:
        return scale.to(s) * (2 * (s / scale.to(s)).roll(1, 1)).tanh()

    turns = [sorted({tuple(row.roll(k).tolist()) for k in range(units)}) for row in signs]
    names = sorted({turn[0]: len(turn) for turn in turns}.items())
    ends = tuple([name for name, _ in names].index(turn[0]) for turn in turns)
    attractors = tuple(
        Attracting(
            torch.stack([REST * scale * torch.tensor(name, dtype=F64).roll(k) for k in range(period)]),
            (2 * (1 - REST**2)) ** period,
        )
        for name, period in names
    )
    kinds: tuple[Kind, ...] = tuple("equilibrium" if len(turn) == 1 else "cycle" for turn in turns)
    return Problem(f"necklaces of {scales}", step, 0.3 * signs * scale, kinds, ends, attractors)


def unit(weight: float, rest: float) -> Problem:
    """h' = tanh(w h): one equilibrium up to the pitchfork at 1, two beyond it."""
    starts = torch.linspace(-0.95, 0.95, 20, dtype=F64)[:, None]
    at = [0.0] if weight < 1 else [-rest, rest]
    ends = tuple(0 if weight < 1 or start < 0 else 1 for start in starts[:, 0].tolist())
    attractors = tuple(Attracting(torch.tensor([[h]], dtype=F64), weight * (1 - h * h)) for h in at)
    return Problem(
        f"a unit of weight {weight}", lambda s: (weight * s).tanh(), starts, ("equilibrium",) * 20, ends, attractors
    )


# x' = x - c + x^2 has a node at -sqrt(c) and a saddle at sqrt(c), 2e-4 apart; beyond it, states go to 3.
NODE_AND_SADDLE = Problem(
    "a saddle just beside a node",
    lambda s: (s - 1e-8 + s.square()).clamp(max=3.0),
    torch.tensor([[-2e-2], [-2e-4], [0.0], [0.9e-4], [1.1e-4], [2e-4]], dtype=F64),
    ("equilibrium",) * 6,
    (0, 0, 0, 0, 1, 1),
    (Attracting(torch.tensor([[-1e-4]], dtype=F64), 1 - 2e-4), Attracting(torch.tensor([[3.0]], dtype=F64), 0.0)),
    horizon=200_000,
    tol=1e-5,
)
SMALL_WELLS = Problem(
    "small wells beside a large entry",
    lambda s: torch.stack([0.5 * s[:, 0] + 500, 4e-4 * (s[:, 1] / 2e-4).tanh()], 1),
    torch.stack([torch.full((6,), 900.0), torch.tensor([-3, -2, -1, 1, 2, 3]) * 1e-4], 1).double(),
    ("equilibrium",) * 6,
    (0, 0, 0, 1, 1, 1),
    tuple(Attracting(torch.tensor([[1e3, sign * 4e-4 * REST]], dtype=F64), 0.5) for sign in (-1, 1)),
    horizon=512,
)
CUBIC = Problem(
    "a cubic",  # whose third root, 0, repels
    lambda s: s + (s - s**3) / 4,
    torch.tensor([[-1.2], [-0.1], [0.05], [1.4]], dtype=F64),
    ("equilibrium",) * 4,
    (0, 0, 1, 1),
    tuple(Attracting(torch.tensor([[sign]], dtype=F64), 0.5) for sign in (-1.0, 1.0)),
)

PROBLEMS = [
    unit(0.5, 0.0),
    unit(2.0, REST),
    CUBIC,
    NODE_AND_SADDLE,
    SMALL_WELLS,
    necklaces(1.0, 1.0),
    necklaces(1.0, 1.0, 1.0),
    necklaces(1.0, 0.1, 1.0, 0.3, 1.0, 0.02),
    # A radius of exactly one, which powers of the Jacobian may round to either side.
    all_alike("a line of equilibria", linear(1.0), spread(10, 1), "slow"),
    all_alike("a plane of equilibria", linear(1.0, 1.0), spread(10, 2), "slow"),
    all_alike("a line that attracts", linear(1.0, 0.5, -0.9), spread(10, 3), "slow"),
    all_alike("a line that is mirrored", linear(-1.0, 0.5), spread(10, 2), "slow"),
    all_alike("an exact turn", turn, spread(10, 2), "slow"),
    all_alike(
        "a bottleneck",
        bottleneck,
        torch.stack([torch.linspace(-9e-6, -1e-6, 9, dtype=F64), torch.linspace(-1, 1, 9, dtype=F64)], 1),
        "slow",
        horizon=10_000,
    ),
    all_alike("fast growth without bound", linear(1.02, 1.02), spread(5, 2).abs(), "drift"),
    all_alike("slow growth without bound", linear(1.006, 1.006), spread(5, 2).abs(), "drift"),
    all_alike("a tent", tent, torch.linspace(0.11, 0.87, 8, dtype=F64)[:, None], "chaos"),
]
