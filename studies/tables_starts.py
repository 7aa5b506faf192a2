"""The tables on where to start from; tables.py writes them."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import mean, median

from markdown_table import grid
from rows import Row, findings
from starts import CELLS, STARTS
from starts_learning import COMMON, DRAWN, TASKS

TITLES = {
    "copy": "copy",
    "denoising": "denoising",
    "rows": "digits",
    "OSULeaf": "leaves",
    "BasicMotions": "motions",
    "JapaneseVowels_eq": "vowels",
    "PickupGestureWiimoteZ_eq": "gestures",
    "ACSF1": "appliances",
    "ItalyPowerDemand": "demand",
    "mnist": "MNIST",
}


OTHERS = tuple(cell for cell in CELLS if cell not in COMMON)
FARTHEST = 10  # looks by which one may lead


def tables() -> dict[str, str]:
    """All of them, by name."""
    by_cell = {f"starts-learning-{cell.lower()}": learning(cell) for cell in COMMON}
    of_others = {f"starts-learning-{TITLES[task]}": learning_of_others(task) for task in ("copy", "rows")}
    said_of_vaa = {"starts": everywhere(), "starts-correlation": correlations(), "who-leads": who_leads()}
    return {**said_of_vaa, **by_cell, **of_others, "lstm-starts": lstm()}


def everywhere() -> str:
    rows, body = findings("starts"), []
    for start in STARTS:
        cells = [_vaa([row for row in rows if (row["start"], row["cell"]) == (start, cell)]) for cell in CELLS]
        if any(cells):
            body.append([code(start), *cells])
    return grid(["", *CELLS], body)


def code(start: str) -> str:
    """An initialiser as code."""
    return ", ".join(f"`{one}`" if one.endswith("_") else one for one in start.split(", "))


def _vaa(seeds: Sequence[Row]) -> str:
    """VAA, the certified share, and seconds."""
    if not seeds:
        return ""
    vaa, certified, seconds = (mean(row[name] for row in seeds) for name in ("vaa", "certified", "seconds"))
    return f"{vaa:.2f}, {certified:.2f}" + (f", {seconds:.0f} s" if seconds >= 0.5 else "")


def learned(cell: str) -> list[Row]:
    """What networks of one cell learn, on all tasks."""
    return [row for task in TASKS for row in findings(f"starts_learning_{task}") if row["cell"] == cell]


def ended(row: Row) -> float:
    """The score at the end."""
    return float(row["test"][-1])


def better(row: Row) -> float:
    """The score at the end, the higher the better."""
    return -ended(row) if row["task"] in DRAWN else ended(row)


def learning(cell: str) -> str:
    rows, body = learned(cell), []
    tasks = [task for task in TASKS if any(row["task"] == task for row in rows)]
    places = mean_places(rows)
    for start in sorted(places, key=places.__getitem__):
        of_start = [row for row in rows if row["start"] == start]
        cells = [_scores([ended(row) for row in of_start if row["task"] == task], task) for task in tasks]
        body.append([code(start), *cells, f"{places[start]:.1f}"])
    return grid(["", *(TITLES[task] for task in tasks), "mean place"], body)


def learning_of_others(task: str) -> str:
    """What cells that are not so common learn of one task."""
    rows, body = {cell: [row for row in learned(cell) if row["task"] == task] for cell in OTHERS}, []
    for start in STARTS:
        cells = [_scores([ended(row) for row in of_cell if row["start"] == start], task) for of_cell in rows.values()]
        if any(cells):
            body.append([code(start), *cells])
    return grid(["", *OTHERS], body)


def _scores(scores: Sequence[float], task: str) -> str:
    """The median, and the range."""
    if not scores:
        return ""

    def shown(score: float) -> str:
        return f"{score:.2g}" if task in DRAWN else f"{100 * score:.0f}"

    middle, low, high = (shown(of(scores)) for of in (median, min, max))
    unit = "" if task in DRAWN else " %"
    return f"{middle}{unit}" + (f" ({low}–{high})" if low != high else "")


def mean_places(rows: Sequence[Row]) -> dict[str, float]:
    """Of each start its place among all, by the median over seeds, the mean over the tasks that all were tried on."""
    places: dict[str, list[float]] = {}
    for task in dict.fromkeys(row["task"] for row in rows):
        of_task = [row for row in rows if row["task"] == task]
        names = list(dict.fromkeys(row["start"] for row in of_task))
        scores = [median(better(row) for row in of_task if row["start"] == name) for name in names]
        for name, place in zip(names, ranks([-score for score in scores]), strict=True):
            places.setdefault(name, []).append(place)
    most = max(map(len, places.values()), default=0)
    return {name: mean(of_start) for name, of_start in places.items() if len(of_start) == most}


def correlations() -> str:
    """Spearman's, between VAA before training and what is learned."""
    body = []
    for task in TASKS:
        found = [[row for row in learned(cell) if row["task"] == task] for cell in COMMON]
        cells = [_correlated(rows) for rows in found]
        if any(cells):
            body.append([TITLES[task], *cells])
    return grid(["", *COMMON], body)


def _correlated(rows: Sequence[Row]) -> str:
    if len(rows) < 10:
        return ""
    return f"{spearman([row['vaa before training'] for row in rows], [better(row) for row in rows]):+.2f}"


def spearman(some: Sequence[float], others: Sequence[float]) -> float:
    """The rank correlation."""
    a, b = ([rank - mean(one) for rank in one] for one in (ranks(some), ranks(others)))
    scale = (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5
    return sum(x * y for x, y in zip(a, b, strict=True)) / scale if scale > 0 else 0.0


def ranks(values: Sequence[float]) -> list[float]:
    """Places from 1 for the lowest; equal values share theirs."""
    return [
        1 + sum(other < one for other in values) + (sum(other == one for other in values) - 1) / 2 for one in values
    ]


def lstm() -> str:
    rows, body = findings("lstm_starts"), []
    for start, first in dict.fromkeys((row["start"], row["readout_first"]) for row in rows):
        seeds = [row["after"] for row in rows if (row["start"], row["readout_first"]) == (start, first)]
        new, soon, late = ([one[step] for one in seeds] for step in ("0", "40", "2000"))
        inside = [
            f"{median(one[name] for one in new):.2g}" for name in ("forget gate", "input gate", "|c|", "saturated")
        ]
        known = [f"{median(one['explained by h, c'] for one in moment):.2f}" for moment in (new, soon)]
        name = code(start)
        body.append(
            [
                name + ", readout first" * first,
                len(seeds),
                *inside,
                *known,
                _scores([one["test"] for one in late], "copy"),
            ]
        )
    head = ["", "seeds", "forget gate", "input gate", "mean of \\|c\\|", "saturated", "R² before", "after 40 steps"]
    return grid([*head, "MSE after 2,000"], body)


def who_leads() -> str:
    """When VAA rises and when the error falls, and by how many steps the one follows the other."""
    rows, body = findings("who_leads"), []
    for cell, start in dict.fromkeys((row["cell"], row["start"]) for row in rows):
        seeds = [row for row in rows if (row["cell"], row["start"]) == (cell, start)]
        rise, fall = ([_first(row, moment) for row in seeds] for moment in (_rises, _falls))
        lags = [str(leads(row) * row["every"]) if _learns(row) else "–" for row in seeds]
        ends = ", ".join(f"{min(row['error']):.2g}" for row in seeds)
        body.append([f"{cell}, {start}", *(", ".join(one) for one in (rise, fall, lags)), ends])
    return grid(["", "VAA rises at step", "error halves at step", "error follows by", "least error"], body)


def _learns(row: Row) -> bool:
    return bool(min(row["error"]) <= row["error"][0] / 2)


def _first(row: Row, moment: Callable[[Row, int], bool]) -> str:
    looks = (look for look in range(len(row["vaa"])) if moment(row, look))
    return next((str(look * row["every"]) for look in looks), "–")


def _rises(row: Row, look: int) -> bool:
    return bool(row["vaa"][look] >= max(0.1, max(row["vaa"]) / 2))


def _falls(row: Row, look: int) -> bool:
    return bool(row["error"][look] <= row["error"][0] / 2)


def leads(row: Row) -> int:
    """By how many looks the fall of the error follows the rise of VAA: where their changes correlate most."""
    rise = [after - before for before, after in pairwise(row["vaa"])]
    fall = [before - after for before, after in pairwise(row["error"])]
    together = {
        lag: sum(x * y for x, y in zip(rise[max(0, -lag) :], fall[max(0, lag) :], strict=False))
        for lag in range(-FARTHEST, FARTHEST + 1)
    }
    return max(together, key=lambda lag: (together[lag], -abs(lag)))
