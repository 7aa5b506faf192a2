"""What can be said of an agent in a T-Maze: when it was optimal first, how often again, and in which corridors."""

from collections.abc import Sequence
from math import comb

import numpy as np
from comparisons import cell_of

from multistable.experiments.results import Run


def first_optimal(run: Run) -> int | None:
    """The training episodes before the first evaluation all of whose rollouts were optimal."""
    episodes: int | None = run.summary["first_optimal"]
    return episodes


def optimal_again(run: Run) -> list[bool]:
    """Of the evaluations after the first optimal one, whether each was optimal again."""
    optimal = [is_optimal(row["validation_metric"]) for row in run.rows]
    return optimal[optimal.index(True) + 1 :] if True in optimal else []


def is_optimal(share: float | None) -> bool:
    """Whether all rollouts of an evaluation were optimal."""
    return share == 1


def corridors(run: Run) -> dict[int, float]:
    """The share of rollouts that were optimal after training, by the length of the corridor."""
    return {one["length"]: one["metric"] for one in run.summary["evaluation"]}


def longer(run: Run) -> dict[int, float]:
    """The same in corridors longer than that of training."""
    return {length: share for length, share in corridors(run).items() if length > run.config.horizon}


def optimal_in_longer(run: Run) -> int:
    """In how many longer corridors all rollouts are optimal."""
    return sum(map(is_optimal, longer(run).values()))


def ends_optimal(run: Run) -> bool:
    """Whether the network after training is optimal in the corridor that it was trained in."""
    return is_optimal(run.summary["test_metric"])


def lasts(run: Run) -> bool:
    """Whether the network after training is optimal in the longest corridor."""
    return is_optimal(corridors(run)[max(corridors(run))])


def many_certified(run: Run) -> bool:
    """Whether two attractors or more are certified: as many as it takes to tell two goals apart for ever."""
    count: int = run.summary["attractors"]["count"]
    return count > 1


def difference(runs: Sequence[Run]) -> tuple[float, float]:
    """Whether several attractors are certified more often in runs that last, cell by cell.

    An exact test on the counts in each cell, which are hypergeometric where the two have nothing to do with each other;
    their sum over cells then tells nothing of how cells differ.

    Returns:
        By how much the number of runs that last and have several attractors exceeds what is expected; and the
        probability of a number as far out on one of the sides, twice, at most 1.
    """
    chances = np.ones(1)  # of sums over the cells so far
    for name in dict.fromkeys(cell_of(run.config) for run in runs):
        cell = [run for run in runs if cell_of(run.config) == name]
        of_cell = _hypergeometric(len(cell), sum(map(lasts, cell)), sum(map(many_certified, cell)))
        chances = np.convolve(chances, of_cell)
    both = sum(lasts(run) and many_certified(run) for run in runs)
    expected = float(chances @ np.arange(len(chances)))
    return both - expected, min(1.0, 2 * float(min(chances[: both + 1].sum(), chances[both:].sum())))


def _hypergeometric(cases: int, some: int, others: int) -> list[float]:
    """The chances of 0, 1, 2, ... cases that are among both `some` and `others`, which are drawn without regard."""
    return [
        comb(some, both) * comb(cases - some, others - both) / comb(cases, others)
        for both in range(min(some, others) + 1)
    ]
