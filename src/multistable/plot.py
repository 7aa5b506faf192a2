"""Figures from results; needs the extra `plot`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from multistable.attractors import Attractors
from multistable.measure import Trace

try:
    from matplotlib.figure import Figure
except ImportError as error:
    raise ImportError("figures need matplotlib: pip install 'multistable[plot]'") from error

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["learning_curves", "traces"]

_COLOURS = (
    "#7f7f7f",
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
)  # Okabe and Ito: safe for colour-blind eyes


def traces(named: Mapping[str, Trace]) -> Figure:
    """VAA and residual against the horizon, a line for each trace.

    Args:
        named: traces, as the results of `measure` hold them, under the names that the legend shows.

    Returns:
        A figure with two panels.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    scores, residuals = figure.subplots(1, 2)
    for colour, (name, trace) in zip(_cycle(len(named)), named.items(), strict=True):
        scores.plot(trace.horizons, trace.vaa, "o-", color=colour, label=name, markersize=4)
        residuals.plot(trace.horizons, trace.residual, "o-", color=colour, markersize=4)
    scores.set(xlabel="steps under a constant input", ylabel="VAA", xscale="log", ylim=(-0.03, 1.05))
    scores.set_title("distinct states: share of all", loc="left", fontsize=10)
    residuals.set(xlabel="steps under a constant input", ylabel="largest |f(s, u) − s|", xscale="log")
    residuals.set_yscale("symlog", linthresh=1e-9)
    residuals.margins(y=0.08)
    residuals.set_ylim(bottom=0)
    residuals.set_title("how far a state still moves in a step", loc="left", fontsize=10)
    _tidy(scores, residuals)
    figure.legend(*scores.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def learning_curves(losses: Mapping[str, Sequence[float]], chance: float, window: int = 25) -> Figure:
    """Training loss against the step, averaged over a window, beside the level of chance.

    Args:
        losses: the loss of each training step, under the names that the legend shows.
        chance: the loss of the best answer without memory.
        window: steps that are averaged.

    Returns:
        A figure with one panel on a logarithmic scale.
    """
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.axhline(chance, color="black", linewidth=0.8, linestyle=":", label="chance")
    for colour, (name, values) in zip(_cycle(len(losses)), losses.items(), strict=True):
        size = min(window, len(values))
        means = [sum(values[end - size : end]) / size for end in range(size, len(values) + 1)]
        axes.plot(range(size, len(values) + 1), means, color=colour, label=name)
    axes.set(xlabel="training step", ylabel=f"mean squared error, mean of {window} steps", yscale="log")
    _tidy(axes)
    axes.legend(frameon=False)
    return figure


def _cycle(count: int) -> list[str]:
    return [_COLOURS[index % len(_COLOURS)] for index in range(count)]


def _tidy(*panels: "Axes") -> None:
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)


def portrait(found: Attractors) -> Figure:
    """Trajectories and attractors; a stand-in until drawn."""
    raise NotImplementedError
