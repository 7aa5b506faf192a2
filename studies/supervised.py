"""What is known of a supervised run: when it learned, how well, and whether VAA went with it."""

from collections.abc import Sequence
from statistics import correlation
from typing import Any

from rows import Row
from runs import facts

from multistable.experiments.results import Run


def supervised(run: Run) -> Row:
    """The facts of a run."""
    metric = run.summary["test_metric"]
    error = 1 - metric if run.summary["higher_is_better"] else metric
    row = facts(run, learned_at(run))
    halfway = [length for length, metric in row["tested"].items() if is_halfway(run, metric)]
    return row | {"metric": metric, "error": error, "exact": -error, "follows": follows(run), "halfway": halfway}


def learned_at(run: Run) -> int | None:
    """The first epoch at whose end the validation metric is halfway from chance to perfect, or better."""
    for row in run.rows:
        value, epoch = row["validation_metric"], row["epoch"]
        if value is not None and epoch is not None and is_halfway(run, value):
            return int(epoch)
    return None


def is_halfway(run: Run, value: float) -> bool:
    """Whether a value of the run's metric is halfway from chance to perfect, or better."""
    halfway = halfway_of(run.summary)
    return value >= halfway if run.summary["higher_is_better"] else value <= halfway


def halfway_of(summary: dict[str, Any]) -> float:
    """The metric halfway from chance to perfect: a perfect error is 0, a perfect accuracy 1."""
    chance: float = summary["chance"]
    return (chance + (1 if summary["higher_is_better"] else 0)) / 2


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


def _ranks(values: Sequence[float]) -> list[float]:
    return [sum(other < value for other in values) + values.count(value) / 2 for value in values]
