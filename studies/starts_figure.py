"""Draw docs/which-start.png: what GRUs and LSTMs learn from each start at equal cost.

Run: python studies/starts_figure.py
"""

from collections.abc import Sequence
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rows import ROOT, Row
from starts_learning import COMMON, DRAWN, OURS, TASKS
from tables_starts import TITLES, better, ended, learned, mean_places

CHANCE = {"copy": -1.0, "denoising": -1.0, "rows": 0.1, "OSULeaf": 1 / 6, "BasicMotions": 1 / 4}
CHANCE |= {
    "JapaneseVowels_eq": 1 / 9,
    "PickupGestureWiimoteZ_eq": 0.1,
    "ACSF1": 0.1,
    "ItalyPowerDemand": 1 / 2,
    "mnist": 0.1,
}
"""What guessing comes to, the higher the better."""


def draw(axes: Axes, cell: str, rows: Sequence[Row], best: dict[str, float], tasks: Sequence[str]) -> None:
    """A field for each start and task: the median over seeds, and in colour how far it is from chance to the best."""
    places = mean_places(rows)
    starts = sorted(places, key=places.__getitem__)
    shares, texts = [], []
    for start in starts:
        of_start = [[row for row in rows if (row["start"], row["task"]) == (start, task)] for task in tasks]
        middle = [median(map(better, seeds)) if seeds else float("nan") for seeds in of_start]
        shares.append([
            max(0.0, (one - CHANCE[task]) / (best[task] - CHANCE[task]))
            for one, task in zip(middle, tasks, strict=True)
        ])  # fmt: skip
        texts.append([_text([ended(row) for row in seeds], task) for seeds, task in zip(of_start, tasks, strict=True)])
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    for y, (of_row, of_texts) in enumerate(zip(shares, texts, strict=True)):
        for x, (share, text) in enumerate(zip(of_row, of_texts, strict=True)):
            axes.text(x, y, text, ha="center", va="center", fontsize=9, color="black" if share < 0.65 else "white")
    axes.set_xticks(range(len(tasks)), [TITLES[task] for task in tasks], rotation=35, ha="right", fontsize=9)
    axes.set_yticks(range(len(starts)), starts, fontsize=9)
    axes.axvline(len(OURS) - 0.5, color="white", linewidth=4)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(cell, loc="left", fontsize=11)


def _text(scores: Sequence[float], task: str) -> str:
    if not scores:
        return ""
    return f"{median(scores):.2g}" if task in DRAWN else f"{100 * median(scores):.0f}"


def figure() -> Figure:
    rows = {cell: learned(cell) for cell in COMMON}
    tasks = [task for task in TASKS if all(any(row["task"] == task for row in of_cell) for of_cell in rows.values())]
    best = {
        task: max(better(row) for of_cell in rows.values() for row in of_cell if row["task"] == task) for task in tasks
    }
    drawn = Figure(figsize=(8, 9.5), layout="constrained")
    for axes, (cell, of_cell) in zip(drawn.subplots(len(COMMON), 1), rows.items(), strict=True):
        draw(axes, cell, of_cell, best, tasks)
    drawn.suptitle(
        "What is learned in 20 seconds, the start's own time among them:\n"
        "mean squared error of copy and denoising, % right of the others; the darker, the better",
        fontsize=11,
        x=0.01,
        ha="left",
    )
    return drawn


if __name__ == "__main__":
    figure().savefig(ROOT / "docs" / "which-start.png", dpi=160)
