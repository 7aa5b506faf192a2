"""The tables of docs/results.md, from the supervised runs in results/; tables.py writes them."""

from collections.abc import Sequence
from math import floor, log10
from statistics import fmean, median, stdev

from comparisons import beside, learned, pairs, risen
from markdown_table import Column, listed, row, table
from rows import Row
from runs import SUPERVISED, found_runs
from sections import (
    LABEL,
    STATES,
    WARMED_UP,
    Claims,
    Rows,
    across,
    config_of,
    kinds_of_states,
    mean_of,
    of_page,
    plain,
    vaa_change,
    with_cells,
)
from supervised import halfway_of, supervised

from multistable.experiments.data import task_of

ONE_OR_BOTH, BOTH, NEITHER = (1, 2), (2,), (0,)

CLAIMS: Claims = {
    **{f"`{one}` learns faster than `plain`": beside(one, "plain", "soon", ONE_OR_BOTH) for one in WARMED_UP},
    **{f"`{one}` ends better than `plain`": beside(one, "plain", "exact", ONE_OR_BOTH) for one in WARMED_UP},
    "`warmup` costs precision where `plain` learns too": beside("plain", "warmup", "exact", BOTH),
    "`double+warmup` regains precision": beside("double+warmup", "warmup", "exact", BOTH),
    "VAA rises as `plain` networks learn": lambda rows: risen(plain(rows, True)),
}
ASIDES: Claims = {
    **{
        f"`{one}` ends better than `plain` where neither learned": beside(one, "plain", "exact", NEITHER)
        for one in WARMED_UP
    },
    "`double+warmup` is more precise than `plain`": beside("double+warmup", "plain", "exact", BOTH),
    "VAA rises in `plain` networks that do not learn": lambda rows: risen(plain(rows, False)),
}


def tables() -> dict[str, str]:
    """All of them, by name."""
    found = [[supervised(run) for run in runs] for runs in found_runs(SUPERVISED)]
    made = of_page(
        "results", SUPERVISED, found, OF_TRAINING, CLAIMS, ASIDES, {"outcomes": outcomes, "lengths": lengths}
    )
    return made | {"results-precision": precision(found), "results-vaa": vaa(found)}


def split(rows: Rows) -> str:
    """How many sequences there are to train, to validate and to test; of images, what share."""
    config = config_of(rows)
    assert config.validation is not None
    if config.samples is None:
        share = 100 * config.validation
        return f"{100 - share:.0f} % / {share:.0f} % of the others / a fifth of each class"
    held = task_of(config).held_out(config.samples)
    return f"{config.samples - held:,} / {held:,} / {config.test_samples:,}"


OF_TRAINING: dict[str, Column[Row]] = {
    "epochs": lambda rows: config_of(rows).epochs,
    "to train / validate / test": split,
    "metric": lambda rows: rows[0]["run"].summary["metric"],
    "chance": lambda rows: f"{rows[0]['run'].summary['chance']:g}",
    "halfway": lambda rows: f"{halfway_of(rows[0]['run'].summary):g}",
}


def outcomes(rows: Rows) -> str:
    """What came of each cell and variant."""
    columns: dict[str, Column[Row]] = {
        **LABEL,
        "seeds": len,
        metric_of(rows): lambda group: plus_minus([row["metric"] for row in group]),
        **listed("learned at", "{learned}"),
        **STATES,
    }
    return table([row | {"learned": "–" if row["learned"] is None else row["learned"]} for row in rows], columns)


def lengths(rows: Rows) -> str:
    """The mean test metric at every evaluation length, and how many of all networks that learned are halfway there."""

    def mean_at(length: int) -> Column[Row]:
        return lambda group: rounded(fmean(row["tested"][length] for row in group))

    key, there = config_of(rows).of_task.horizon_key, rows[0]["tested"]
    columns: dict[str, Column[Row]] = {metric_of(rows): LABEL[""]}
    columns |= {f"{key} {length}": mean_at(length) for length in there}
    halfway = [sum(length in row["halfway"] for row in learners(rows)) for length in there]
    return f"{table(rows, columns)}\n{row([f'halfway or better, of {len(learners(rows))} that learned', *halfway])}"


def precision(found: Sequence[Rows]) -> str:
    """Median test errors of two variants where both learned."""

    def medians(one: str, other: str) -> Column[Row]:
        def said(rows: Rows) -> str:
            sides = zip(*learned(pairs(rows, one, other), BOTH), strict=True)
            return ", ".join(f"{median(row['error'] for row in side):.2g}" for side in sides)

        return said

    both = [("warmup", "plain"), ("double+warmup", "warmup"), ("double+warmup", "plain")]
    return across(found, {f"`{one}`, `{other}`": medians(one, other) for one, other in both})


def vaa(found: Sequence[Rows]) -> str:
    """VAA in training, and what is certified in the end."""

    def rising(rows: Rows) -> str:
        known = [row["follows"] for row in plain(rows, True) if row["follows"] is not None]
        return f"{sum(value > 0 for value in known)} of {len(known)}, median {median(known):.2f}" if known else ""

    return across(
        found,
        {
            "VAA of `plain` networks that learned": lambda rows: vaa_change(plain(rows, True)),
            "VAA of `plain` networks that did not": lambda rows: vaa_change(plain(rows, False)),
            "rank correlation above zero in those that learned": rising,
            "networks of all variants that learned": lambda rows: len(learners(rows)),
            "their VAA after training": lambda rows: mean_of(learners(rows), "vaa"),
            "… certified": lambda rows: mean_of(learners(rows), "certified"),
            "… more than one attractor certified": lambda rows: with_cells(
                [row["cell"] for row in learners(rows) if row["many"]]
            ),
            "… their states": lambda rows: kinds_of_states(learners(rows)),
        },
    )


def learners(rows: Rows) -> list[Row]:
    """The runs that learned."""
    return [row for row in rows if row["learned"] is not None]


def plus_minus(values: Sequence[float]) -> str:
    """A mean, and where there is more than one value the standard deviation; in one line of a cell."""
    mean = fmean(values)
    deviation = f"&nbsp;±&nbsp;{stdev(values):.{places(mean)}f}" if len(values) > 1 else ""
    return f"{rounded(mean)}{deviation}"


def rounded(value: float) -> str:
    return f"{value:.{places(value)}f}"


def places(value: float) -> int:
    """Decimal places that show three digits."""
    return max(0, 2 - floor(log10(abs(value)))) if value else 2


def metric_of(rows: Rows) -> str:
    return "accuracy" if rows[0]["run"].summary["higher_is_better"] else "test error"
