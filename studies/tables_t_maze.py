"""The tables of docs/results-t-maze.md, from the runs in results/; tables.py writes them."""

from collections import Counter
from collections.abc import Callable
from statistics import fmean

from comparisons import beside, risen
from markdown_table import Column, listed, row, table
from mazes import difference, in_maze, is_optimal
from rows import Row
from runs import T_MAZE, found_runs
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

CLAIMS: Claims = {
    **{f"`{one}` is optimal sooner than `plain`": beside(one, "plain", "soon", (1, 2)) for one in WARMED_UP},
    **{
        f"`{one}` is optimal in more of the longer mazes than `plain`": beside(one, "plain", "optimal in longer")
        for one in WARMED_UP
    },
    "VAA rises as `plain` networks learn": lambda rows: risen(plain(rows, True)),
}
ASIDES: Claims = {
    "VAA rises in `plain` networks that are never optimal": lambda rows: risen(plain(rows, False)),
}


def tables() -> dict[str, str]:
    """All of them, by name."""
    found = [[in_maze(run) for run in runs] for runs in found_runs(T_MAZE)]
    of_section = {"outcomes": outcomes, "corridors": in_corridors, "lasting": lasting}
    made = of_page("results-t-maze", T_MAZE, found, OF_TRAINING, CLAIMS, ASIDES, of_section)
    return made | {"results-t-maze-regained": across(found, REGAINED)}


OF_TRAINING: dict[str, Column[Row]] = {
    "training episodes": lambda rows: f"{config_of(rows).episodes:,}",
    "… between evaluations": lambda rows: f"{rows[0]['run'].rows[1]['episodes']:g}",
}


def outcomes(rows: Rows) -> str:
    """What came of each cell and variant."""
    columns: dict[str, Column[Row]] = {
        **LABEL,
        "ever optimal": lambda group: f"{sum(row['learned'] is not None for row in group)} of {len(group)}",
        **listed("first after", "{first}"),
        "again": lambda group: f"{100 * fmean(again(group)):.0f}&nbsp;%" if again(group) else "",
        **STATES,
    }
    shown = [row | {"first": "–" if row["learned"] is None else f"{row['learned']:,}"} for row in rows]
    return table(shown, columns)


def in_corridors(rows: Rows) -> str:
    """How many networks are optimal after training, and their mean share of optimal rollouts, in each corridor."""

    def at(length: int) -> Column[Row]:
        def said(group: Rows) -> str:
            shares = [row["tested"][length] for row in group]
            return f"{sum(map(is_optimal, shares))} of {len(shares)}, {100 * fmean(shares):.0f}&nbsp;%"

        return said

    there = rows[0]["tested"]
    columns = LABEL | {f"L {length:,}": at(length) for length in there}
    last = [sum(row["ends optimal"] and is_optimal(row["tested"][length]) for row in rows) for length in there]
    return f"{table(rows, columns)}\n{row([f'of all that are optimal at {config_of(rows).horizon}', *last])}"


def lasting(rows: Rows) -> str:
    """What is certified in networks that are still optimal in the longest corridor, and in those that are not."""
    shortest, longest = config_of(rows).horizon, f"{max(rows[0]['tested']):,}"

    def kind(group: Rows) -> str:
        if not group[0]["ends optimal"]:
            return f"not optimal at {shortest}"
        return f"optimal at {shortest}{' and' if group[0]['lasts'] else ', not at'} {longest}"

    columns: dict[str, Column[Row]] = {
        "after training": kind,
        "networks": len,
        "two attractors or more": many_of_each,
        "VAA": lambda group: mean_of(group, "vaa"),
        "certified": lambda group: mean_of(group, "certified"),
        "states": kinds_of_states,
    }
    return table(sorted(rows, key=lambda row: (not row["ends optimal"], not row["lasts"])), columns)


def many_of_each(rows: Rows) -> str:
    """In how many several attractors are certified, and cell by cell."""
    cells, many = (Counter(row["cell"] for row in some) for some in (rows, [row for row in rows if row["many"]]))
    return f"{many.total()} ({', '.join(f'{cell} {many[cell]} of {count}' for cell, count in cells.items())})"


def counted(is_one: Callable[[Row], bool]) -> Column[Row]:
    """How many runs are such ones, and of which cells."""
    return lambda rows: with_cells([row["cell"] for row in rows if is_one(row)])


def again(rows: Rows) -> list[bool]:
    """Of all evaluations after the first optimal one, whether each was optimal again."""
    return [optimal for row in rows for optimal in row["again"]]


def tells_who_lasts(rows: Rows) -> str:
    """Whether more attractors are certified in the networks that last: a verdict, and how likely chance is."""
    those = [row for row in rows if row["ends optimal"]]
    if len({row["lasts"] for row in those}) < 2:
        return "no cases"
    excess, probability = difference(those)
    verdict = "open" if probability >= 0.05 else "supported" if excess > 0 else "contradicted"
    return f"{verdict} (p = {probability:.2g})"


REGAINED: dict[str, Column[Row]] = {
    "networks that were ever optimal": counted(lambda row: row["learned"] is not None),
    "evaluations after the first optimal one": lambda rows: f"{len(again(rows)):,}",
    "… optimal again": lambda rows: f"{sum(again(rows)):,}",
    "networks that were optimal ever since": counted(lambda row: row["learned"] is not None and all(row["again"])),
    "… that are optimal in the test": counted(lambda row: row["ends optimal"]),
    "… and in all longer corridors": counted(lambda row: row["ends optimal"] and row["throughout"]),
    "… and in the longest, not in one between": counted(
        lambda row: row["ends optimal"] and row["lasts"] and not row["throughout"]
    ),
    "… in the longest, not in the test": counted(lambda row: row["lasts"] and not row["ends optimal"]),
    "VAA of `plain` that were ever optimal": lambda rows: vaa_change(plain(rows, True)),
    "VAA of `plain` that never were": lambda rows: vaa_change(plain(rows, False)),
    "what is certified tells who lasts": tells_who_lasts,
}
"""How often optimality is lost and regained, who keeps it in longer corridors, and what VAA does."""
