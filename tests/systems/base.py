"""What a system on the shelf is, and what its files share."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

__all__ = ["F64", "REST", "Starts", "Step", "System", "box", "closed", "cube", "rings", "settled", "signs", "turned"]

F64 = torch.float64
REST = 0.9575040240772687  # tanh(2 a) = a
Step = Callable[[Tensor], Tensor]
Starts = Callable[[torch.Generator], Tensor]


@dataclass(frozen=True, eq=False)
class System:
    """A map s' = step(s) whose attractors are known.

    Attributes:
        name: what it is.
        step: takes and gives states, (B, S), in float64; it can be differentiated.
        starts: draws where trajectories begin, (n, S).
        may: the kinds that may truthfully be said of its trajectories, of "equilibrium", "cycle", "oscillation",
            "drift", "unbounded" and "chaos". "slow" claims nothing, and may always be said.
        must: those that a good analysis finds for at least one start.
        points: all stable equilibria, (1, S), and stable cycles, (p, S), where the list is known to be complete.
        rotation: turns per step of the oscillation, at most a half, where they are known.
        exponent: the largest Lyapunov exponent per step and a tolerance, where it is known.
        horizon: in so many steps, what must be found can be found.
    """

    name: str
    step: Step
    starts: Starts
    may: frozenset[str]
    must: frozenset[str] = frozenset()
    points: tuple[Tensor, ...] = ()
    rotation: float | None = None
    exponent: tuple[float, float] | None = None
    horizon: int = 4_000


def box(*sides: tuple[float, float], n: int = 24) -> Starts:
    """Uniform in a box, one side for each entry."""
    low, high = torch.tensor(sides, dtype=F64).unbind(1)

    def draw(generator: torch.Generator) -> Tensor:
        return low + (high - low) * torch.rand(n, len(sides), generator=generator, dtype=F64)

    return draw


def cube(low: float, high: float, size: int, n: int = 24) -> Starts:
    return box(*[(low, high)] * size, n=n)


def rings(*radii: tuple[float, float], n: int = 24) -> Starts:
    """In the plane, in one ring after the other, at any angle."""

    def draw(generator: torch.Generator) -> Tensor:
        part, angle = torch.rand(2, n, generator=generator, dtype=F64).unbind()
        low, high = torch.tensor([radii[k % len(radii)] for k in range(n)], dtype=F64).unbind(1)
        radius, angle = low + (high - low) * part, 2 * math.pi * angle
        return torch.stack([radius * angle.cos(), radius * angle.sin()], 1)

    return draw


def turned(x: Tensor, y: Tensor, angle: float, factor: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
    """The point (x, y) turned about the origin, and multiplied."""
    cos, sin = math.cos(angle), math.sin(angle)
    return factor * (cos * x - sin * y), factor * (sin * x + cos * y)


def signs(n: int) -> Tensor:
    """All rows of n signs, (2^n, n)."""
    return torch.tensor(list(product((-1.0, 1.0), repeat=n)), dtype=F64)


def settled(step: Step, starts: Tensor, steps: int = 400) -> tuple[Tensor, ...]:
    """The equilibria that these starts, one for each, are known to go to."""
    s = starts.to(F64)
    for _ in range(steps):
        s = step(s)
    return tuple(s.split(1))


def closed(step: Step, start: Tensor, period: int, steps: int = 400) -> Tensor:
    """The cycle of a known period that a start, (S,), is known to go to, (period, S)."""
    (s,) = settled(step, start[None], steps)
    states = [s]
    while len(states) < period:
        states.append(step(states[-1]))
    return torch.cat(states)
