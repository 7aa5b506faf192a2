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
        while time < horizon and not period:
            # Chunks end at multiples of CHUNK, so that equal states there are followed by equal computations.
            steps = min(CHUNK - time % CHUNK, horizon - time)
            _, s = layer.scan_constant(u, steps, s)
            time += steps
            if time % CHUNK == 0:
                period = _period(s, anchors)
                anchors.append(s)
        yield layer.hold(s, u, (horizon - time) % period) if period else s


def _period(s: Tensor, anchors: deque[Tensor]) -> int:
    """How many steps back the same state stood, or 0."""
    for chunks, anchor in enumerate(reversed(anchors), start=1):
        if torch.equal(s, anchor):
            return chunks * CHUNK
    return 0
