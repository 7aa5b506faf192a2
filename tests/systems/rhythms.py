"""Systems that keep turning, on a closed curve, a long cycle or a torus."""

import math

import torch
from torch import Tensor

from systems.base import F64, System, box, cube, rings, turned

__all__ = ["RHYTHMS"]

ONLY = frozenset({"oscillation"})
NOTHING: frozenset[str] = frozenset()
GOLDEN = (3 - math.sqrt(5)) / 2  # of a turn: the number that fractions approach worst


def ring(s: Tensor, angle: float, rate: float) -> Tensor:
    """Turns by `angle`, and comes to the circle of radius 1."""
    x, y = s[:, 0], s[:, 1]
    return torch.stack(turned(x, y, angle, 1 + rate * (1 - x.square() - y.square())), 1)


def golden(s: Tensor) -> Tensor:
    return ring(s, 2 * math.pi * GOLDEN, 0.1)


def turning_pair(s: Tensor) -> Tensor:
    """Two units of tanh whose weights turn by half a radian, with gain 1.2."""
    return torch.stack(turned(s[:, 0], s[:, 1], 0.5, 1.2), 1).tanh()


def van_der_pol(s: Tensor) -> Tensor:
    x, y = s[:, 0], s[:, 1]
    return torch.stack([x + 0.02 * y, y + 0.02 * ((1 - x.square()) * y - x)], 1)


def relaxation(s: Tensor) -> Tensor:
    """The same with steep jumps."""
    x, y = s[:, 0], s[:, 1]
    return torch.stack([x + 0.01 * y, y + 0.01 * (5 * (1 - x.square()) * y - x)], 1)


def delayed_logistic(s: Tensor) -> Tensor:
    """x' = 2.1 x (1 - last x): beyond 2 a closed curve has left the equilibrium."""
    return torch.stack([2.1 * s[:, 0] * (1 - s[:, 1]), s[:, 0]], 1)


def locked(s: Tensor) -> Tensor:
    """Turns by 13/97; the angles that are multiples of 1/97 attract, those halfway between repel."""
    x, y = s[:, 0], s[:, 1]
    lock = -0.2 / 97 * (97 * torch.atan2(y, x)).sin()
    x, y = lock.cos() * x - lock.sin() * y, lock.sin() * x + lock.cos() * y
    return torch.stack(turned(x, y, 2 * math.pi * 13 / 97, 1 + 0.1 * (1 - x.square() - y.square())), 1)


ANGLES = 2 * math.pi * 13 / 97 * torch.arange(97, dtype=F64)


def morris_lecar(s: Tensor) -> Tensor:
    """A neuron that spikes under a current of 100 (Hopf's set of parameters), in Euler steps of 0.25 ms."""
    v, w = s[:, 0], s[:, 1]
    calcium = (1 + ((v + 1.2) / 18).tanh()) / 2
    potassium = (1 + ((v - 2) / 30).tanh()) / 2
    rate = 0.04 * ((v - 2) / 60).cosh()
    current = 100 - 4.4 * calcium * (v - 120) - 8 * w * (v + 84) - 2 * (v + 60)
    return torch.stack([v + 0.25 * current / 20, w + 0.25 * rate * (potassium - w)], 1)


def inhibited_ring(s: Tensor) -> Tensor:
    """Three leaky units, each inhibited by the one before: such rings have no chaos (Mallet-Paret and Smith 1990)."""
    return s + 0.1 * (-s - 3 * s.roll(1, 1).tanh())


def torus(s: Tensor) -> Tensor:
    """Two rhythms that know nothing of each other, by 1 and by the root of 2 radians."""
    return torch.cat([ring(s[:, :2], 1.0, 0.1), ring(s[:, 2:], math.sqrt(2), 0.15)], 1)


def neutral(s: Tensor) -> Tensor:
    return torch.stack(turned(s[:, 0], s[:, 1], 0.7), 1)


# Rotations that are not known by hand are means over 200,000 steps under a smooth weight, the same to ten digits from
# four starts and from half the steps.
RHYTHMS = [
    System("a turn by the golden ratio", golden, rings((0.2, 1.4)), ONLY, ONLY, rotation=GOLDEN, exponent=(0.0, 1e-3)),
    System("a turning pair of units", turning_pair, rings((0.1, 1.0)), ONLY, ONLY, rotation=0.0789773446),
    System("van der Pol", van_der_pol, rings((0.5, 2.5)), ONLY, ONLY, rotation=0.0029563438, horizon=12_000),
    System("van der Pol with jumps", relaxation, rings((0.5, 2.0)), ONLY, ONLY, rotation=0.0008189003, horizon=20_000),
    System(
        "the delayed logistic map",
        delayed_logistic,
        box((0.4, 0.6), (0.4, 0.6)),
        ONLY,
        ONLY,
        rotation=0.1561060188,
    ),
    # A cycle, and one so long that it may well be called an oscillation.
    System(
        "a ring that locks to 97 steps",
        locked,
        rings((0.3, 1.3)),
        frozenset({"cycle", "oscillation"}),
        points=(torch.stack([ANGLES.cos(), ANGLES.sin()], 1),),
        rotation=13 / 97,
    ),
    System(
        "a neuron that spikes",
        morris_lecar,
        box((-60, 20), (0, 0.5)),
        ONLY,
        ONLY,
        rotation=0.0029393318,
        horizon=20_000,
    ),
    System("a ring of three inhibited units", inhibited_ring, cube(-1, 1, 3), ONLY, ONLY, rotation=0.0255228972),
    System("a torus", torus, cube(0.3, 1.0, 4), NOTHING),
    System("a turn that nothing attracts to", neutral, rings((0.5, 1.5)), NOTHING),
]
