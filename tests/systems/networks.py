"""Networks whose attractors are known by their weights."""

import math

import torch
from torch import Tensor

from systems.base import F64, REST, System, cube, settled, signs

__all__ = ["NETWORKS"]

ONLY = frozenset({"equilibrium"})


def basis(units: int, size: int, seed: int) -> Tensor:
    """Orthonormal columns, (units, size)."""
    drawn = torch.randn(units, size, generator=torch.Generator().manual_seed(seed), dtype=F64)
    columns: Tensor = torch.linalg.qr(drawn)[0]
    return columns


def winner(s: Tensor) -> Tensor:
    """Five units that excite themselves and inhibit one another."""
    others = s.sum(1, keepdim=True) - s
    return 0.5 * s + 0.5 * (8 * s - 8 * others - 2).sigmoid()


CODES = torch.tensor(
    [
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1],
        [1, 1, 1, 1, 1, -1, -1, 1, 1, 1, -1, -1],
    ],
    dtype=F64,
)
PROJECTION: Tensor = torch.linalg.pinv(CODES) @ CODES


def hopfield(s: Tensor) -> Tensor:
    """Patterns with overlaps of a third, each of which the weights map to itself."""
    return (2 * s @ PROJECTION.to(s)).tanh()


PLACES = 2 * math.pi * torch.arange(8, dtype=F64) / 8
COSINES = (PLACES[:, None] - PLACES).cos() / 4  # a projection onto the plane of the first harmonic


def bumps(s: Tensor) -> Tensor:
    """A ring of eight units, each of which excites its neighbours and inhibits those opposite."""
    return (4 * s @ COSINES.to(s)).tanh()


THREE = basis(20, 3, 0)
FIVE = basis(16, 5, 1)


def three_bits(s: Tensor) -> Tensor:
    """Three bistable units, spread over twenty."""
    q = THREE.to(s)
    return (2 * s @ q).tanh() @ q.T


def hidden_ring(s: Tensor) -> Tensor:
    """Five units that pass their values on with the sign changed, spread over sixteen."""
    q = FIVE.to(s)
    return -(2 * s @ q).roll(1, 1).tanh() @ q.T


def rounds() -> tuple[Tensor, ...]:
    """The cycles of `hidden_ring`: after ten steps all signs are back."""
    seen: set[tuple[float, ...]] = set()
    found: list[Tensor] = []
    for row in signs(5):
        orbit = [row]
        while len(orbit) < 10:
            orbit.append(-orbit[-1].roll(1))
        if tuple(row.tolist()) not in seen:
            period = next(k for k in (1, 2, 5, 10) if k == 10 or torch.equal(orbit[k], row))
            found.append(REST * torch.stack(orbit[:period]) @ FIVE.T)
        seen.update(tuple(signs.tolist()) for signs in orbit)
    return tuple(found)


MIXED = 0.9 * basis(64, 64, 2)
BIAS = torch.randn(64, generator=torch.Generator().manual_seed(3), dtype=F64)


def contracting(s: Tensor) -> Tensor:
    """No step makes a distance grow: all go to the one equilibrium (Banach)."""
    return (s @ MIXED.to(s) + BIAS.to(s)).tanh()


def toggles(s: Tensor) -> Tensor:
    """Four pairs of leaky units that inhibit each other: of each pair, one wins."""
    pairs = s.unflatten(1, (4, 2))
    following: Tensor = 0.7 * pairs + 0.3 * (4 - 8 * pairs.flip(2)).sigmoid()
    return following.flatten(1)


WINNERS = torch.cat([torch.eye(5, dtype=F64), torch.zeros(1, 5, dtype=F64)])
BUMPS = (PLACES + PLACES[:, None] + math.pi / 8).cos()
CHOICES = torch.stack([1 + signs(4), 1 - signs(4)], 2).flatten(1) / 2

NETWORKS = [
    System("a winner of five, or none", winner, cube(0, 1, 5), ONLY, ONLY, settled(winner, WINNERS)),
    # Complete, as brute force in the three dimensions that the projection leaves shows: no mixture is stable.
    System(
        "correlated patterns",
        hopfield,
        cube(-1, 1, 12),
        ONLY,
        ONLY,
        tuple((REST * torch.cat([CODES, -CODES])).split(1)),
    ),
    # A bump lies between two units: a saddle lies at each unit.
    System("a ring of bumps", bumps, cube(-1, 1, 8), ONLY, ONLY, settled(bumps, BUMPS)),
    System(
        "three bits in twenty units",
        three_bits,
        cube(-1, 1, 20),
        ONLY,
        ONLY,
        tuple((REST * signs(3) @ THREE.T).split(1)),
    ),
    System(
        "a ring in sixteen units",
        hidden_ring,
        cube(-1, 1, 16),
        frozenset({"cycle"}),
        frozenset({"cycle"}),
        rounds(),
    ),
    System("a contracting network", contracting, cube(-1, 1, 64), ONLY, ONLY, settled(contracting, torch.zeros(1, 64))),
    System("four toggles", toggles, cube(0, 1, 8), ONLY, ONLY, settled(toggles, CHOICES)),
]
