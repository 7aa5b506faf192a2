"""What can be said of runs side by side: when each learned, which of two is better, and what VAA did meanwhile."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from math import comb, inf
from statistics import correlation

from multistable.experiments.config import CELLS, INITS, Config
from multistable.experiments.figures import name_of
from multistable.experiments.results import Run

VARIANTS = ("plain", "warmup", "double", "double+warmup")
MOVED = 0.05
"""By how much VAA must change for it to have risen or fallen."""

Pair = tuple[Run, Run]
When = Callable[[Run], float | None]
"""When a run has learned; None if it never has."""
Value = Callable[[Run], float]


@dataclass(frozen=True)
class Tally:
    """Which way cases went: the cell of each that is for a claim, of each that is against it, and of each tie."""

    support: list[str]
    against: list[str]
    ties: list[str]

    @property
    def cases(self) -> int:
        return len(self.support) + len(self.against) + len(self.ties)

    @property
    def verdict(self) -> str:
        """Which way the cases go, if more go there than chance brings in one of twenty: a sign test without ties."""
        if not self.cases:
            return "no cases"
        most = max(len(self.support), len(self.against))
        if sign_test(most, len(self.support) + len(self.against)) >= 0.05:
            return "open"
        return "supported" if len(self.support) == most else "contradicted"


Claim = Callable[[Sequence[Run]], Tally]
"""What some runs say of it."""


def cell_of(config: Config) -> str:
    """The cell's name; one that starts with other gates, such as the chrono LSTM, is a cell of its own."""
    name = name_of(config.cell)
    return name if config.init == "default" else f"{config.init} {name}"


def variant_of(config: Config) -> str:
    """The variant but for how the gates start, which `cell_of` says."""
    return replace(config, init="default").variant


def rank(config: Config) -> tuple[int, int, int, int]:
    """Where a run stands among others."""
    place = list(INITS).index(config.init)
    return CELLS.index(config.cell), place, VARIANTS.index(variant_of(config)), config.seed


def learned_at(run: Run) -> int | None:
    """The first epoch at whose end the validation metric is halfway from chance to perfect, or better."""
    for row in run.rows:
        value, epoch = row["validation_metric"], row["epoch"]
        if value is not None and epoch is not None and is_halfway(run, value):
            return int(epoch)
    return None


def is_halfway(run: Run, value: float) -> bool:
    """Whether a value of the run's metric is halfway from chance to perfect, or better."""
    return value >= halfway_of(run) if run.summary["higher_is_better"] else value <= halfway_of(run)


def halfway_of(run: Run) -> float:
    """The metric halfway from chance to perfect: a perfect error is 0, a perfect accuracy 1."""
    chance: float = run.summary["chance"]
    perfect = 1 if run.summary["higher_is_better"] else 0
    return (chance + perfect) / 2


def error(run: Run) -> float:
    """The test error: for an accuracy the share of wrong answers."""
    metric: float = run.summary["test_metric"]
    return 1 - metric if run.summary["higher_is_better"] else metric


def vaa_before(run: Run) -> float:
    """VAA before training, after the warmup if there was one."""
    value: float = run.summary["traces"]["start"]["vaa"][-1]
    return value


def pairs(runs: Sequence[Run], variant: str, other: str) -> list[Pair]:
    """Runs of `variant`, each with that of `other` which has the same cell and seed, and so the same sequences."""
    others = {(cell_of(run.config), run.config.seed): run for run in runs if variant_of(run.config) == other}
    found = [(run, others.get((cell_of(run.config), run.config.seed))) for run in runs]
    return [(run, match) for run, match in found if match is not None and variant_of(run.config) == variant]


def learned(found: Iterable[Pair], count: Collection[int], when: When = learned_at) -> list[Pair]:
    """The pairs of which so many have learned; by default as `learned_at` has it."""
    return [pair for pair in found if sum(when(run) is not None for run in pair) in count]


def beside(
    one: str, other: str, value: Callable[[Run], float], count: Collection[int], when: When = learned_at
) -> Claim:
    """Whether a variant has a larger value than another, in the pairs of which so many have learned."""

    def tally(runs: Sequence[Run]) -> Tally:
        found = learned(pairs(runs, one, other), count, when)
        return _tally((cell_of(first.config), _compared(value(first), value(second))) for first, second in found)

    return tally


def soon(when: When) -> Value:
    """The larger, the earlier a run learned; one that never did is later than any."""

    def value(run: Run) -> float:
        at = when(run)
        return -inf if at is None else -at

    return value


def exact(run: Run) -> float:
    """The larger, the smaller the test error."""
    return -error(run)


def risen(runs: Iterable[Run]) -> Tally:
    """Whether VAA rose in training, by more than `MOVED`; a smaller change either way is a tie."""
    changes = [(cell_of(run.config), run.summary["vaa"] - vaa_before(run)) for run in runs]
    return _tally((cell, 0 if abs(change) <= MOVED else change) for cell, change in changes)


def follows(run: Run) -> float | None:
    """Spearman's rank correlation, over epochs, of VAA with how good the validation metric is; None if one is constant.

    Equal values share the mean of their ranks.
    """
    sign = 1 if run.summary["higher_is_better"] else -1
    rows = [(row["vaa"], row["validation_metric"]) for row in run.rows]
    known = [(vaa, sign * metric) for vaa, metric in rows if vaa is not None and metric is not None]
    vaas, metrics = ([pair[place] for pair in known] for place in (0, 1))
    if len(set(vaas)) < 2 or len(set(metrics)) < 2:
        return None
    return correlation(_ranks(vaas), _ranks(metrics))


def by_cell(cells: Iterable[str]) -> str:
    """How many of each cell, such as `"GRU 3, LSTM 2"`."""
    return ", ".join(f"{cell} {count}" for cell, count in Counter(cells).items())


def sign_test(most: int, cases: int) -> float:
    """The probability that a fair coin falls on one of its sides `most` times or more often; at most 1."""
    sides = 2 * sum(comb(cases, count) for count in range(most, cases + 1))
    return min(1.0, float(sides / 2**cases))


def _compared(one: float, other: float) -> int:
    """1 where `one` is the larger, -1 where it is the smaller."""
    return (one > other) - (one < other)


def _tally(signed: Iterable[tuple[str, float]]) -> Tally:
    """Cells sorted by the sign of a number: above zero is for the claim."""
    tally = Tally([], [], [])
    for cell, value in signed:
        (tally.support if value > 0 else tally.against if value < 0 else tally.ties).append(cell)
    return tally


def _ranks(values: Sequence[float]) -> list[float]:
    return [sum(other < value for other in values) + values.count(value) / 2 for value in values]
