"""What runs in a T-Maze say of the paper's claims, with the cases for and against each, and of what is certified."""

from collections import Counter
from collections.abc import Sequence

from claims import WARMED_UP
from comparisons import cell_of, earlier, larger, learned, pairs, risen, variant_of
from mazes import (
    corridors,
    difference,
    ends_optimal,
    first_optimal,
    is_optimal,
    lasts,
    longer,
    many_certified,
    optimal_again,
    optimal_in_longer,
)
from words import Claim, in_cells, joined, mean_change, which_way

from multistable.experiments.results import Run


def claims(runs: Sequence[Run]) -> list[Claim]:
    """What the runs say of the paper's claims: each in a few words, the cases for and against it, and a sentence."""
    return [
        *(_sooner(runs, variant) for variant in WARMED_UP),
        *(_farther(runs, variant) for variant in WARMED_UP),
        _rising([run for run in runs if variant_of(run.config) == "plain"]),
    ]


def _sooner(runs: Sequence[Run], variant: str) -> Claim:
    found = pairs(runs, variant, "plain")
    either = learned(found, 1, first_optimal)
    tally = earlier(either, first_optimal)
    ways = which_way(tally, "Optimal after fewer episodes", "after more", "after as many")
    neither = len(found) - len(either)
    rest = f"In {neither} more, neither ever was." if neither else ""
    return f"`{variant}` is optimal sooner than `plain`", tally, joined(ways, rest)


def _farther(runs: Sequence[Run], variant: str) -> Claim:
    tally = larger(pairs(runs, variant, "plain"), optimal_in_longer)
    ways = which_way(tally, "Optimal in more of the longer mazes", "in fewer", "in as many")
    return f"`{variant}` is optimal in more of the longer mazes than `plain`", tally, ways


def _rising(plain: Sequence[Run]) -> Claim:
    those, others = ([run for run in plain if (first_optimal(run) is not None) == wanted] for wanted in (True, False))
    tally = risen(those)
    return (
        "VAA rises as `plain` networks learn",
        tally,
        joined(
            which_way(tally, "Where the policy was ever optimal, VAA rose", "fell", "stayed", "runs"),
            mean_change(those),
            which_way(risen(others), "Where it never was, VAA rose", "fell", "stayed", "runs"),
            mean_change(others),
        ),
    )


def stability(runs: Sequence[Run]) -> str:
    """How often optimality is lost and regained."""
    those = [run for run in runs if first_optimal(run) is not None]
    if not those:
        return "No policy was ever optimal."
    again = [again for run in those for again in optimal_again(run)]
    kept = [run for run in those if all(optimal_again(run))]
    ends = [run for run in those if ends_optimal(run)]
    return (
        f"After the first optimal evaluation, {sum(again):,} of {len(again):,} were optimal again. Of the {len(those)} "
        f"networks that were ever optimal, {len(kept) or 'none'} stayed so at every evaluation since{_cells(kept)}, "
        f"and {len(ends) or 'none'} are so in the test after training{_cells(ends)}."
    )


def lasting(runs: Sequence[Run]) -> str:
    """Which networks are still optimal in longer corridors."""
    those = [run for run in runs if ends_optimal(run)]
    if not those:
        return "No network is optimal in the corridor that it was trained in."
    counts = ", ".join(
        f"{sum(is_optimal(longer(run)[length]) for run in those)} at {length:,}" for length in longer(those[0])
    )
    throughout = [run for run in those if optimal_in_longer(run) == len(longer(run))]
    between = sum(map(lasts, those)) - len(throughout)
    away = sum(lasts(run) and not ends_optimal(run) for run in runs)
    longest = f"{max(corridors(those[0])):,}"
    return joined(
        f"Of the {len(those)} networks that are optimal at {those[0].config.horizon} after training, still optimal are "
        f"{counts}; at all of these lengths {len(throughout) or 'none'}{_cells(throughout)}.",
        f"Optimal at {longest} though not at a length in between: {between}." if between else "",
        f"Optimal at {longest} though not at {those[0].config.horizon}: {away} more." if away else "",
    )


def certified(runs: Sequence[Run]) -> tuple[str, str]:
    """Whether what is certified tells which networks last: a verdict, and the counts."""
    those = [run for run in runs if ends_optimal(run)]
    last, others = ([run for run in those if lasts(run) == wanted] for wanted in (True, False))
    longest = max(corridors(runs[0]))
    counts = (
        f"Two attractors or more are certified in {_many(last)} that are optimal at {runs[0].config.horizon} and at "
        f"{longest:,}, and in {_many(others)} that are optimal at {runs[0].config.horizon} and not there."
    )
    if not last or not others:
        return "no cases", joined(counts, "So there is nothing to compare.")
    excess, probability = difference(those)
    verdict = "open" if probability >= 0.05 else "supported" if excess > 0 else "contradicted"
    return verdict, joined(counts, f"Cell by cell, chance brings such a difference with probability {probability:.2g}.")


def _many(runs: Sequence[Run]) -> str:
    """In how many several attractors are certified, and cell by cell."""
    cells = Counter(cell_of(run.config) for run in runs)
    found = Counter(cell_of(run.config) for run in runs if many_certified(run))
    parts = ", ".join(f"{cell} {found[cell]} of {count}" for cell, count in cells.items())
    return f"{found.total()} of the {len(runs)}{f' ({parts})' if parts else ''}"


def _cells(runs: Sequence[Run]) -> str:
    return in_cells([cell_of(run.config) for run in runs])
