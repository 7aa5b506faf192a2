"""Systems that come to a cycle of few states."""

import torch
from torch import Tensor

from systems.base import F64, REST, Step, System, box, closed, cube, signs

__all__ = ["CYCLES"]

ONLY = frozenset({"cycle"})


def logistic(rate: float) -> Step:
    return lambda s: rate * s * (1 - s)


def window(period: int, rate: float, horizon: int = 4_000) -> System:
    """A logistic map has one stable cycle at most (Singer 1978), and the orbit of 1/2 goes to it."""
    step = logistic(rate)
    points = closed(step, torch.tensor([0.5], dtype=F64), period, steps=60 * period)
    return System(f"a window of period {period}", step, cube(0.05, 0.95, 1), ONLY, ONLY, (points,), horizon=horizon)


def negated(s: Tensor) -> Tensor:
    return (-2 * s).tanh()


def passed_on(s: Tensor) -> Tensor:
    """Two units exchange their values and three hand theirs round, so that the signs come back after six steps."""
    return (2 * torch.cat([s[:, :2].roll(1, 1), s[:, 2:].roll(1, 1)], 1)).tanh()


def orbits() -> tuple[Tensor, ...]:
    """The cycles of `passed_on`, one for each way in which its signs go round."""
    seen: set[tuple[float, ...]] = set()
    found: list[Tensor] = []
    for row in signs(5):
        orbit = [row]
        while len(orbit) < 6:
            orbit.append(passed_on(orbit[-1][None])[0].sign())
        period = next(k for k in (1, 2, 3, 6) if torch.equal(orbit[k % 6], row))
        if tuple(row.tolist()) not in seen:
            found.append(REST * torch.stack(orbit[:period]))
        seen.update(tuple(signs.tolist()) for signs in orbit)
    return tuple(found)


def henon(a: float, b: float = 0.3) -> Step:
    return lambda s: torch.stack([1 - a * s[:, 0].square() + s[:, 1], b * s[:, 0]], 1)


def henon_cycle(period: int, a: float) -> System:
    step = henon(a)
    points = closed(step, torch.zeros(2, dtype=F64), period, steps=60 * period)
    return System(f"a Hénon map with a cycle of {period}", step, box((-0.3, 0.3), (-0.3, 0.3)), ONLY, ONLY, (points,))


CYCLES = [
    window(3, 3.8319),
    window(4, 3.5),
    window(5, 3.7389),
    window(6, 3.6275),
    window(30, 3.6335009462),
    System(
        "a negated unit",
        negated,
        cube(-1, 1, 1),
        ONLY,
        ONLY,
        (torch.tensor([[REST], [-REST]], dtype=F64),),
    ),
    System(
        "units that pass their values on",
        passed_on,
        cube(-1, 1, 5, n=32),
        frozenset({"equilibrium", "cycle"}),
        ONLY,
        orbits(),
    ),
    henon_cycle(4, 1.0),
    henon_cycle(7, 1.25),
]
