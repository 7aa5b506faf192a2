"""`portrait`: where trajectories go, how stable it is there, and what a finite horizon makes of it."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from multistable.plot._components import principal_components
from multistable.plot._style import COLOURS, GREY, tidy
from multistable.plot._traces import draw_trace, finish_traces

if TYPE_CHECKING:
    from multistable._attractors import Attractors

__all__ = ["portrait"]

_Points = NDArray[np.float64]

_DARK = "#333333"
_ATTRACTORS: dict[str, dict[str, Any]] = {
    "equilibrium": {"marker": "o", "markersize": 7.5, "markeredgecolor": "white", "linestyle": ""},
    "cycle": {"marker": "o", "markersize": 5, "markeredgecolor": "white", "linewidth": 1.2},
}
_END: dict[str, Any] = {"color": _DARK, "linestyle": "", "markeredgewidth": 0}
_ENDS: dict[str, dict[str, Any]] = {
    "held": {"marker": "D", "markersize": 4, **_END},
    "slow": {"marker": "s", "markersize": 4, **_END},
    "drift": {"marker": "^", "markersize": 5, **_END},
    "chaos": {"marker": "o", "markersize": 3.5, **_END},
}
_CERTIFIED: dict[str, Any] = {"color": _DARK, "linewidth": 1, "linestyle": "--"}

_EIGENVALUES = 2000  # more can't be told apart, and those of large matrices take long
_SHORT = 0.25  # a move is short if it is below this share of how far its trajectory goes
_FLAT = 0.05  # the least height of what is shown, as a share of its width


def portrait(found: "Attractors") -> Figure:
    """Trajectories and attractors, spectra, and VAA with the residual on the way.

    On the left, the recorded states and the attractors in their first two principal components. A trajectory has the
    colour of the attractor that it goes to; slow, drifting and chaotic ones are grey, with a mark at the last recorded
    state. One that goes to an equilibrium is a line from a dot, its state after the first step, up to there; those that
    drift are lines, too. Where states keep moving, on cycles and in chaos, every recorded state is a dot. Of slow ones
    for which no equilibrium is known, those are lines that make but short moves in the end, and the others are dots.

    In the middle, the unit circle and the eigenvalues of the Jacobians: of f at equilibria, of f^period at cycles. Of
    many large Jacobians, only those at the attractors that most states go to are drawn.

    On the right, VAA, with the certified share dashed, and the residual.

    Args:
        found: what `attractors` finds in a network or in a layer.

    Returns:
        A figure with four panels.

    Examples:
        >>> import torch
        >>> from multistable import attractors, plot
        >>> found = attractors(torch.nn.GRU(1, 8), torch.randn(50, 20, 1), generator=0)
        >>> figure = plot.portrait(found)  # the same as found.plot()
        >>> figure.axes[0].get_title("left")
        'where 20 states go under a constant input'
    """
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    panels = figure.subplot_mosaic(
        [["states", "spectra", "scores"], ["states", "spectra", "residuals"]], width_ratios=(1.35, 1.1, 1)
    )
    _draw_states(panels["states"], found)
    _draw_spectra(panels["spectra"], found)
    _draw_way(panels["scores"], panels["residuals"], found)
    figure.legend(handles=_legend(found), loc="outside lower center", ncols=4, frameon=False)
    return figure


def _draw_states(axes: Axes, found: "Attractors") -> None:
    k, n, size = found.trajectory.shape
    states = [one.state.reshape(-1, size) for one in found.attractors]
    points, shares = principal_components(torch.cat([found.trajectory.flatten(0, 1), *states]).cpu())
    way, *attractors = (one.numpy() for one in points.split([k * n, *map(len, states)]))
    _draw_trajectories(axes, found, way.reshape(k, n, 2), attractors)
    for place, (one, at) in enumerate(zip(found.attractors, attractors, strict=True)):
        if one.kind in _ATTRACTORS:
            around = np.concatenate([at, at[:1]])
            axes.plot(*around.T, color=_colour(place), zorder=3, **_ATTRACTORS[one.kind])
    # Rounding must not fill the panel where states lie on a line, or all in one place.
    height = max(found.tol, _FLAT * float(np.ptp(way[:, 0])))
    axes.update_datalim([(-found.tol, -height), (found.tol, height)])
    axes.autoscale_view()
    axes.set_xlabel(f"principal component 1 ({shares[0]:.0%} of the variance)")
    axes.set_ylabel(f"principal component 2 ({shares[1]:.0%})")
    which = f"{n:,} states of {found.name}" if found.name else f"{n:,} states"
    axes.set_title(f"where {which} go under a constant input", loc="left", fontsize=10)
    tidy(axes)


def _draw_trajectories(axes: Axes, found: "Attractors", way: _Points, attractors: list[_Points]) -> None:
    kinds, labels = np.array(found.kinds), np.array(found.labels)
    goes = np.isin(kinds, ("equilibrium", "cycle"))
    colours = np.array([_colour(label) if known else GREY for label, known in zip(labels, goes, strict=True)])
    joined = np.isin(kinds, ("equilibrium", "held", "drift")) | ((kinds == "slow") & ((labels >= 0) | _settles(found)))
    lines = [
        np.concatenate([way[:, row], attractors[labels[row]]]) if labels[row] >= 0 else way[:, row]
        for row in joined.nonzero()[0]
    ]
    axes.add_collection(LineCollection(lines, colors=colours[joined].tolist(), linewidths=0.8, alpha=0.6))
    x, y = way[0, joined].T
    axes.scatter(x, y, s=8, c=colours[joined], linewidths=0)
    x, y = way[:, ~joined].reshape(-1, 2).T
    axes.scatter(x, y, s=5, c=np.tile(colours[~joined], len(way)), linewidths=0, alpha=0.5)
    for kind, style in _ENDS.items():
        if kind in found.kinds:
            axes.plot(*way[-1, kinds == kind].T, zorder=4, **style)


def _settles(found: "Attractors") -> NDArray[np.bool_]:
    """Which trajectories make only short moves between the last recorded states, so that a line shows their path."""
    moves = found.trajectory.diff(dim=0).norm(dim=2)
    extent = (found.trajectory - found.trajectory.mean(0)).norm(dim=2).amax(0)
    settles: NDArray[np.bool_] = (moves[-3:] <= _SHORT * extent).all(0).cpu().numpy()
    return settles


def _draw_spectra(axes: Axes, found: "Attractors") -> None:
    angles = np.linspace(0, 2 * np.pi, 361)
    axes.plot(np.cos(angles), np.sin(angles), color=_DARK, linewidth=0.8)
    jacobians = [(place, one.jacobian) for place, one in enumerate(found.attractors) if one.jacobian is not None]
    drawn = jacobians[: max(1, _EIGENVALUES // found.trajectory.shape[2])]
    style: dict[str, Any] = {"markersize": 4.5, "markeredgecolor": "white", "markeredgewidth": 0.4}
    for place, jacobian in reversed(drawn):
        values = torch.linalg.eigvals(jacobian).cpu().numpy()
        axes.plot(values.real, values.imag, "o", color=_colour(place), **style)
    if len(jacobians) == 0:
        what = "equilibrium or cycle" if found.attractors else "attractor"
        axes.text(0, 0, f"no {what} found", ha="center", va="center")
    ticks = (-1, -0.5, 0, 0.5, 1)
    axes.set(xlabel="real part", ylabel="imaginary part", xticks=ticks, yticks=ticks)
    axes.set_aspect("equal", adjustable="datalim")
    share = f" ({len(drawn)} of {len(jacobians)})" if len(drawn) < len(jacobians) else ""
    axes.set_title(f"eigenvalues of the Jacobians{share}", loc="left", fontsize=10)
    tidy(axes)


def _draw_way(scores: Axes, residuals: Axes, found: "Attractors") -> None:
    draw_trace(scores, residuals, found.trace, _DARK, "VAA")
    scores.axhline(found.certified, **_CERTIFIED)
    finish_traces(scores, residuals)
    scores.sharex(residuals)
    scores.set_xlabel("")
    scores.tick_params(labelbottom=False)
    residuals.locator_params(axis="y", numticks=5)


def _legend(found: "Attractors") -> list[Line2D]:
    """An entry for each kind of attractor and of trajectory that there is, and for the dashed line."""
    handles = []
    for kind, many in (("equilibrium", "equilibria"), ("cycle", "cycles")):
        of_kind = {place: one for place, one in enumerate(found.attractors) if one.kind == kind}
        if of_kind:
            slowest = max(one.time_constant or 0.0 for one in of_kind.values())
            what = f"stable {kind}, time constant" if len(of_kind) == 1 else f"stable {many}, time constants up to"
            label = f"{len(of_kind)} {what} {_rounded(slowest)} steps"
            handles.append(Line2D([], [], label=label, color=_colour(min(of_kind)), **_ATTRACTORS[kind]))
    for kind, adjective in (("held", "held"), ("slow", "slow"), ("drift", "drifting"), ("chaos", "chaotic")):
        count = found.kinds.count(kind)
        if count > 0:
            label = f"{count} {adjective} {'state' if count == 1 else 'states'}"
            label += "".join(f", exponent {one.exponent:.2g}" for one in found.attractors if one.kind == kind)
            handles.append(Line2D([], [], label=label, **_ENDS[kind]))
    handles.append(Line2D([], [], label=f"certified: {found.certified:.3f}", **_CERTIFIED))
    return handles


def _rounded(steps: float) -> str:
    return f"{steps:,.0f}" if steps >= 10 else f"{steps:.2g}"


def _colour(place: int) -> str:
    """The colour of the attractor at a place; colours repeat where there are many."""
    return COLOURS[place % len(COLOURS)]
