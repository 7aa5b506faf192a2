"""What keeps moving: chaos, oscillations and drift are told apart from what is only slow."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from multistable._attractors.curve import Curve, closed_curve
from multistable._attractors.kinds import Kind
from multistable._attractors.lyapunov import SETTLING, Lyapunov, lyapunov
from multistable._attractors.steps import moved, orbit
from multistable.dynamics import Dynamics

__all__ = ["Motion", "drifts", "moves_on"]

_APART, _ROUNDING = 1e-8, 1e4  # of trajectories side by side: a share of how far entries reach, but beyond rounding
_PUSH = 10.0  # as many times further states are pushed before they are looked at
_SPANS = 400  # how many times a trajectory goes as far as it reaches while it is looked at
_FEWEST, _MOST = 1_000, 8_000  # steps of that
_SEEN = 512  # steps in which it is seen how far a trajectory reaches
_ENTRIES = 2**22  # of states that are kept at a time
_ERRORS = 5  # standard errors above zero, or below
_MAYBE, _LONGER = 2, 4  # where it is above by so few, it is looked at for so many times longer
_GROWS, _FOLDS = 1.25, 3.0  # chaos does not reach out further all the while, though displacements grow by e^3
_CHAOTIC = 0.02  # the least exponent of chaos, in the time in which a trajectory goes as far as it reaches
_SETTLED = 25.0  # how often what lies across has fallen to 1/e by the horizon
_ROUNDS = 2.0  # a trajectory that goes less than so many times as far as it reaches is on its way somewhere
_STRAY = 3.0  # how far from a curve its own states lie at most, beside the gaps between those that stand for it
_SAMPLES = 16  # of what drifts, over half of the horizon
_STEADY = 1e-7  # the share by which growth may slow down from one to the next
_ROUGHLY = 1e-2  # and over the last quarters before the horizon
_DRIFT_LEAST = 10.0  # what drifts is large


@dataclass(frozen=True)
class Motion:
    """What a trajectory that goes on moving does.

    Attributes:
        kind: `"chaos"`, `"oscillation"` or `"slow"`.
        exponent: the largest Lyapunov exponent, and its standard error.
        across: the second largest one, 0 where there is none.
        curve: of an oscillation.
        states: some of the trajectory's, one after the other, (k, S).
        steps: how far it was followed.
    """

    kind: Kind
    exponent: tuple[float, float]
    across: float
    curve: Curve | None
    states: Tensor
    steps: int


def moves_on(layer: Dynamics, s: Tensor, u: Tensor, before: Tensor, horizon: int) -> dict[int, Motion]:
    """Which trajectories keep moving, and how, by the number of their state.

    Each is pushed a little, so that what only stays on a path that repels it leaves, and followed. It is chaotic if a
    small displacement grows all the while. It oscillates if it turns on a closed curve, onto which what lies across
    has fallen by the horizon, and on which the trajectory was from the beginning.

    Args:
        layer: the layer or stack.
        s: the states at the horizon, (B, S).
        u: the constant input, (I,).
        before: the states at a half of the horizon, (B, S).
        horizon: how far they have been followed.
    """
    found: dict[int, Motion] = {}
    curves: list[Curve] = []
    speed, reach = moved(layer, s, u).norm(dim=1), (s - before).norm(dim=1)
    moving = (speed * horizon / 2 > _ROUNDS * reach).nonzero()[:, 0]
    for block in moving.split(max(1, _ENTRIES // (_SEEN * s.shape[1]))):
        seen = orbit(layer, s[block], u, _SEEN)
        speed, reach = seen.diff(dim=0).norm(dim=2).mean(0), (seen - seen[-1]).norm(dim=2).amax(0)
        spans = (reach.maximum((s - before)[block].norm(dim=1)) / speed).clamp(min=1)
        steps = ((_SPANS * spans / _FEWEST).ceil().clamp(1, _MOST // _FEWEST) * _FEWEST).long()
        goes_round = speed * horizon / 2 > _ROUNDS * reach
        # Trajectories of like speed are followed together.
        for count in steps[goes_round].unique().tolist():
            alike = (goes_round & (steps == count)).nonzero()[:, 0]
            for rows in alike.split(max(1, _ENTRIES // (count * s.shape[1]))):
                motions = _followed(layer, seen[:, rows], u, count, spans[rows], horizon, curves)
                found.update(zip(block[rows].tolist(), motions, strict=True))
    return found


def _followed(
    layer: Dynamics, seen: Tensor, u: Tensor, steps: int, span: Tensor, horizon: int, curves: list[Curve]
) -> list[Motion]:
    """How trajectories move that were `seen` (k, B, S) to go on; curves are added to those that are known."""
    apart = _displacement(seen)
    generator = torch.Generator().manual_seed(0)
    push = torch.randn(seen.shape[2], generator=generator, dtype=torch.float64, device="cpu").to(seen)
    pushed = layer.hold(seen[0] + _PUSH * apart * push, u, steps // 2)
    found = lyapunov(layer, pushed, u, steps, apart)
    largest, errors, across, across_errors = _exponents(found)
    followed = torch.full_like(largest, horizon + SETTLING + steps // 2 + steps, dtype=torch.long)
    maybe = ((largest > _MAYBE * errors) & (largest <= _ERRORS * errors)).nonzero()[:, 0]
    if len(maybe) > 0:
        longer = lyapunov(layer, found.states[-1, maybe], u, _LONGER * steps, apart[maybe])
        largest[maybe], errors[maybe], *_ = _exponents(longer)
        followed[maybe] += SETTLING + _LONGER * steps
    finite = torch.isfinite(found.states).all(2).all(0)
    grows = (largest > _ERRORS * errors) & (largest * span > _CHAOTIC) & (largest * steps > _FOLDS)
    chaotic = finite & grows & _reaches_no_further(found.states, seen)
    turns = finite & ~chaotic & (across < -_ERRORS * across_errors) & (-across * horizon > _SETTLED)
    motions = []
    for row in range(len(largest)):
        states = found.states[:, row]
        kind: Kind = "chaos" if chaotic[row] else "slow"
        curve = _curve_of(states, seen[:, row], curves) if turns[row] else None
        # A state that comes back may be one of a line of such; one that fills a curve moves along it.
        if curve is not None and not (curve.locked and -largest[row] * horizon < _SETTLED):
            kind = "oscillation"
        exponent = float(largest[row]), float(errors[row])
        kept = states[-_FEWEST:].clone()
        motions.append(Motion(kind, exponent, float(across[row]), curve, kept, int(followed[row])))
    return motions


def _displacement(seen: Tensor) -> Tensor:
    """How far from trajectories (k, B, S) others start beside them, entry by entry, (B, S)."""
    reach = seen.amax(0) - seen.amin(0)
    rounding = _ROUNDING * torch.finfo(seen.dtype).eps * seen.abs().amax(0)
    return (_APART * reach).maximum(rounding).clamp(min=torch.finfo(seen.dtype).tiny)


def _reaches_no_further(states: Tensor, seen: Tensor) -> Tensor:
    """Whether trajectories (k, B, S) reach no further in their second half than in the first, or were seen to, (B,)."""
    first, second = (_extent(half) for half in states.chunk(2))
    return (second <= _GROWS * first) & (second <= _GROWS * _extent(seen).maximum(first))


def _extent(states: Tensor) -> Tensor:
    """How far states reach from their middle, (k, B, S) -> (B,)."""
    extent: Tensor = (states - states.mean(0)).norm(dim=2).amax(0)
    return extent


def _exponents(found: Lyapunov) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The largest exponent and its error, and the second largest, 0 where there is none, each (B,)."""
    across, errors = found.exponents[:, 1:], found.errors[:, 1:]
    if across.shape[1] == 0:
        across = errors = torch.zeros_like(found.exponents)
    return found.exponents[:, 0].clone(), found.errors[:, 0].clone(), across[:, 0], errors[:, 0]


def _curve_of(states: Tensor, seen: Tensor, curves: list[Curve]) -> Curve | None:
    """The closed curve that a trajectory is on, known or new, if it was on it before it was pushed, too."""
    for known in curves:
        if _on(known, torch.cat([seen, states])):
            return known
    curve = closed_curve(states)
    if curve is None or not _on(curve, seen):
        return None
    curves.append(curve)
    return curve


def _on(curve: Curve, states: Tensor) -> bool:
    return bool((curve.distance(states) <= _STRAY * curve.gap).all())


def drifts(layer: Dynamics, s: Tensor, u: Tensor, sizes: Sequence[Tensor], horizon: int) -> Tensor:
    """Which trajectories have become large and go on growing without slowing down, (B, S) -> (B,).

    Args:
        layer: the layer or stack.
        s: the states at the horizon, (B, S).
        u: the constant input, (I,).
        sizes: the absolute values of the states at a quarter and at a half of the horizon and at its end, each (B, S).
        horizon: how far they have been followed.
    """
    quarter, half, whole = sizes
    before = (half > quarter) & (whole - half >= 2 * (half - quarter) * (1 - _ROUGHLY))
    later, finite = [whole], torch.ones_like(s[:, 0], dtype=torch.bool)
    for _ in range(_SAMPLES):
        s = layer.hold(s, u, max(1, horizon // 2 // _SAMPLES))
        finite &= torch.isfinite(s).all(1)
        later.append(s.abs())
    # Evenly apart in time: what turns around some point, at whatever pace, does not go on and on.
    steps = torch.stack(later).diff(dim=0)
    steady = (steps > 0).all(0) & (steps[1:] >= steps[:-1] * (1 - _STEADY)).all(0)
    return (before & steady & (whole > _DRIFT_LEAST)).any(1) | ~finite
