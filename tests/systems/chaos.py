"""Systems whose trajectories part."""

import math

import torch
from torch import Tensor

from systems.base import F64, REST, Step, System, box, cube, settled
from systems.cycles import henon, logistic

__all__ = ["CHAOS"]

ONLY = frozenset({"chaos"})
BOTH = frozenset({"chaos", "equilibrium"})


def tent(s: Tensor) -> Tensor:
    return 1.9 * torch.minimum(s, 1 - s)


def ikeda(s: Tensor) -> Tensor:
    """Light in a ring of mirrors that keep 0.9 of it."""
    x, y = s[:, 0], s[:, 1]
    angle = 0.4 - 6 / (1 + x.square() + y.square())
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([1 + 0.9 * (x * cos - y * sin), 0.9 * (x * sin + y * cos)], 1)


def ikeda_starts(generator: torch.Generator) -> Tensor:
    """Around 0, all of which is chaotic, and around the equilibrium; 4,000 starts farther out went to either."""
    near = cube(-0.5, 0.5, 2)(generator)
    return torch.cat([near[:12], near[12:] + torch.tensor([2.972, 4.146], dtype=F64)])


def weights(units: int, gain: float, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return gain / math.sqrt(units) * torch.randn(units, units, generator=generator, dtype=F64)


RANDOM = weights(50, 3.0, 0)


def random_network(s: Tensor) -> Tensor:
    return (s @ RANDOM.to(s).T).tanh()


LEAKY = weights(60, 8.0, 0)


def leaky_network(dt: float) -> Step:
    """The same network in continuous time, in Euler steps."""
    return lambda s: s + dt * (-s + s.tanh() @ LEAKY.to(s).T)


def flow(s: Tensor) -> Tensor:
    """Lorenz's equations."""
    x, y, z = s.unbind(1)
    return torch.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z], 1)


def lorenz(s: Tensor, dt: float = 0.01) -> Tensor:
    """One step of Runge and Kutta's."""
    k1 = flow(s)
    k2 = flow(s + dt / 2 * k1)
    k3 = flow(s + dt / 2 * k2)
    k4 = flow(s + dt * k3)
    return s + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def beside(s: Tensor) -> Tensor:
    """The second entry goes to one of two ends by its sign: at one the first is chaotic, at the other it rests."""
    x, y = s[:, 0], s[:, 1]
    share = ((1 + y / REST) / 2).clamp(0, 1)
    return torch.stack([share * 3.9 * x * (1 - x) + (1 - share) * (0.3 * x + 0.2), (2 * y).tanh()], 1)


CHAOS = [
    System("a logistic map at 4", logistic(4.0), cube(0.05, 0.95, 1), ONLY, ONLY, exponent=(math.log(2), 0.02)),
    System("a logistic map at 3.9", logistic(3.9), cube(0.05, 0.95, 1), ONLY, ONLY, exponent=(0.4945, 0.02)),
    System("a tent", tent, cube(0.05, 0.95, 1), ONLY, ONLY, exponent=(math.log(1.9), 1e-3)),
    System("Hénon's map", henon(1.4), box((-0.1, 0.1), (-0.1, 0.1)), ONLY, ONLY, exponent=(0.419, 0.01)),
    System("Ikeda's map", ikeda, box((-0.5, 0.5), (-0.5, 0.5)), ONLY, ONLY, exponent=(0.507, 0.02)),
    System(
        "Ikeda's map and its equilibrium",
        ikeda,
        ikeda_starts,
        BOTH,
        BOTH,
        settled(ikeda, torch.tensor([[2.972, 4.146]])),
        exponent=(0.507, 0.03),
    ),
    System("a random network of gain 3", random_network, cube(-1, 1, 50), ONLY, ONLY, exponent=(0.267, 0.02)),
    System("a leaky random network, dt 0.1", leaky_network(0.1), cube(-1, 1, 60), ONLY, ONLY, exponent=(0.0219, 0.004)),
    System(
        "a leaky random network, dt 0.02",
        leaky_network(0.02),
        cube(-1, 1, 60),
        ONLY,
        ONLY,
        exponent=(0.0036, 0.0012),
        horizon=20_000,
    ),
    System(
        "Lorenz's butterfly",
        lorenz,
        box((-10, 10), (-10, 10), (15, 35)),
        ONLY,
        ONLY,
        exponent=(0.00906, 0.0005),
        horizon=10_000,
    ),
    System(
        "chaos beside an equilibrium",
        beside,
        box((0.1, 0.9), (-0.9, 0.9)),
        BOTH,
        BOTH,
        (torch.tensor([[2 / 7, -REST]], dtype=F64),),
        exponent=(0.4945, 0.03),
    ),
]
