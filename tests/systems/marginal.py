"""Systems at the border of stability, and those that grow without bound."""

import torch
from torch import Tensor

from systems.base import F64, System, box, cube
from systems.cycles import logistic

__all__ = ["MARGINAL"]

NOTHING: frozenset[str] = frozenset()
GROWS = frozenset({"drift"})
CHAOS = frozenset({"chaos"})
BURSTS = frozenset({"unbounded"})


def towards(s: Tensor) -> Tensor:
    """0 attracts, but the distance falls as the root of time, not exponentially."""
    return torch.stack([s[:, 0] - 0.1 * s[:, 0] ** 3, 0.5 * s[:, 1]], 1)


def away(s: Tensor) -> Tensor:
    """0 repels, as slowly."""
    return torch.stack([s[:, 0] + s[:, 0] ** 3, 0.5 * s[:, 1]], 1)


def from_one_side(s: Tensor) -> Tensor:
    """0 attracts what is below it, and repels what is above it."""
    return (s + 0.1 * s.square()).clamp(max=2.0)


def integrator(s: Tensor) -> Tensor:
    return (1 - 1e-6) * s + 1e-6 * 50


def open_gate(s: Tensor) -> Tensor:
    """A cell that forgets nothing and writes the same in every step, and the output that it shows."""
    cell = s[:, 1] + torch.full_like(s[:, 1], 0.3).tanh() * torch.full_like(s[:, 1], 0.5).sigmoid()
    return torch.stack([0.8 * cell.tanh(), cell], 1)


def root_of_time(s: Tensor) -> Tensor:
    """The square of the entry grows by 1 in every step."""
    return s + 0.5 / s


def on_a_saddle(s: Tensor) -> Tensor:
    """What lies on the axis comes to 0, which repels all others; they go to one of two equilibria."""
    return torch.stack([0.5 * s[:, 0] + s[:, 1].square(), (2 * s[:, 1]).tanh()], 1)


def bent_line(s: Tensor) -> Tensor:
    """Each x has an equilibrium of its own, at y = 2 x^2."""
    return torch.stack([s[:, 0], 0.5 * s[:, 1] + s[:, 0].square()], 1)


def flip_line(s: Tensor) -> Tensor:
    """Each x has a cycle of two of its own."""
    return torch.stack([-s[:, 0], 0.5 * s[:, 1] + s[:, 0].square()], 1)


def walker(s: Tensor) -> Tensor:
    """A chaotic entry drives another, which rises for thousands of steps to a level about which it strays."""
    x = 3.9 * s[:, 0] * (1 - s[:, 0])
    return torch.stack([x, 0.999 * s[:, 1] + (x - 0.5)], 1)


MARGINAL = [
    System("a cubic pull", towards, cube(-1, 1, 2), NOTHING),
    System("a cubic push", away, cube(-0.3, 0.3, 2), GROWS | BURSTS, BURSTS),
    # Those that come to 0 from below come to what is not stable, and slowly: only the end at 2 may be called one.
    System(
        "an equilibrium that attracts from one side",
        from_one_side,
        cube(-1, 1, 1),
        frozenset({"equilibrium"}),
        points=(torch.tensor([[2.0]], dtype=F64),),
    ),
    System(
        "squares",
        lambda s: s * s,
        cube(-1.5, 1.5, 1),
        frozenset({"equilibrium", "unbounded"}),
        frozenset({"equilibrium", "unbounded"}),
        (torch.zeros(1, 1, dtype=F64),),
    ),
    # At 3 the equilibrium becomes a cycle of two: its eigenvalue is -1, and it attracts without haste.
    System("a logistic map where its period doubles", logistic(3.0), cube(0.05, 0.95, 1), NOTHING),
    # Where periods have doubled without end: neither a cycle nor chaos, the exponent is 0.
    System("a logistic map at the onset of chaos", logistic(3.5699456718709449), cube(0.05, 0.95, 1), NOTHING),
    # It settles after millions of steps; until then it looks as if it grew steadily.
    System(
        "a leaky integrator",
        integrator,
        cube(0, 1, 1),
        frozenset({"equilibrium"}),
        points=(torch.tensor([[50.0]], dtype=F64),),
    ),
    System("an open gate", open_gate, cube(-1, 1, 2), GROWS, GROWS),
    System("growth by a fiftieth", lambda s: 1.02 * s, box((0.1, 1), (-1, -0.1)), GROWS | {"unbounded"}, GROWS),
    System("growth with the root of time", root_of_time, cube(1, 3, 1), GROWS),
    System("a saddle, along its stable manifold", on_a_saddle, box((-1, 1), (0, 0)), NOTHING),
    System("a line that attracts", bent_line, cube(-1, 1, 2), NOTHING),
    System("a line of cycles", flip_line, cube(-1, 1, 2), NOTHING),
    System("a walk driven by chaos", walker, box((0.05, 0.95), (-1, 1)), CHAOS, CHAOS, exponent=(0.4945, 0.02)),
]
