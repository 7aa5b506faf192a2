"""Whether states come closer to their neighbours: the growth of small displacements, with its gradient."""

import math

import torch
from torch import Tensor

from multistable._utils.share import Share
from multistable.dynamics import Dynamics

__all__ = ["excess_growth", "growth_rate"]

_SMALL = 1e-3  # the length of a displacement, in units of a state's largest entry where that is above 1
_TURNS, _TURN = 3, 10  # it is left to itself, and cut back to its length, so often and for so many steps
_STEPS = 20  # over which its growth is seen
_WANTED = math.log(0.9)  # per step, at most


def growth_rate(
    layer: Dynamics, s: Tensor, u: Tensor, generator: torch.Generator, share: Share | None = None
) -> Tensor:
    """The logarithm of the factor by which a small displacement grows in a step, under a constant input.

    A random displacement of each state turns, in 30 steps without gradient, to the direction that shrinks least. Its
    growth over the 20 steps that follow is differentiated with respect to the parameters, not to `s`.

    Args:
        layer: the layer.
        s: the states, (B, S).
        u: the constant input, (I,).
        generator: draws the displacements.
        share: which of all states these are, where displacements are drawn for more.

    Returns:
        One for each state, (B,).
    """
    s = s.detach()
    shape = s.shape if share is None else (share.total, s.shape[1])
    drawn = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float64)
    displacement = drawn.to(s) if share is None else drawn.to(s)[share.places.to(s.device)]
    if len(s) == 0:
        return s.new_zeros(0)
    with torch.no_grad():
        for _ in range(_TURNS):
            displacement = displacement * (_length(s) / _norm(displacement))
            s, moved = layer.hold(torch.cat([s, s + displacement]), u, _TURN).chunk(2)
            displacement = moved - s
        length = _length(s)
        displacement = displacement * (length / _norm(displacement))
    s, moved = layer.hold(torch.cat([s, s + displacement]), u, _STEPS).chunk(2)
    # What has shrunk to nothing, within rounding, has shrunk enough.
    rates: Tensor = ((moved - s).norm(dim=1) / length[:, 0] + 1e-6).log() / _STEPS
    return rates


def excess_growth(rates: Tensor) -> Tensor:
    """The mean square of the logarithm by which displacements grow too much in 20 steps; 0 below 0.9 a step."""
    excess: Tensor = (_STEPS * (rates - _WANTED)).relu()
    return excess.square().mean()


def _length(s: Tensor) -> Tensor:
    """The length of a displacement that the dtype still resolves beside each state, (B, S) -> (B, 1)."""
    largest: Tensor = s.abs().amax(1, keepdim=True)
    length: Tensor = _SMALL * largest.clamp(min=1)
    return length


def _norm(displacement: Tensor) -> Tensor:
    """(B, S) -> (B, 1), above zero."""
    norm: Tensor = displacement.norm(dim=1, keepdim=True)
    return norm.clamp(min=torch.finfo(displacement.dtype).tiny)
