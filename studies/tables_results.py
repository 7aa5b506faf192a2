"""The tables of docs/results.md, from the supervised runs in results/; tables.py writes them."""

from collections.abc import Sequence
from math import floor, log10
from statistics import fmean, median

from claims import WARMED_UP, Claims, cases, kinds_of_states, mean_of, vaa_change, verdicts, with_cells
from comparisons import (
    beside,
    cell_of,
    error,
    exact,
    follows,
    halfway_of,
    is_halfway,
    learned,
    learned_at,
    pairs,
    risen,
    soon,
    variant_of,
)
from markdown_table import Column, row, table
from runs import SETTINGS, SUPERVISED, Runs, across, by_section, finished, found_runs, label

from multistable.experiments.config import TASKS, held_out
from multistable.experiments.results import Run, spread


def tables() -> dict[str, str]:
    """All of them, by name."""
    found = found_runs(SUPERVISED)
    return {
        "results-finished": finished(SUPERVISED, found),
        "results-claims": verdicts(found, CLAIMS),
        "results-settings": across(found, SETTINGS | OF_TRAINING),
        "results-precision": precision(found),
        "results-vaa": vaa(found),
        **by_section(
            found,
            {"outcomes": outcomes, "lengths": lengths, "claims": lambda runs: cases(runs, CLAIMS, ASIDES)},
        ),
    }


def split(runs: Runs) -> str:
    """How many sequences there are to train, to validate and to test; of images, what share."""
    config = runs[0].config
    assert config.validation is not None
    if config.samples is None:
        share = 100 * config.validation
        return f"{100 - share:.0f} % / {share:.0f} % of the others / a fifth of each class"
    held = held_out(config.samples, config.validation)
    return f"{config.samples - held:,} / {held:,} / {config.test_samples:,}"


OF_TRAINING: dict[str, Column[Run]] = {
    "epochs": lambda runs: runs[0].config.epochs,
    "to train / validate / test": split,
    "metric": lambda runs: runs[0].summary["metric"],
    "chance": lambda runs: f"{runs[0].summary['chance']:g}",
    "halfway": lambda runs: f"{halfway_of(runs[0]):g}",
}


def outcomes(runs: Runs) -> str:
    """What came of each cell and variant."""
    columns: dict[str, Column[Run]] = {
        "": label,
        "seeds": len,
        metric_of(runs): lambda group: plus_minus([run.summary["test_metric"] for run in group]),
        "learned at": lambda group: ", ".join("–" if at is None else str(at) for at in map(learned_at, group)),
        "VAA": vaa_change,
        "certified": lambda group: mean_of(group, "certified"),
    }
    return table(runs, columns)


def lengths(runs: Runs) -> str:
    """The mean test metric at every evaluation length, and how many of all networks that learned are halfway there."""
    those = learners(runs)

    def means(place: int) -> Column[Run]:
        return lambda group: rounded(fmean(run.summary["evaluation"][place]["metric"] for run in group))

    def halfway(place: int) -> int:
        return sum(is_halfway(run, run.summary["evaluation"][place]["metric"]) for run in those)

    key, there = TASKS[runs[0].config.task].horizon, runs[0].summary["evaluation"]
    columns: dict[str, Column[Run]] = {metric_of(runs): label}
    columns |= {f"{key} {one['length']}": means(place) for place, one in enumerate(there)}
    last = [f"halfway or better, of {len(those)} that learned", *map(halfway, range(len(there)))]
    return f"{table(runs, columns)}\n{row(last)}"


ONE_OR_BOTH, BOTH, NEITHER = (1, 2), (2,), (0,)

CLAIMS: Claims = {
    **{
        f"`{variant}` learns faster than `plain`": beside(variant, "plain", soon(learned_at), ONE_OR_BOTH)
        for variant in WARMED_UP
    },
    **{f"`{variant}` ends better than `plain`": beside(variant, "plain", exact, ONE_OR_BOTH) for variant in WARMED_UP},
    "`warmup` costs precision where `plain` learns too": beside("plain", "warmup", exact, BOTH),
    "`double+warmup` regains precision": beside("double+warmup", "warmup", exact, BOTH),
    "VAA rises as `plain` networks learn": lambda runs: risen(plain(runs, True)),
}
ASIDES: Claims = {
    **{
        f"`{variant}` ends better than `plain` where neither learned": beside(variant, "plain", exact, NEITHER)
        for variant in WARMED_UP
    },
    "`double+warmup` is more precise than `plain`": beside("double+warmup", "plain", exact, BOTH),
    "VAA rises in `plain` networks that do not learn": lambda runs: risen(plain(runs, False)),
}


def precision(found: Sequence[Runs]) -> str:
    """Median test errors of two variants where both learned."""

    def medians(one: str, other: str) -> Column[Run]:
        def said(runs: Runs) -> str:
            sides = zip(*learned(pairs(runs, one, other), BOTH), strict=True)
            return ", ".join(f"{median(map(error, side)):.2g}" for side in sides)

        return said

    both = [("warmup", "plain"), ("double+warmup", "warmup"), ("double+warmup", "plain")]
    return across(found, {f"`{one}`, `{other}`": medians(one, other) for one, other in both})


def vaa(found: Sequence[Runs]) -> str:
    """VAA in training, and what is certified in the end."""

    def correlations(runs: Runs) -> list[float]:
        return [value for value in map(follows, plain(runs, True)) if value is not None]

    def many_certified(runs: Runs) -> str:
        many = [run for run in learners(runs) if run.summary["attractors"]["count"] > 1]
        return with_cells([cell_of(run.config) for run in many])

    def rising(runs: Runs) -> str:
        found = correlations(runs)
        return f"{sum(value > 0 for value in found)} of {len(found)}, median {median(found):.2f}" if found else ""

    return across(
        found,
        {
            "VAA of `plain` networks that learned": lambda runs: vaa_change(plain(runs, True)),
            "VAA of `plain` networks that did not": lambda runs: vaa_change(plain(runs, False)),
            "rank correlation above zero in those that learned": rising,
            "networks of all variants that learned": lambda runs: len(learners(runs)),
            "their VAA after training": lambda runs: mean_of(learners(runs), "vaa"),
            "… certified": lambda runs: mean_of(learners(runs), "certified"),
            "… more than one attractor certified": many_certified,
            "… their states": lambda runs: kinds_of_states(learners(runs)),
        },
    )


def learners(runs: Runs) -> list[Run]:
    """The runs that learned."""
    return [run for run in runs if learned_at(run) is not None]


def plain(runs: Runs, wanted: bool) -> list[Run]:
    """The `plain` runs that learned, or those that did not."""
    return [run for run in runs if variant_of(run.config) == "plain" and (learned_at(run) is not None) == wanted]


def plus_minus(values: Sequence[float]) -> str:
    """A mean, and where there is more than one value the standard deviation; in one line of a cell."""
    found = spread(values)
    deviation = f"&nbsp;±&nbsp;{found.deviation:.{places(found.mean)}f}" if len(values) > 1 else ""
    return f"{rounded(found.mean)}{deviation}"


def rounded(value: float) -> str:
    return f"{value:.{places(value)}f}"


def places(value: float) -> int:
    """Decimal places that show three digits."""
    return max(0, 2 - floor(log10(abs(value)))) if value else 2


def metric_of(runs: Runs) -> str:
    return "accuracy" if runs[0].summary["higher_is_better"] else "test error"
