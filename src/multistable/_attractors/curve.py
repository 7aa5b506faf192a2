"""Closed curves that trajectories turn on."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor

__all__ = ["Curve", "closed_curve"]

_CANDIDATES = 8  # peaks of the spectrum that are tried as frequencies
_SECTIONS, _TRIED = 28, 6  # of the search for a peak's place, and places tried on either side of it
_DRAWN = 256  # states that stand for the curve
_LONGER = 1.1  # than half of the states in their order: twice as long were they to fill a plane
_TURNS = 16  # at least, of those that were seen
_EVEN = 0.05  # the largest gap of phases that fill the circle, or nearly
_CLOSE = 1e-5  # a return, beside the distances of states that lie evenly on the curve
_LONGEST = 100.0  # a curve, beside how far it reaches


@dataclass(frozen=True)
class Curve:
    """A closed curve that a trajectory turns on.

    Attributes:
        states: some of its states in the order of the phase, (k, S).
        rotation: how many times round it goes in a step, at most a half.
        gap: how far a state on the curve may lie from those.
        locked: whether it is a cycle of that many states: the trajectory comes back to one and the same.
    """

    states: Tensor
    rotation: float
    gap: float
    locked: bool

    def distance(self, s: Tensor) -> Tensor:
        """How far states are from the nearest of the curve's, (B, S) -> (B,)."""
        return torch.cdist(s, self.states).amin(1)


def closed_curve(states: Tensor) -> Curve | None:
    """The closed curve that a trajectory turns on at an even rate of phase, (steps, S); None where it does not.

    At the right frequency f, the states in the order of the fraction of f t follow a closed curve, and those of the
    trajectory's second half lie between those of its first: all together they are no longer a way than those. A torus
    and chaos fill a surface, on which the way is twice as long; a spiral leads away from where it was.
    """
    shown = _plane(states)
    best: tuple[float, float] | None = None
    for frequency in _peaks(shown):
        found, length = _tuned(shown, frequency)
        if found * len(states) >= _TURNS and (best is None or length < best[1]):
            best = found, length
    if best is None:
        return None
    rotation = best[0]
    whole, half = _in_order(states, rotation), _in_order(states[: len(states) // 2], rotation)
    extent = float((states - states.mean(0)).norm(dim=1).max())
    length = _length(whole)
    if not length <= _LONGER * _length(half) or length > _LONGEST * extent:
        return None
    gaps = (whole - whole.roll(1, 0)).norm(dim=1)
    phases = _phases(len(states), rotation, states).sort().values
    filled = float(torch.cat([phases, 1 + phases[:1]]).diff().max()) < _EVEN
    nearest, back = (states[:-1] - states[-1]).norm(dim=1).flip(0).min(0)
    chosen = torch.linspace(0, len(whole) - 1, min(_DRAWN, len(whole)), device=whole.device).round().long()
    gap = float(gaps.max() + gaps.sum() / len(chosen))
    locked = bool(nearest < _CLOSE * length / len(whole))
    if locked:
        rotation = round(rotation * (int(back) + 1)) / (int(back) + 1)
    return Curve(whole[chosen], rotation, gap, locked) if filled or locked else None


def _plane(states: Tensor) -> Tensor:
    """The states in three dimensions at most, which are enough to tell one frequency from another."""
    centred = states - states.mean(0)
    _, axes = torch.linalg.eigh(centred.T @ centred)
    shown: Tensor = centred @ axes[:, -3:]
    return shown


def _peaks(shown: Tensor) -> list[float]:
    """The frequencies at which the spectrum has its highest peaks."""
    steps = len(shown)
    window = torch.hann_window(steps, periodic=False, dtype=shown.dtype, device=shown.device)
    power = torch.fft.rfft(shown * window[:, None], dim=0).abs().square().sum(1)
    inner = power[1:-1]
    peak = (inner >= power[:-2]) & (inner >= power[2:])
    ends = torch.tensor([len(power) - 1], device=shown.device)  # a half turn a step
    places = torch.cat([peak.nonzero()[:, 0] + 1, ends])
    highest = places[power[places].argsort(descending=True, stable=True)][:_CANDIDATES]
    return [place / steps for place in highest.tolist()]


def _tuned(shown: Tensor, frequency: float) -> tuple[float, float]:
    """The frequency nearby that is strongest, and how long a way the states in its order are.

    Under a window all of whose derivatives vanish at its ends, the place of a peak converges faster than any power of
    the number of steps (Das et al. 2017, doi:10.1088/1361-6544/aa84c2).
    """
    time = torch.arange(len(shown), dtype=torch.float64, device=shown.device)
    inside = (time + 1) / (len(shown) + 1)
    weighed = shown * (-1 / (inside * (1 - inside))).exp()[:, None]

    def strength(at: float) -> float:
        turned = torch.polar(torch.ones_like(time), -2 * math.pi * at * time)
        return float((turned @ weighed.to(turned.dtype)).abs().square().sum())

    found = _highest(strength, frequency - 1 / len(shown), frequency + 1 / len(shown)) % 1.0
    # Neighbours on the curve are a few N^-2 apart in frequency.
    nearby = [found + k / (4 * len(shown) ** 2) for k in range(-_TRIED, _TRIED + 1)]
    lengths = [_length(_in_order(shown, one)) for one in nearby]
    shortest = min(lengths)
    if lengths[_TRIED] > shortest:
        found = fmean(one for one, length in zip(nearby, lengths, strict=True) if length == shortest)
    return min(found, 1 - found), shortest


def _highest(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one peak between two places has it, by golden sections."""
    share = (math.sqrt(5) - 1) / 2
    places = [high - share * (high - low), low + share * (high - low)]
    heights = [function(one) for one in places]
    for _ in range(_SECTIONS):
        if heights[0] > heights[1]:
            high, places[1], heights[1] = places[1], places[0], heights[0]
            places[0] = high - share * (high - low)
            heights[0] = function(places[0])
        else:
            low, places[0], heights[0] = places[0], places[1], heights[1]
            places[1] = low + share * (high - low)
            heights[1] = function(places[1])
    return (low + high) / 2


def _in_order(states: Tensor, frequency: float) -> Tensor:
    """States in the order of their phase."""
    return states[_phases(len(states), frequency, states).argsort(stable=True)]


def _phases(steps: int, frequency: float, like: Tensor) -> Tensor:
    """The share of a turn that has been done at each step, (steps,)."""
    return (frequency * torch.arange(steps, dtype=torch.float64, device=like.device)).frac()


def _length(way: Tensor) -> float:
    """Of a closed way through states."""
    return float((way - way.roll(1, 0)).norm(dim=1).sum())
