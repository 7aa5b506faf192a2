"""Systems whose trajectories look for a long time like what they are not."""

import math

import torch
from torch import Tensor

from systems.base import F64, Step, System, box, cube, rings, turned
from systems.cycles import logistic

__all__ = ["MISLEADING"]

NOTHING: frozenset[str] = frozenset()
RESTS = frozenset({"equilibrium"})
TURNS = frozenset({"oscillation"})


def two_circles(s: Tensor) -> Tensor:
    """The circle of radius 1/2 repels and that of radius 1 attracts; within the former, all goes to 0."""
    x, y = s[:, 0], s[:, 1]
    square = x.square() + y.square()
    return torch.stack(turned(x, y, 0.6, 1 - 0.1 * (square - 0.25) * (square - 1)), 1)


def slow_spiral(s: Tensor) -> Tensor:
    """Leaves 0 by a fraction of 0.0001 a step."""
    x, y = s[:, 0], s[:, 1]
    return torch.stack(turned(x, y, 0.6, 1 + 1e-4 * (1 - x.square() - y.square())), 1)


def flip_beside_turn(s: Tensor) -> Tensor:
    """One entry changes its sign in every step; the two others turn so slowly that two steps hardly move them."""
    x, y = s[:, 1], s[:, 2]
    turn = turned(x, y, 1e-3, 1.01 - 1e4 * (x.square() + y.square()))
    return torch.stack([(-2 * s[:, 0]).tanh(), *turn], 1)


def excited(weight: float) -> Step:
    """Two rectified units, each of which is driven by the other: their gradient at 0 is 0, whatever the weight."""
    return lambda s: (weight * s.roll(1, 1)).relu()


def in_synchrony(s: Tensor) -> Tensor:
    """Two rhythms that repel each other: they keep in step only as long as nothing tells them apart.

    In products and sums alone, so that equal entries remain equal to the bit.
    """
    x, y = s[:, :2], s[:, 2:]
    cos, sin = math.cos(0.6), math.sin(0.6)
    x, y = x + 0.2 * (x - x.flip(1)), y + 0.2 * (y - y.flip(1))
    factor = 1.1 - 0.1 * (x * x + y * y)
    return torch.cat([factor * (cos * x - sin * y), factor * (sin * x + cos * y)], 1)


def synchronous(generator: torch.Generator) -> Tensor:
    x, y = rings((0.3, 1.2))(generator).split(1, 1)
    return torch.cat([x, x, y, y], 1)


LEAK = 4 + 4e-9  # one step in 50,000 leaves the interval from 0 to 1
FLIP = 3.2


def passing_chaos(s: Tensor) -> Tensor:
    """A logistic map that leaves its interval in the end, for another one that has a cycle of two."""
    left = FLIP * s * (1 + s)
    return torch.where(s < 0, left, LEAK * s * (1 - s))


ROOT = math.sqrt((FLIP + 1) * (FLIP - 3))
FLIPS = -torch.tensor([[FLIP + 1 + ROOT], [FLIP + 1 - ROOT]], dtype=F64) / (2 * FLIP)


def bottleneck(s: Tensor) -> Tensor:
    """x' = x + c + x^2 is slow near 0, where a root for c < 0 has gone, and then quick on its way to 3."""
    return torch.stack([(s[:, 0] + 1e-8 + s[:, 0].square()).clamp(max=3.0), 0.5 * s[:, 1]], 1)


def ghost_on_circle(s: Tensor) -> Tensor:
    """A circle on which every round takes some 14,000 steps, almost all of them near the angle 0."""
    x, y = s[:, 0], s[:, 1]
    square = x.square() + y.square()
    angle = 0.01 * (1 + 1e-3 - x)
    factor = 1 + 0.2 * (1 - square)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([factor * (cos * x - sin * y), factor * (sin * x + cos * y)], 1)


def may_leonard(s: Tensor) -> Tensor:
    """Three species, each of which ousts the next: their turns last longer and longer."""
    return s * (0.1 * (1 - s - 1.6 * s.roll(-1, 1) - 0.7 * s.roll(1, 1))).exp()


def faint_spiral(s: Tensor) -> Tensor:
    """Beside an entry of 10,000, two others turn on a circle of radius 1e-7, by 1e-9 a step."""
    x, y = 1e7 * s[:, 1], 1e7 * s[:, 2]
    turn = turned(x, y, 0.01, 1 + 1e-3 * (1 - x.square() - y.square()))
    return torch.stack([0.5 * s[:, 0] + 5e3, 1e-7 * turn[0], 1e-7 * turn[1]], 1)


def faint_starts(generator: torch.Generator) -> Tensor:
    entry = box((9e3, 1.1e4))(generator)
    return torch.cat([entry, 1e-8 * rings((0.5, 1.5))(generator)], 1)


MISLEADING = [
    System(
        "a focus within a repelling circle within one that attracts",
        two_circles,
        rings((0.05, 0.4), (0.6, 1.3)),
        RESTS | TURNS,
        RESTS | TURNS,
        (torch.zeros(1, 2, dtype=F64),),
        rotation=0.6 / (2 * math.pi),
    ),
    # The circle is reached after some 50,000 steps; before, nothing shows that there is one.
    System("a slow spiral outwards", slow_spiral, rings((1e-3, 1e-2)), TURNS, rotation=0.6 / (2 * math.pi)),
    # Two closed curves that change places: "cycle" would be wrong.
    System("a flip beside a slow turn", flip_beside_turn, cube(-1e-3, 1e-3, 3), TURNS, horizon=20_000),
    # Those that are switched off stay at 0 for ever, where nothing attracts.
    System("rectified units that excite each other", excited(1.1), cube(-0.5, 1, 2), frozenset({"drift", "unbounded"})),
    System(
        "rectified units that excite each other little",
        excited(0.9),
        cube(-0.5, 1, 2),
        RESTS,
        RESTS,
        (torch.zeros(1, 2, dtype=F64),),
    ),
    # The motion is periodic, and so no chaos; the displacements that grow lead away from it, and so it is not stable.
    System("rhythms in a synchrony that repels", in_synchrony, synchronous, NOTHING),
    System(
        "chaos that passes",
        passing_chaos,
        cube(0.05, 0.95, 1),
        frozenset({"chaos", "cycle"}),
        points=(FLIPS,),
        horizon=200_000,
    ),
    # Just before the window of period 3: for hundreds of steps on end it is almost a cycle, two thirds of the time.
    System(
        "a logistic map with bursts of chaos",
        logistic(3.8284),
        cube(0.05, 0.95, 1),
        frozenset({"chaos"}),
        exponent=(0.133, 0.04),
    ),
    System(
        "a bottleneck",
        bottleneck,
        box((-1e-2, 1e-2), (-1, 1)),
        RESTS,
        points=(torch.tensor([[3.0, 0.0]], dtype=F64),),
    ),
    System("a ghost on a circle", ghost_on_circle, rings((0.5, 1.2)), TURNS, horizon=200_000),
    System("species that oust each other", may_leonard, cube(0.1, 0.9, 3), NOTHING),
    System("a faint spiral beside an entry of 10,000", faint_spiral, faint_starts, TURNS, horizon=20_000),
]
