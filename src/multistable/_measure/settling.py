"""Whether states that were held have come to rest, or grow."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["at_rest", "growing"]

_ROUNDING = 4  # resolutions of a state's length by which rounding alone may move it in a step
_LARGE, _FASTER = 10.0, 1.2  # an entry of a state that grows; its pace, as a multiple of what it was before


def at_rest(horizons: Sequence[int], states: Sequence[Tensor], moved: Tensor, tol: float) -> Tensor:
    """Which states would go less than `tol` in as many steps again, (n,).

    At the pace of their last step; where that is no more than rounding, which may go to and fro as well as on and on,
    at the pace of the last half.

    Args:
        horizons: when they were looked at, ascending.
        states: what they were then, (n, S) each.
        moved: what the next step adds, (n, S).
        tol: the distance.
    """
    last = horizons[-1]
    half = max((k for k, step in enumerate(horizons) if step <= last / 2), default=len(horizons) - 1)
    now, moved = states[-1], moved.norm(dim=1)
    rounding = _ROUNDING * torch.finfo(now.dtype).eps * now.norm(dim=1)
    strayed = (now - states[half]).norm(dim=1) * last
    no_further = (strayed <= tol * (last - horizons[half])) & (moved <= rounding)
    resting: Tensor = (moved <= tol / last) | no_further
    return resting


def growing(horizons: Sequence[int], states: Sequence[Tensor], go_on: Callable[[Tensor], Tensor]) -> bool:
    """Whether any state is large, and grows faster and faster, from an eighth of the last horizon to twice it.

    Args:
        horizons: when they were looked at, ascending.
        states: what they were then, (n, S) each.
        go_on: the largest entries of the states of some rows (k,) after the last horizon once more, (k,).
    """
    times = [horizons[-1]]
    for _ in range(3):
        times.insert(0, max((step for step in horizons if step <= times[0] / 2), default=0))
    if times[0] == 0:
        return False
    sizes = [states[list(horizons).index(step)].abs().amax(1) for step in times]
    earliest, earlier, late = (
        (after - before) / (end - start)
        for before, after, start, end in zip(sizes, sizes[1:], times, times[1:], strict=False)
    )
    faster = (earliest > 0) & (earlier >= _FASTER * earliest) & (late >= _FASTER * earlier)
    rows = ((sizes[-1] > _LARGE) & faster).nonzero().flatten()
    if len(rows) == 0:
        return False
    # What is bounded may look so for a while, and not for as long again.
    pace = (go_on(rows) - sizes[-1][rows]) / times[-1]
    return not bool((pace < _FASTER * late[rows]).all())
