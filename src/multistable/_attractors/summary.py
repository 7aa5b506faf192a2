"""The attractors that trajectories were found to go to."""

import math
from statistics import fmean, stdev

from multistable._attractors.results import Attractor
from multistable._attractors.search import Outcome

__all__ = ["summarise"]


def summarise(outcome: Outcome) -> tuple[tuple[Attractor, ...], tuple[int, ...]]:
    """The attractors, the one that most states go to first, and for each state the place of its own among them."""
    members: dict[tuple[str, int], list[int]] = {}
    for row, (kind, root) in enumerate(zip(outcome.kinds, outcome.roots.tolist(), strict=True)):
        if kind == "chaos" or root >= 0:
            # A slow state with a root is still on its way to an equilibrium.
            members.setdefault(("equilibrium" if kind == "slow" else kind, root), []).append(row)
    groups = sorted(members.items(), key=lambda item: -len(item[1]))
    labels = [-1] * len(outcome.kinds)
    for place, (_, rows) in enumerate(groups):
        for row in rows:
            labels[row] = place
    return tuple(_attractor(outcome, kind, root, rows) for (kind, root), rows in groups), tuple(labels)


def _attractor(outcome: Outcome, kind: str, root: int, rows: list[int]) -> Attractor:
    share = len(rows) / len(outcome.kinds)
    if kind == "chaos":
        return _chaos(outcome, rows, share)
    if kind == "oscillation":
        return _oscillation(outcome, rows, share)
    basin = outcome.cycles[root].basin if kind == "cycle" else outcome.equilibria.basins[root]
    state = outcome.cycles[root].points if kind == "cycle" else outcome.equilibria.points[root].clone()
    period = outcome.cycles[root].period if kind == "cycle" else 1
    return Attractor(
        "cycle" if kind == "cycle" else "equilibrium",
        share,
        period=period,
        spectral_radius=basin.radius,
        time_constant=time_constant(basin.radius, period),
        rotation=None,
        exponent=None,
        exponent_error=None,
        followed=None,
        state=state,
        eigenvalues=basin.eigenvalues,
    )


def _chaos(outcome: Outcome, rows: list[int], share: float) -> Attractor:
    motions = [outcome.motions[row] for row in rows]
    exponents, errors = zip(*(one.exponent for one in motions), strict=True)
    between = stdev(exponents) / len(rows) ** 0.5 if len(rows) > 1 else 0.0
    return Attractor(
        "chaos",
        share,
        period=None,
        spectral_radius=None,
        time_constant=None,
        rotation=None,
        exponent=fmean(exponents),
        exponent_error=max(between, fmean(errors) / len(rows) ** 0.5),
        followed=min(one.steps for one in motions),
        state=motions[0].states,
        eigenvalues=None,
    )


def _oscillation(outcome: Outcome, rows: list[int], share: float) -> Attractor:
    motion = outcome.motions[rows[0]]
    assert motion.curve is not None
    return Attractor(
        "oscillation",
        share,
        period=1 / motion.curve.rotation,
        spectral_radius=None,
        time_constant=-1 / motion.across,
        rotation=motion.curve.rotation,
        exponent=motion.exponent[0],
        exponent_error=motion.exponent[1],
        followed=min(outcome.motions[row].steps for row in rows),
        state=motion.curve.states,
        eigenvalues=None,
    )


def time_constant(radius: float, period: int) -> float:
    """Steps in which distances fall to 1/e, given the radius after a period."""
    return 0.0 if radius == 0 else -period / math.log(radius)
