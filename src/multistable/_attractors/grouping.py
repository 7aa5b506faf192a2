"""States that lie together, without comparing each with each."""

import torch
from torch import Tensor

__all__ = ["closeness", "first_of_groups", "nearest"]

_AT_A_TIME = 2**22  # distances


def closeness(s: Tensor, points: Tensor) -> Tensor:
    """Distances of states to points, (B, S), (P, S) -> (B, P); of entries that are large, relative to their size."""
    return torch.cdist(s.asinh(), points.asinh(), compute_mode="donot_use_mm_for_euclid_dist")


def nearest(s: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """How close the nearest point is to each state, and its number, (B, S), (P, S) -> (B,), (B,)."""
    rows = max(1, _AT_A_TIME // len(points))
    found = [closeness(block, points).min(1) for block in s.split(rows)]
    return torch.cat([one.values for one in found]), torch.cat([one.indices for one in found])


def first_of_groups(s: Tensor, within: float) -> Tensor:
    """For each state the number of the first one that it lies `within` that distance of, (B, S) -> (B,).

    States in the order of a projection on some direction: those that lie together stand in one run of it.
    """
    first = torch.arange(len(s), device=s.device)
    if len(s) == 0:
        return first
    drawn = torch.randn(s.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64, device="cpu")
    places = s.asinh() @ (drawn / drawn.norm()).to(s)
    order = places.argsort(stable=True)
    run = (places[order].diff() > within).long().cumsum(0)
    starts = torch.cat([run.new_zeros(1), run])
    left = order
    # In each round, the first of what is left of each run takes what lies with it.
    while len(left) > 0:
        _, runs = torch.unique_consecutive(starts, return_inverse=True)
        leader = left.new_full((int(runs[-1]) + 1,), len(s)).scatter_reduce(0, runs, left, "amin")[runs]
        with_it = (s[left].asinh() - s[leader].asinh()).norm(dim=1) < within
        with_it |= left == leader
        first[left[with_it]] = leader[with_it]
        left, starts = left[~with_it], starts[~with_it]
    return first
