"""What runs say of the paper's claims: the cases for and against each, and a sentence with their numbers."""

from collections.abc import Sequence
from statistics import fmean, median

from comparisons import (
    Pair,
    cell_of,
    earlier,
    error,
    follows,
    is_halfway,
    learned,
    learned_at,
    pairs,
    risen,
    smaller_error,
    variant_of,
)
from words import Claim, in_cells, joined, kinds_of_states, mean_change, which_way

from multistable.experiments.config import TASKS
from multistable.experiments.results import Run

WARMED_UP = ("warmup", "double+warmup")


def claims(runs: Sequence[Run]) -> list[Claim]:
    """What the runs say of the paper's claims: each in a few words, the cases for and against it, and a sentence."""
    return [
        *(_faster(runs, variant) for variant in WARMED_UP),
        *(_better(runs, variant) for variant in WARMED_UP),
        _less_exact(pairs(runs, "warmup", "plain")),
        _more_exact(pairs(runs, "double+warmup", "warmup"), pairs(runs, "double+warmup", "plain")),
        _rising([run for run in runs if variant_of(run.config) == "plain"]),
    ]


def _faster(runs: Sequence[Run], variant: str) -> Claim:
    found = pairs(runs, variant, "plain")
    either = learned(found, 1)
    tally = earlier(either)
    ways = which_way(tally, "Learned at an earlier epoch", "at a later one", "at the same")
    return f"`{variant}` learns faster than `plain`", tally, joined(ways, _neither(len(found) - len(either)))


def _better(runs: Sequence[Run], variant: str) -> Claim:
    found = pairs(runs, variant, "plain")
    either = learned(found, 1)
    tally = smaller_error(either)
    ways = which_way(tally, "The test metric is better", "worse", "the same")
    rest = smaller_error(pair for pair in found if pair not in either)
    of_rest = which_way(rest, "There it is better", "worse", "the same") if rest.cases else ""
    return f"`{variant}` ends better than `plain`", tally, joined(ways, _neither(rest.cases), of_rest)


def _less_exact(found: Sequence[Pair]) -> Claim:
    both = learned(found, 2)
    tally = smaller_error((plain, warm) for warm, plain in both)
    ways = which_way(tally, "Where both learned, the test error after a warmup is larger", "smaller", "the same")
    return (
        "`warmup` costs precision where `plain` learns too",
        tally,
        joined(ways, _medians(both, "warmup", "plain")),
    )


def _more_exact(found: Sequence[Pair], with_plain: Sequence[Pair]) -> Claim:
    both, beside_plain = learned(found, 2), learned(with_plain, 2)
    tally = smaller_error(both)
    ways = which_way(tally, "Where both learned, the test error is smaller than with `warmup`", "larger", "the same")
    than_plain = which_way(smaller_error(beside_plain), "Smaller than with `plain`", "larger", "the same")
    return (
        "`double+warmup` regains precision",
        tally,
        joined(
            ways,
            _medians(both, "double+warmup", "warmup"),
            than_plain,
            _medians(beside_plain, "double+warmup", "plain"),
        ),
    )


def _rising(plain: Sequence[Run]) -> Claim:
    those, others = ([run for run in plain if (learned_at(run) is not None) == wanted] for wanted in (True, False))
    tally = risen(those)
    return (
        "VAA rises as `plain` networks learn",
        tally,
        joined(
            which_way(tally, "In training that succeeded VAA rose", "fell", "stayed", "runs"),
            mean_change(those),
            _related(those),
            which_way(risen(others), "In training that did not, it rose", "fell", "stayed", "runs"),
            mean_change(others),
        ),
    )


def _related(runs: Sequence[Run]) -> str:
    found = [value for value in map(follows, runs) if value is not None]
    if not found:
        return ""
    positive = sum(value > 0 for value in found)
    return (
        f"Over epochs a higher VAA goes with a better validation metric (rank correlation above zero) in {positive} of "
        f"the {len(found)} in which both change; the median correlation is {median(found):.2f}."
    )


def certified(runs: Sequence[Run]) -> str:
    """What `attractors` says of the runs that learned."""
    those = [run for run in runs if learned_at(run) is not None]
    if not those:
        return "No run learned."
    found = [run.summary["attractors"] for run in those]
    many = [run for run, one in zip(those, found, strict=True) if one["count"] > 1]
    return (
        f"VAA after training is {fmean(run.summary['vaa'] for run in those):.2f} in the mean of the {len(those)} runs "
        f"that learned, and {fmean(run.summary['certified'] for run in those):.2f} is certified. More than one "
        f"attractor is certified in {len(many)}{in_cells([cell_of(run.config) for run in many])}. Of the states in "
        f"these {len(those)}, {kinds_of_states(those)}."
    )


def other_lengths(runs: Sequence[Run]) -> str:
    """At which evaluation lengths the runs that learned are still halfway or better."""
    those = [run for run in runs if learned_at(run) is not None]
    if not those:
        return "No run learned."
    counts: dict[int, int] = {}
    for run in those:
        for one in run.summary["evaluation"]:
            counts[one["length"]] = counts.get(one["length"], 0) + is_halfway(run, one["metric"])
    key = TASKS[those[0].config.task].horizon
    found = ", ".join(f"{count} at {length}" for length, count in counts.items())
    return f"Of the {len(those)} runs that learned, the test metric is halfway or better, by {key}, in {found}."


def _neither(count: int) -> str:
    return f"In {count} more, neither learned." if count else ""


def _medians(found: Sequence[Pair], one: str, other: str) -> str:
    if not found:
        return ""
    medians = [f"{median(error(run) for run in runs):.2g}" for runs in zip(*found, strict=True)]
    return f"Median errors: `{one}` {medians[0]}, `{other}` {medians[1]}."
