"""Long trajectories under a constant input, exact and in flat memory."""

from collections import deque
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from multistable.dynamics.base import CHUNK, Dynamics

__all__ = ["states_at"]

_CHUNKS_BACK = 7  # 7 * 120 = 840 = lcm(1, ..., 8): a repeat within 840 steps shows every period up to 8, and many above


@torch.no_grad()
def states_at(layer: Dynamics, s: Tensor, u: Tensor, horizons: Sequence[int]) -> Iterator[Tensor]:
    """The states after each of several numbers of steps under a constant input.

    Nothing is approximated: a state is left out of the work only where it repeats, bit for bit, what it was within the
    last 840 steps, so that what follows is known. The others then go on without it, which at most rounds differently.

    Args:
        layer: the layer or stack.
        s: the states to start from, (B, S).
        u: the constant input, (I,).
        horizons: numbers of steps, ascending.

    Yields:
        The states (B, S) after each horizon.
    """
    chunk = 0
    boundaries = deque([s], maxlen=_CHUNKS_BACK + 1)  # the states at the last multiples of CHUNK
    period = torch.zeros(len(s), dtype=torch.long, device=s.device)  # of each state, in chunks; 0 while it is not known
    for horizon in horizons:
        # Whole chunks, whatever the horizons, so that equal states are followed by equal computations.
        last = horizon // CHUNK
        while chunk < last and not period.all():
            boundaries.append(_next_boundary(layer, boundaries, u, period))
            chunk += 1
            period = _periods(boundaries, period)
        at_boundary = _repeated(boundaries, period, last - chunk)
        yield layer.hold(at_boundary, u, horizon - last * CHUNK)


def _next_boundary(layer: Dynamics, boundaries: Sequence[Tensor], u: Tensor, period: Tensor) -> Tensor:
    """The states one chunk later: those that repeat are looked up, the others are run."""
    moving = period == 0
    if moving.all():
        return layer.hold(boundaries[-1], u, CHUNK)
    after = _repeated(boundaries, period, 1)
    after[moving] = layer.hold(boundaries[-1][moving], u, CHUNK)
    return after


def _repeated(boundaries: Sequence[Tensor], period: Tensor, ahead: int) -> Tensor:
    """The states `ahead` chunks later, right for those whose period is known."""
    if ahead == 0:
        return boundaries[-1]
    back = (-ahead) % period.clamp(min=1)
    states = boundaries[-1].clone()
    for chunks in back.unique().tolist():
        states[back == chunks] = boundaries[-1 - chunks][back == chunks]
    return states


def _periods(boundaries: Sequence[Tensor], period: Tensor) -> Tensor:
    """How many chunks back each state was the same, bit for bit; 0 where it was not."""
    for chunks in range(1, len(boundaries)):
        same = (boundaries[-1] == boundaries[-1 - chunks]).all(1)
        period = torch.where((period == 0) & same, chunks, period)
    return period
