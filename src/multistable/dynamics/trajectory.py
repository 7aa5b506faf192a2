"""Long trajectories under a constant input, exact and in flat memory."""

from collections import deque
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from multistable.dynamics.base import CHUNK, Dynamics

__all__ = ["states_at"]

_ANCHORS = 7  # 7 * 120 = 840 = lcm(1, ..., 8): a repeat within 840 steps shows every period up to 8, and many above


@torch.no_grad()
def states_at(layer: Dynamics, s: Tensor, u: Tensor, horizons: Sequence[int]) -> Iterator[Tensor]:
    """The states after each of several numbers of steps under a constant input.

    Nothing is approximated: work is saved only where a state repeats one of the last 840 steps bit for bit. What
    follows is then known, and the rest modulo the repeat is run.

    Args:
        layer: the layer or stack.
        s: the states to start from, (B, S).
        u: the constant input, (I,).
        horizons: numbers of steps, ascending.

    Yields:
        The states (B, S) after each horizon.
    """
    time = 0
    anchors: deque[Tensor] = deque([s], maxlen=_ANCHORS)
    period = 0
    for horizon in horizons:
        # Whole chunks, whatever the horizons, so that equal states are followed by equal computations.
        while horizon - time >= CHUNK and not period:
            _, s = layer.scan_constant(u, CHUNK, s)
            time += CHUNK
            period = _period(s, anchors)
            anchors.append(s)
        rest = horizon - time
        yield layer.hold(s, u, rest % period if period else rest)


def _period(s: Tensor, anchors: deque[Tensor]) -> int:
    """How many steps back the same state stood, or 0."""
    for chunks, anchor in enumerate(reversed(anchors), start=1):
        if torch.equal(s, anchor):
            return chunks * CHUNK
    return 0
