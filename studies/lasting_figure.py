"""Draw docs/lasting-memory.png: error against length, for hard gates and what others would take.

Run: python studies/lasting_figure.py
"""

import json
from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rows import ROOT
from tables_lasting import memory_rows, of_variant

Curve = dict[int, list[float]]

HARD = "#0072b2"
OURS: dict[str, tuple[str, tuple[str, str], dict[str, Any]]] = {
    "GRU, hard gates": ("gru", ("chrono", "margin"), {"color": HARD, "linewidth": 2.8, "zorder": 5}),
    "GRU, warmup and hard gates": ("gru", ("warmup", "hard"), {"color": "#004c7a", "linewidth": 2.8, "zorder": 6}),
    "LSTM, hard gates": ("lstm", ("chrono", "hard"), {"color": "#d55e00", "linewidth": 2.8, "zorder": 5}),
    "GRU, warmup": ("gru", ("warmup", "soft"), {"color": HARD, "linestyle": "--"}),
    "GRU, chrono": ("gru", ("chrono", "soft"), {"color": HARD, "linestyle": ":"}),
}
LEFT_OUT = ("LRU", "GRU", "LSTM")  # at chance, or drawn as ours
COLOURS = ("#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666", "#8c6d31", "#999999", "#bbbbbb", "#333333")


def ours(cell: str, variant: tuple[str, str]) -> Curve:
    """The errors of all seeds at each length."""
    rows = of_variant(memory_rows("copy"), cell, variant)
    lengths = {length for row in rows for length in row["test"]}
    return {int(length): [row["test"][length] for row in rows if length in row["test"]] for length in lengths}


def others() -> dict[str, Curve]:
    """Those of the networks that others would take."""
    found = json.loads((ROOT / "studies" / "results" / "lasting_others.json").read_text())["models"]
    curves = {}
    for name, model in found.items():
        if name in LEFT_OUT:
            continue
        known = {int(length): [one for one in values if one is not None] for length, values in model["mse"].items()}
        curves[name] = {length: values for length, values in known.items() if values}
    return curves


def draw(axes: Axes, name: str, curve: Curve, band: bool, **style: Any) -> None:
    """The median of the seeds, and where asked for the range."""
    lengths = sorted(curve)
    axes.plot(lengths, [median(curve[one]) for one in lengths], label=name, marker="o", markersize=3, **style)
    if band:
        low, high = ([bound(curve[one]) for one in lengths] for bound in (min, max))
        axes.fill_between(lengths, low, high, color=style["color"], alpha=0.15, linewidth=0)


def figure() -> Figure:
    drawn = Figure(figsize=(8, 4.4), layout="constrained")
    axes = drawn.add_subplot()
    for name, (cell, variant, style) in OURS.items():
        draw(axes, name, ours(cell, variant), band=variant[1] == "margin", **style)
    for colour, (name, curve) in zip(COLOURS, others().items(), strict=False):
        draw(axes, name, curve, band=False, color=colour, linewidth=1.2)
    axes.axhline(1, color="#333333", linewidth=0.8)
    axes.text(1.25e6, 1, "chance", va="center", fontsize=8)
    axes.axvspan(80, 200, color="#333333", alpha=0.08, linewidth=0)
    axes.text(84, 18, "trained", fontsize=8)
    axes.set(xscale="log", yscale="log", xlim=(80, 1.2e6), ylim=(2e-5, 30))
    axes.set_xlabel("steps of noise between the number and the question")
    axes.set_ylabel("mean squared error")
    axes.set_title("Trained on at most 200 steps, asked after up to a million", loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    drawn.legend(loc="outside right center", fontsize=8, frameon=False)
    return drawn


if __name__ == "__main__":
    figure().savefig(ROOT / "docs" / "lasting-memory.png", dpi=160)
