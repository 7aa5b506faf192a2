"""The tables of docs/results-t-maze.md, from the runs in results/; tables.py writes them."""

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean

from claims import WARMED_UP, Claims, cases, kinds_of_states, mean_of, vaa_change, verdicts, with_cells
from comparisons import beside, cell_of, risen, soon, variant_of
from markdown_table import Column, grid, row, table
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
from runs import SETTINGS, T_MAZE, Runs, across, by_section, finished, found_runs, label

from multistable.experiments.results import Run


def tables() -> dict[str, str]:
    """All of them, by name."""
    found = found_runs(T_MAZE)
    return {
        "results-t-maze-finished": finished(T_MAZE, found),
        "results-t-maze-claims": verdicts(found, CLAIMS),
        "results-t-maze-settings": across(found, SETTINGS | OF_TRAINING),
        "results-t-maze-regained": regained(found),
        **by_section(
            found,
            {
                "outcomes": outcomes,
                "corridors": in_corridors,
                "lasting": lasting,
                "claims": lambda runs: cases(runs, CLAIMS, ASIDES),
            },
        ),
    }


OF_TRAINING: dict[str, Column[Run]] = {
    "training episodes": lambda runs: f"{runs[0].config.episodes:,}",
    "… between evaluations": lambda runs: f"{runs[0].rows[1]['episodes']:g}",
}


def outcomes(runs: Runs) -> str:
    """What came of each cell and variant."""

    def share_again(group: Runs) -> str:
        return f"{100 * fmean(again(group)):.0f}&nbsp;%" if again(group) else ""

    columns: dict[str, Column[Run]] = {
        "": label,
        "ever optimal": lambda group: f"{len(ever_optimal(group, True))} of {len(group)}",
        "first after": lambda group: ", ".join("–" if at is None else f"{at:,}" for at in map(first_optimal, group)),
        "again": share_again,
        "VAA": vaa_change,
        "certified": lambda group: mean_of(group, "certified"),
    }
    return table(runs, columns)


def in_corridors(runs: Runs) -> str:
    """How many networks are optimal after training, and their mean share of optimal rollouts, in each corridor."""

    def at(length: int) -> Column[Run]:
        def said(group: Runs) -> str:
            shares = [corridors(run)[length] for run in group]
            return f"{sum(map(is_optimal, shares))} of {len(shares)}, {100 * fmean(shares):.0f}&nbsp;%"

        return said

    there = corridors(runs[0])
    columns: dict[str, Column[Run]] = {"": label, **{f"L {length:,}": at(length) for length in there}}
    those = [run for run in runs if ends_optimal(run)]
    last = [sum(is_optimal(corridors(run)[length]) for run in those) for length in there]
    return f"{table(runs, columns)}\n{row([f'of all that are optimal at {runs[0].config.horizon}', *last])}"


def lasting(runs: Runs) -> str:
    """What is certified in networks that are still optimal in the longest corridor, and in those that are not."""
    shortest, longest = runs[0].config.horizon, f"{max(corridors(runs[0])):,}"
    kinds: dict[str, Callable[[Run], bool]] = {
        f"optimal at {shortest} and {longest}": lambda run: ends_optimal(run) and lasts(run),
        f"optimal at {shortest}, not at {longest}": lambda run: ends_optimal(run) and not lasts(run),
        f"not optimal at {shortest}": lambda run: not ends_optimal(run),
    }
    head = ["after training", "networks", "two attractors or more", "VAA", "certified", "states"]
    found = [(kind, [run for run in runs if is_one(run)]) for kind, is_one in kinds.items()]
    return grid(head, [[kind, len(group), *(_certified(group) if group else [""] * 4)] for kind, group in found])


def _certified(runs: Runs) -> list[str]:
    """What is measured in some networks."""
    cells = Counter(cell_of(run.config) for run in runs)
    many = Counter(cell_of(run.config) for run in runs if many_certified(run))
    of_cells = ", ".join(f"{cell} {many[cell]} of {count}" for cell, count in cells.items())
    return [f"{many.total()} ({of_cells})", mean_of(runs, "vaa"), mean_of(runs, "certified"), kinds_of_states(runs)]


def regained(found: Sequence[Runs]) -> str:
    """How often optimality is lost and regained, who keeps it in longer corridors, and what VAA does."""

    def count(is_one: Callable[[Run], bool]) -> Column[Run]:
        return lambda runs: with_cells([cell_of(run.config) for run in runs if is_one(run)])

    def ever(run: Run) -> bool:
        return first_optimal(run) is not None

    def throughout(run: Run) -> bool:
        return optimal_in_longer(run) == len(longer(run))

    return across(
        found,
        {
            "networks that were ever optimal": count(ever),
            "evaluations after the first optimal one": lambda runs: f"{len(again(runs)):,}",
            "… optimal again": lambda runs: f"{sum(again(runs)):,}",
            "networks that were optimal ever since": count(lambda run: ever(run) and all(optimal_again(run))),
            "… that are optimal in the test": count(ends_optimal),
            "… and in all longer corridors": count(lambda run: ends_optimal(run) and throughout(run)),
            "… and in the longest, not in one between": count(
                lambda run: ends_optimal(run) and lasts(run) and not throughout(run)
            ),
            "… in the longest, not in the test": count(lambda run: lasts(run) and not ends_optimal(run)),
            "VAA of `plain` that were ever optimal": lambda runs: vaa_change(ever_optimal(plain(runs), True)),
            "VAA of `plain` that never were": lambda runs: vaa_change(ever_optimal(plain(runs), False)),
            "what is certified tells who lasts": tells_who_lasts,
        },
    )


def tells_who_lasts(runs: Runs) -> str:
    """Whether more attractors are certified in the networks that last: a verdict, and how likely chance is."""
    those = [run for run in runs if ends_optimal(run)]
    if len({lasts(run) for run in those}) < 2:
        return "no cases"
    excess, probability = difference(those)
    verdict = "open" if probability >= 0.05 else "supported" if excess > 0 else "contradicted"
    return f"{verdict} (p = {probability:.2g})"


CLAIMS: Claims = {
    **{
        f"`{variant}` is optimal sooner than `plain`": beside(
            variant, "plain", soon(first_optimal), (1, 2), first_optimal
        )
        for variant in WARMED_UP
    },
    **{
        f"`{variant}` is optimal in more of the longer mazes than `plain`": beside(
            variant, "plain", optimal_in_longer, (0, 1, 2)
        )
        for variant in WARMED_UP
    },
    "VAA rises as `plain` networks learn": lambda runs: risen(ever_optimal(plain(runs), True)),
}
ASIDES: Claims = {
    "VAA rises in `plain` networks that are never optimal": lambda runs: risen(ever_optimal(plain(runs), False)),
}


def again(runs: Runs) -> list[bool]:
    """Of all evaluations after the first optimal one, whether each was optimal again."""
    return [optimal for run in runs for optimal in optimal_again(run)]


def plain(runs: Runs) -> list[Run]:
    return [run for run in runs if variant_of(run.config) == "plain"]


def ever_optimal(runs: Runs, wanted: bool) -> list[Run]:
    """The runs that were optimal at some evaluation, or those that never were."""
    return [run for run in runs if (first_optimal(run) is not None) == wanted]
