"""`traces`: VAA and residual against the horizon."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from multistable.plot._style import palette, tidy

if TYPE_CHECKING:
    from multistable._measure import Trace

__all__ = ["draw_trace", "finish_traces", "traces"]


def traces(named: Mapping[str, "Trace"]) -> Figure:
    """VAA and residual against the horizon, a line for each trace; equal traces share one.

    Args:
        named: traces, as the results of `measure` hold them, under the names that the legend shows, all of them where
            a line is shared.

    Returns:
        A figure with two panels.

    Examples:
        >>> import torch
        >>> from multistable import measure, plot
        >>> found = measure(torch.nn.GRU(1, 4), torch.randn(50, 20, 1), horizon=10, generator=0)
        >>> figure = plot.traces({"network": found.trace})
        >>> figure.axes[0].get_ylabel()
        'VAA'
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    scores, residuals = figure.subplots(1, 2)
    # A network of one layer has that layer's trace, which would hide it.
    sharing: dict[Trace, list[str]] = {}
    for name, trace in named.items():
        sharing.setdefault(trace, []).append(name)
    for colour, (trace, names) in zip(palette(len(sharing)), sharing.items(), strict=True):
        draw_trace(scores, residuals, trace, colour, _joined(names))
    finish_traces(scores, residuals)
    figure.legend(*scores.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def draw_trace(scores: Axes, residuals: Axes, trace: "Trace", colour: str, name: str) -> None:
    """A trace in the two panels."""
    scores.plot(trace.horizons, trace.vaa, "o-", color=colour, label=name, markersize=4)
    residuals.plot(trace.horizons, trace.residual, "o-", color=colour, markersize=4)


def finish_traces(scores: Axes, residuals: Axes) -> None:
    """Scales, labels and titles of the two panels, once all is drawn."""
    scores.set(xlabel="steps under a constant input", ylabel="VAA", xscale="log", ylim=(-0.03, 1.05))
    scores.set_title("distinct states: share of all", loc="left", fontsize=10)
    residuals.set(xlabel="steps under a constant input", ylabel="largest |f(s, u) − s|", xscale="log")
    residuals.set_yscale("symlog", linthresh=1e-9)
    residuals.margins(y=0.08)
    residuals.update_datalim([(1, 0)])  # the margin above is a share of all that is shown, zero included
    residuals.set_ylim(bottom=0)
    residuals.set_title("how far a state still moves in a step", loc="left", fontsize=10)
    tidy(scores, residuals)


def _joined(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
