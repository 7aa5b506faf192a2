"""`portrait`: where trajectories go, how stable it is there, and what a finite horizon makes of it."""

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from multistable.plot._legend import entry, legend_below
from multistable.plot._looks import look_of
from multistable.plot._states import draw_states
from multistable.plot._style import DARK, figure_of, tidy
from multistable.plot._traces import draw_trace, finish_traces

if TYPE_CHECKING:
    from multistable._attractors import Attractors
    from multistable._attractors.fixed_points_results import FixedPoints

__all__ = ["portrait"]

_CERTIFIED: dict[str, Any] = {"color": DARK, "linewidth": 1, "linestyle": "--"}

_EIGENVALUES = 2000  # more can't be told apart


def portrait(found: "Attractors", *, fixed_points: "FixedPoints | None" = None, ax: Axes | None = None) -> Figure:
    """Trajectories and attractors, spectra, and VAA with the residual on the way.

    On the left, states and attractors: as they are if they have one or two units, in their first two principal
    components if they have more. A trajectory of which every step is known is a line from a dot, its beginning; of what
    comes after it, and of the other trajectories, every recorded state is a dot. Equilibria are markers, the states of
    a cycle are joined, an oscillation is a closed line, and chaos is a cloud of dots. Trajectories have the colour of
    the attractor that they go to, or are grey, with a mark at the end that says what they come to. Those that grow
    without bound are shown only as long as they are near the others.

    In the middle, the unit circle and the eigenvalues of the Jacobians: of f at equilibria, of f^period at cycles. Of
    many large Jacobians, only those at the attractors that most states go to are drawn.

    On the right, VAA, with the certified share dashed, and the residual.

    Args:
        found: what `attractors` finds in a network or in a layer.
        fixed_points: what `fixed_points` finds there under the same constant input. Saddles are open markers, each with
            a line along its unstable directions, three at most; repellers are crosses.
        ax: where to draw the panel on the left, and no other; by default all panels are drawn, in a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: the fixed points are those of other states, or under another input.

    Examples:
        >>> import torch
        >>> from multistable import attractors, plot
        >>> found = attractors(torch.nn.GRU(1, 8), torch.randn(50, 20, 1), generator=0)
        >>> figure = plot.portrait(found)  # the same as found.plot()
        >>> figure.axes[0].get_title("left")
        'where 20 states go under a constant input'
    """
    if ax is not None:
        legend_below(ax, draw_states(ax, found, fixed_points))
        return figure_of(ax)
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    panels = figure.subplot_mosaic(
        [["states", "spectra", "scores"], ["states", "spectra", "residuals"]], width_ratios=(1.35, 1.1, 1)
    )
    entries = draw_states(panels["states"], found, fixed_points)
    _draw_spectra(panels["spectra"], found)
    _draw_way(panels["scores"], panels["residuals"], found)
    entries.append(entry(f"certified: {found.certified:.3f}", _CERTIFIED))
    legend_below(figure, entries)
    return figure


def _draw_spectra(ax: Axes, found: "Attractors") -> None:
    angles = np.linspace(0, 2 * np.pi, 361)
    ax.plot(np.cos(angles), np.sin(angles), color=DARK, linewidth=0.8)
    known = {place: one.eigenvalues for place, one in enumerate(found.attractors) if one.eigenvalues is not None}
    drawn = list(known)[: max(1, _EIGENVALUES // found.trajectory.shape[2])]
    style: dict[str, Any] = {"markersize": 4.5, "markeredgecolor": "white", "markeredgewidth": 0.4}
    for place in reversed(drawn):
        values, look = known[place].cpu().numpy(), look_of(place)
        ax.plot(values.real, values.imag, color=look.color, marker=look.marker, linestyle="", **style)
    if not known:
        what = "equilibrium or cycle" if found.attractors else "attractor"
        ax.text(0, 0, f"no {what} found", ha="center", va="center")
    ticks = (-1, -0.5, 0, 0.5, 1)
    ax.set(xlabel="real part", ylabel="imaginary part", xticks=ticks, yticks=ticks)
    ax.set_aspect("equal", adjustable="datalim")
    share = f" ({len(drawn)} of {len(known)})" if len(drawn) < len(known) else ""
    ax.set_title(f"eigenvalues of the Jacobians{share}", loc="left", fontsize=10)
    tidy(ax)


def _draw_way(scores: Axes, residuals: Axes, found: "Attractors") -> None:
    draw_trace(scores, residuals, found.trace, DARK, "VAA")
    scores.axhline(found.certified, **_CERTIFIED)
    finish_traces(scores, residuals)
    scores.sharex(residuals)
    scores.set_xlabel("")
    scores.tick_params(labelbottom=False)
    residuals.locator_params(axis="y", numticks=5)
