"""Systems that come to rest."""

import torch
from torch import Tensor

from systems.base import F64, REST, System, box, cube, rings, settled, signs, turned

__all__ = ["EQUILIBRIA"]

ONLY = frozenset({"equilibrium"})


def pitchfork(s: Tensor) -> Tensor:
    return (2 * s).tanh()


def large_beside_small(s: Tensor) -> Tensor:
    return torch.stack([0.5 * s[:, 0] + 5e3, 1e-3 * (2e3 * s[:, 1]).tanh()], 1)


SCALES = torch.tensor([1e-3, 1.0, 1e3], dtype=F64)


def unequal(s: Tensor) -> Tensor:
    scales = SCALES.to(s)
    return scales * (2 * s / scales).tanh()


def rectified(s: Tensor) -> Tensor:
    """The first comes to 1 + 0.5 h = h, the second to 1 - 0.8 h = h, the third is switched off."""
    return torch.stack([0.5 * s[:, 0] + 1, 1 - 0.8 * s[:, 1], 0.9 * s[:, 2] - 1], 1).relu()


def kink(s: Tensor) -> Tensor:
    """Slope 0.5 to the right of 0, slope -0.3 to its left."""
    return 0.5 * s.relu() + 0.3 * (-s).relu()


def chain(s: Tensor) -> Tensor:
    """Unit k feeds unit k - 1: distances to 0 grow 10^28-fold before they fall."""
    return 0.9 * s + torch.cat([s[:, 1:], torch.zeros_like(s[:, :1])], 1)


def gated(s: Tensor) -> Tensor:
    """Two units of a GRU without input; each excites itself, and opens the gate of the other."""
    other = s.roll(1, 1)
    keep = torch.sigmoid(1 - 2 * other)
    reset = torch.sigmoid(1 + s)
    return keep * s + (1 - keep) * (3 * reset * s - 0.5 * other).tanh()


def focus(s: Tensor) -> Tensor:
    return torch.stack(turned(s[:, 0], s[:, 1], 0.3, 0.999), 1)


def rounded(s: Tensor) -> Tensor:
    """Newton's method for the square root of 2: nothing is left of a distance after a few steps."""
    return 0.5 * (s + 2 / s)


EQUILIBRIA = [
    System(
        "a unit beyond its pitchfork",
        pitchfork,
        cube(-1, 1, 1),
        ONLY,
        ONLY,
        tuple(torch.tensor([[sign * REST]], dtype=F64) for sign in (-1, 1)),
    ),
    System("ten bistable units", pitchfork, cube(-1, 1, 10, n=32), ONLY, ONLY, tuple((REST * signs(10)).split(1))),
    System(
        "an entry of 10,000 beside a small bistable one",
        large_beside_small,
        box((9e3, 1.1e4), (-1e-3, 1e-3)),
        ONLY,
        ONLY,
        tuple(torch.tensor([[1e4, sign * 1e-3 * REST]], dtype=F64) for sign in (-1, 1)),
    ),
    System(
        "bistable units of very unequal scales",
        unequal,
        box((-1e-3, 1e-3), (-1, 1), (-1e3, 1e3)),
        ONLY,
        ONLY,
        tuple((REST * SCALES * signs(3)).split(1)),
    ),
    System(
        "rectified units with a bias",
        rectified,
        cube(-3, 3, 3),
        ONLY,
        ONLY,
        (torch.tensor([[2.0, 1 / 1.8, 0.0]], dtype=F64),),
    ),
    System("a kink that attracts on both sides", kink, cube(-1, 1, 1), ONLY, ONLY, (torch.zeros(1, 1, dtype=F64),)),
    System("a non-normal chain", chain, cube(-1, 1, 30), ONLY, ONLY, (torch.zeros(1, 30, dtype=F64),)),
    System(
        "two gated units",
        gated,
        cube(-1, 1, 2),
        ONLY,
        ONLY,
        settled(gated, signs(2), 2000),
    ),
    System(
        "a slow focus", focus, rings((0.5, 1.5)), ONLY, ONLY, points=(torch.zeros(1, 2, dtype=F64),), horizon=20_000
    ),
    System(
        "a root of Newton's method",
        rounded,
        cube(0.5, 4, 1),
        ONLY,
        ONLY,
        tuple(torch.tensor([[sign * 2**0.5]], dtype=F64) for sign in (-1, 1)),
    ),
    # Stable, but in 4,000 steps the distance falls by a fraction of 0.0004 alone.
    System(
        "almost the identity",
        lambda s: (1 - 1e-7) * s,
        cube(-1, 1, 3),
        ONLY,
        points=(torch.zeros(1, 3, dtype=F64),),
    ),
]
