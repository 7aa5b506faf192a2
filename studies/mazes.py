"""What is known of an agent in a T-Maze: when it was optimal first, how often again, and in which corridors."""

from collections.abc import Sequence
from math import comb

import numpy as np
from rows import Row
from runs import facts

from multistable.experiments.results import Run


def in_maze(run: Run) -> Row:
    """The facts of a run; it has learned with the first evaluation all of whose rollouts are optimal."""
    optimal = [is_optimal(row["validation_metric"]) for row in run.rows]
    row = facts(run, run.summary["first_optimal"])
    length, longest = run.config.horizon, max(row["tested"])
    farther = [is_optimal(share) for other, share in row["tested"].items() if other > length]
    return row | {
        "again": optimal[optimal.index(True) + 1 :] if True in optimal else [],
        "ends optimal": is_optimal(run.summary["test_metric"]),
        "lasts": is_optimal(row["tested"][longest]),
        "optimal in longer": sum(farther),
        "throughout": all(farther),
    }


def is_optimal(share: float | None) -> bool:
    """Whether all rollouts of an evaluation were optimal."""
    return share == 1


def difference(rows: Sequence[Row]) -> tuple[float, float]:
    """Whether several attractors are certified more often in runs that last, cell by cell.

    An exact test on the counts in each cell, which are hypergeometric where the two have nothing to do with each other;
    their sum over cells then tells nothing of how cells differ.

    Returns:
        By how much the number of runs that last and have several attractors exceeds what is expected; and the
        probability of a number as far out on one of the sides, twice, at most 1.
    """
    chances = np.ones(1)  # of sums over the cells so far
    for name in dict.fromkeys(row["cell"] for row in rows):
        cell = [row for row in rows if row["cell"] == name]
        lasting, many = (sum(row[fact] for row in cell) for fact in ("lasts", "many"))
        chances = np.convolve(chances, _hypergeometric(len(cell), lasting, many))
    both = sum(row["lasts"] and row["many"] for row in rows)
    expected = float(chances @ np.arange(len(chances)))
    return both - expected, min(1.0, 2 * float(min(chances[: both + 1].sum(), chances[both:].sum())))


def _hypergeometric(cases: int, some: int, others: int) -> list[float]:
    """The chances of 0, 1, 2, ... cases that are among both `some` and `others`, which are drawn without regard."""
    return [
        comb(some, both) * comb(cases - some, others - both) / comb(cases, others)
        for both in range(min(some, others) + 1)
    ]
