"""Figures of docs/measurements.md, beside the tables of the same numbers.

Run: python studies/measurement_figures.py
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from rows import ROOT, findings
from tables_findings import memory_rows

COLOURS = {
    "new": "#333333",
    "warmup": "#d55e00",
    "bistable_": "#0072b2",
    "bistable_, contraction": "#009e73",
    "contraction": "#009e73",
    "none": "#333333",
    "bistable_, free gates": "#cc79a7",
}
LENGTHS = ("100", "1000", "10000", "100000")


def certified() -> Figure:
    """VAA at 2,000 steps, hollow, and what of it is certified, filled: a row for each cell and variant."""
    rows = findings("certified")
    labels = list(dict.fromkeys((row["cell"], row["variant"]) for row in rows))
    drawn = Figure(figsize=(8, 6.4), layout="constrained")
    axes = drawn.subplots()
    for row in rows:
        place, colour = labels.index((row["cell"], row["variant"])), COLOURS[row["variant"]]
        found = row["vaa at 2,000 steps"], row["certified"]
        axes.plot(found, [place, place], color=colour, linewidth=0.8, alpha=0.5, zorder=1)
        axes.scatter(found[0], place, facecolor="white", edgecolor=colour, s=42, zorder=2)
        axes.scatter(found[1], place, color=colour, s=18, zorder=3)
    dress(axes, labels)
    axes.set_xlabel("share of states that are distinct: at 2,000 steps (ring), and certified (dot); three seeds")
    return drawn


def multistability() -> Figure:
    """VAA at 10,000 steps, new and warmed up: a row for each cell, and a line for each seed."""
    rows = findings("multistability")
    labels = list(dict.fromkeys((row["cell"], "doubled" if row["doubled"] else "single") for row in rows))
    drawn = Figure(figsize=(8, 4.4), layout="constrained")
    axes = drawn.subplots()
    for row in rows:
        # Seeds of a row stand above each other, so that their lines do.
        place = labels.index((row["cell"], "doubled" if row["doubled"] else "single")) + 0.22 * (row["seed"] - 1)
        found = row["before"]["vaa"], row["after"]["vaa"]
        axes.plot(found, [place, place], color="#999999", linewidth=0.8, zorder=1)
        axes.scatter(found[0], place, facecolor="white", edgecolor=COLOURS["new"], s=26, zorder=2)
        axes.scatter(found[1], place, color=COLOURS["warmup"], s=16, zorder=3)
    dress(axes, labels)
    axes.set_xlabel("VAA at 10,000 steps: new (ring), and after a warmup (dot); three seeds")
    return drawn


def dress(axes: Axes, labels: Sequence[tuple[str, str]]) -> None:
    """A row for each label, a line between cells, and shares along the other axis."""
    for place, (before, after) in enumerate(pairwise(labels)):
        if before[0] != after[0]:
            axes.axhline(place + 0.5, color="#cccccc", linewidth=0.8)
    axes.set_yticks(range(len(labels)), [", ".join(one) for one in labels])
    axes.set(ylim=(len(labels) - 0.4, -0.6), xlim=(-0.02, 1.03))
    axes.spines[["top", "right"]].set_visible(False)


def lasting_memory() -> Figure:
    """The score over the length, a line for each start: the median of three seeds."""
    drawn = Figure(figsize=(10, 4), layout="constrained")
    panels = drawn.subplots(1, 2)
    for axes, task in zip(panels, ("sign", "copy"), strict=True):
        draw_memory(axes, task)
    panels[0].set(ylabel="signs that are right", title="The sign")
    panels[0].yaxis.set_major_formatter(PercentFormatter(1))
    panels[1].set(ylabel="mean squared error", yscale="log", title="Copy")
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8)
    return drawn


def draw_memory(axes: Axes, task: str) -> None:
    """One task; double layers are dashed."""
    rows = memory_rows(task)
    for variant, double in dict.fromkeys((row["variant"], row["double"]) for row in rows):
        ours = [row for row in rows if (row["variant"], row["double"]) == (variant, double)]
        middle = [median(row["test"][length] for row in ours) for length in LENGTHS]
        style = "--" if double else "-"
        name = f"{variant}, double" if double else variant
        axes.plot(
            [int(one) for one in LENGTHS], middle, style, color=COLOURS[variant], marker="o", markersize=3, label=name
        )
    axes.set(xscale="log", xlabel="steps")
    axes.spines[["top", "right"]].set_visible(False)


FIGURES = {"multistability": multistability, "certified": certified, "lasting": lasting_memory}

if __name__ == "__main__":
    for name, draw in FIGURES.items():
        draw().savefig(ROOT / "docs" / f"measurements-{name}.png", dpi=140)
