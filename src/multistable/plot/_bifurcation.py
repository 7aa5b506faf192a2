"""`bifurcation`: fixed points against the constant input."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from multistable._utils.checks import check_int
from multistable.plot._branches import branches
from multistable.plot._legend import Entry, entry, legend_below
from multistable.plot._plane import Points, as_points
from multistable.plot._style import COLOURS, panel_in, tidy

if TYPE_CHECKING:
    from multistable._attractors.fixed_points_results import FixedPoints

__all__ = ["bifurcation"]

_DOT: dict[str, Any] = {"marker": "o", "markersize": 4, "linestyle": ""}
_LINES: dict[str, dict[str, Any]] = {
    "stable": {"color": COLOURS[0], "linestyle": "-", "linewidth": 1.8},
    "unstable": {"color": COLOURS[1], "linestyle": "--", "linewidth": 1.4},
}
_DOTS: dict[str, dict[str, Any]] = {
    "stable": {"color": COLOURS[0], **_DOT},
    "unstable": {"color": COLOURS[1], "markerfacecolor": "white", **_DOT},
}


def bifurcation(u_path: Tensor, found: "Sequence[FixedPoints]", *, unit: int = 0, ax: Axes | None = None) -> Figure:
    """One unit of all fixed points against the constant input, as solid lines where they are stable, else dashed.

    Points under neighbouring inputs are joined where both are stable, or both are not, and each is the other's nearest,
    in all units. What can't be joined is a dot, filled if it is stable and else open.

    Args:
        u_path: constant inputs, one after the other, (K, I). If they differ in one feature only, it is the horizontal
            axis, and otherwise the number of the row is.
        found: the fixed points under each of them.
        unit: the entry of the state to show.
        ax: where to draw; by default in a new figure.

    Returns:
        The figure.

    Raises:
        TypeError: `unit` is no integer.
        ValueError: there are no inputs, or `u_path` is no matrix; there is not one of `found` for each; their states
            differ in size, or have no such unit.

    Examples:
        >>> import torch
        >>> from multistable import fixed_points, init, plot
        >>> gru, u_path = init.bistable_(torch.nn.GRU(1, 2)), torch.linspace(-2, 2, 21)[:, None]
        >>> found = fixed_points(gru, torch.randn(20, 30, 1), u=u_path, starts=64, generator=0)
        >>> figure = plot.bifurcation(u_path, found)
        >>> figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()
        ('input 0', 'unit 0')
    """
    unit = _checked(u_path, found, unit)
    across, label = _across(as_points(u_path))
    figure, panel = panel_in(ax, (5.2, 3.8))
    stable = [as_points(one.stable) > 0 for one in found]
    points = [as_points(one.points) for one in found]
    entries: list[Entry] = []
    for name, rows in (("unstable", [~one for one in stable]), ("stable", stable)):
        of_kind = [at[which] for at, which in zip(points, rows, strict=True)]
        joined = branches(of_kind)
        curves = [np.array([(across[row], of_kind[row][place, unit]) for row, place in one]) for one in joined]
        lines, dots = [one for one in curves if len(one) > 1], [one for one in curves if len(one) == 1]
        for line in lines:
            panel.plot(*line.T, **_LINES[name])
        if dots:
            panel.plot(*np.concatenate(dots).T, **_DOTS[name])
        if curves:
            entries.insert(0, entry(name, *([_LINES[name]] if lines else []), *([_DOTS[name]] if dots else [])))
    if not entries:
        panel.text(0.5, 0.5, "no fixed point found", ha="center", va="center", transform=panel.transAxes)
    panel.set(xlabel=label, ylabel=f"unit {unit}")
    panel.set_title("fixed points under constant inputs", loc="left", fontsize=10)
    legend_below(panel, entries)
    tidy(panel)
    return figure


def _checked(u_path: Tensor, found: "Sequence[FixedPoints]", unit: int) -> int:
    """`unit` as an int, once all fits together."""
    if not isinstance(u_path, Tensor):
        raise TypeError(f"u_path must be a tensor, got {type(u_path).__name__}")
    if not isinstance(found, Sequence):
        raise TypeError(f"found must be a sequence of results, one for each row of u_path, got {type(found).__name__}")
    unit = check_int("unit", unit, at_least=0)
    if u_path.dim() != 2 or len(u_path) == 0:
        raise ValueError(f"u_path must have shape (K, I) with at least one row, got {tuple(u_path.shape)}")
    if len(found) != len(u_path):
        raise ValueError(f"found must hold fixed points for each of {len(u_path)} inputs, got {len(found)}")
    sizes = sorted({one.points.shape[1] for one in found})
    if len(sizes) > 1:
        raise ValueError(f"found must hold fixed points of one size, got sizes {sizes}")
    if unit >= sizes[0]:
        raise ValueError(f"unit must be below {sizes[0]}, the size of the state, got {unit}")
    return unit


def _across(u_path: Points) -> tuple[Points, str]:
    """The horizontal position of each row, (K,), and what it is."""
    varied = (u_path != u_path[0]).any(0).nonzero()[0]
    if len(varied) == 1:
        return u_path[:, varied[0]], f"input {varied[0]}"
    return np.arange(len(u_path), dtype=np.float64), "row of u_path"
