"""Long trajectories under a constant input, exact and in flat memory."""

from collections import deque
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from multistable.dynamics._device import CHUNK, few_calls_pay
from multistable.dynamics.base import Dynamics

__all__ = ["states_at"]

_CHUNKS_BACK = 7  # 7 * 120 = 840 = lcm(1, ..., 8): a repeat within 840 steps shows every period up to 8, and many above


def states_at(layer: Dynamics, s: Tensor, u: Tensor, horizons: Sequence[int]) -> Iterator[Tensor]:
    """The states after each of several numbers of steps under a constant input.

    Nothing is approximated: what is left out of the work repeats, bit for bit, what was computed before, so that it is
    known. On a CPU each state is left out on its own from when it is what it was within the last 840 steps; the others
    go on without it, which at most rounds differently. On a GPU, where it costs time to look, all states go on together
    until all of them are what they were when they were last looked at, which is after 120 steps, 240, 480, and so on.

    Args:
        layer: the layer or stack.
        s: the states to start from, (B, S).
        u: the constant input, (I,).
        horizons: numbers of steps, ascending.

    Yields:
        The states (B, S) after each horizon.
    """
    follow = _look_at_doubled_times if few_calls_pay(s.device) else _look_at_each_chunk
    return follow(layer, s, u, horizons)


@torch.no_grad()
def _look_at_doubled_times(layer: Dynamics, s: Tensor, u: Tensor, horizons: Sequence[int]) -> Iterator[Tensor]:
    """As on a GPU."""
    time, span, repeats = 0, CHUNK, False  # `span`: steps to the next look, or those after which the states repeat
    for horizon in horizons:
        # What lies between the looks is computed from the last of them, so that no horizon depends on the others.
        while not repeats and time + span <= horizon:
            after = layer.hold(s, u, span)
            repeats = torch.equal(after, s)
            s, time = after, time + span
            if not repeats:
                span = time
        yield layer.hold(s, u, (horizon - time) % span)


@torch.no_grad()
def _look_at_each_chunk(layer: Dynamics, s: Tensor, u: Tensor, horizons: Sequence[int]) -> Iterator[Tensor]:
    """As on a CPU."""
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
