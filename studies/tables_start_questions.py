"""Tables on what else is asked of starts: mazes, precision, and a penalty; tables.py writes them."""

from collections.abc import Sequence
from statistics import mean, median

from markdown_table import grid
from rows import Row, findings
from starts import CELLS
from starts_learning import COMMON
from tables_starts import code, spearman


def tables() -> dict[str, str]:
    """All of them, by name."""
    return {"maze-starts": mazes(), "convergence": precision(), "manifold": manifold()}


def first_optimal(row: Row) -> int | None:
    """The training episodes before the first evaluation all of whose rollouts were optimal."""
    pairs = zip(row["evaluated"], row["optimal"], strict=True)
    return next((episodes for episodes, share in pairs if share == 1), None)


def learned_after(row: Row) -> int:
    """The same, and twice as many episodes as there were where it never was."""
    return first_optimal(row) or 2 * row["evaluated"][-1]


def maze_starts() -> dict[str, list[Row]]:
    """The agents of each start, those first that are optimal soonest in the mean."""
    rows = findings("maze_starts")
    by_start = {
        start: [row for row in rows if row["start"] == start] for start in dict.fromkeys(row["start"] for row in rows)
    }
    return dict(sorted(by_start.items(), key=lambda item: mean(map(learned_after, item[1]))))


def mazes() -> str:
    body = []
    for start, rows in maze_starts().items():
        cells = []
        for cell in COMMON:
            seeds = [row for row in rows if row["cell"] == cell]
            firsts = [first_optimal(row) for row in seeds]
            cells.append(", ".join(str(one or "–") for one in firsts))
        seconds = median(row["seconds of the start"] for row in rows)
        body.append([code(start), *cells, f"{seconds:.1f}" if seconds >= 0.05 else "0"])
    predicted = [_predicted([row for row in findings("maze_starts") if row["cell"] == cell]) for cell in COMMON]
    return grid(["", *COMMON, "seconds of the start"], [*body, ["*rank correlation with VAA*", *predicted, ""]])


def _predicted(rows: Sequence[Row]) -> str:
    """The correlation of VAA before training with learning soon."""
    return f"{spearman([row['vaa before training'] for row in rows], [-learned_after(row) for row in rows]):+.2f}"


def precision() -> str:
    rows, body = findings("convergence"), []
    starts = list(dict.fromkeys(row["start"] for row in rows))
    for cell in CELLS:
        cells = [[row for row in rows if (row["cell"], row["start"]) == (cell, start)] for start in starts]
        if any(cells):
            body.append([cell, *(_ended(seeds) for seeds in cells)])
    return grid(["", *map(code, starts)], body)


def _ended(seeds: Sequence[Row]) -> str:
    """The lowest error of each seed, and after how many thousand steps it had stalled."""
    steps = [f"{'' if row['stalled'] else 'more than '}{len(row['error']) * row['every'] / 1000:.0f}" for row in seeds]
    return ", ".join(f"{min(row['error']):.2g} ({ended})" for row, ended in zip(seeds, steps, strict=True))


def manifold() -> str:
    rows, body = findings("manifold"), []
    for identity in (False, True):
        for weight in dict.fromkeys(row["weight"] for row in rows):
            of_row = [row for row in rows if (row["identity"], row["weight"]) == (identity, weight)]
            errors = []
            for length in dict.fromkeys(row["length"] for row in rows):
                tests = sorted(row["test"] for row in of_row if row["length"] == length)
                errors.append(f"{median(tests):.2g} ({tests[0]:.2g}–{tests[-1]:.2g})" if tests else "")
            body.append(["`identity_`" if identity else "new", f"{weight:g}", *errors])
    lengths = [f"{length} steps" for length in dict.fromkeys(row["length"] for row in rows)]
    return grid(["start", "weight of the penalty", *lengths], body)
