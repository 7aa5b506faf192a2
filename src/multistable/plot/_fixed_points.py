"""`fixed_points`: fixed points of all kinds, and slow points, in a plane."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from multistable.plot._fixed_point_marks import draw_directions, draw_points, draw_slow_points, told_apart
from multistable.plot._legend import legend_below
from multistable.plot._plane import as_points, plane_of
from multistable.plot._style import panel_in, tidy

if TYPE_CHECKING:
    from multistable._attractors.fixed_points_results import FixedPoints

__all__ = ["fixed_points"]

_LEAST = 1e-3  # what is shown on each side of a single point


def fixed_points(found: "FixedPoints", *, ax: Axes | None = None) -> Figure:
    """Fixed points and slow points in a plane, with the unstable directions of saddles.

    Stable fixed points are filled, saddles are open, with a line along each unstable direction, three at most, and
    repellers are crosses. Half-filled ones are neither stable nor unstable. Slow points are small grey squares. States
    of one or two units are drawn as they are, those of more in the first two principal components of all that is shown;
    a direction that leaves this plane is the shorter.

    Args:
        found: what `fixed_points` finds in a network.
        ax: where to draw; by default in a new figure.

    Returns:
        The figure.

    Examples:
        >>> import torch
        >>> from multistable import fixed_points, plot
        >>> rnn = torch.nn.RNN(1, 2, bias=False)
        >>> _ = rnn.weight_hh_l0.data.copy_(2 * torch.eye(2))
        >>> found = fixed_points(rnn, torch.randn(20, 30, 1), u=0, generator=0)
        >>> figure = plot.fixed_points(found)  # the same as found.plot()
        >>> figure.axes[0].get_title("left")
        '9 fixed points under a constant input'
    """
    figure, panel = panel_in(ax, (5.2, 4.7))
    states = np.concatenate([as_points(found.points), as_points(found.slow_points)])
    plane = plane_of(states)
    at, entries = draw_points(panel, found, plane, told_apart(found))
    slow, more = draw_slow_points(panel, found, plane)
    plane.widen(panel, np.concatenate([at, slow]), _LEAST)
    draw_directions(panel, found, plane)
    panel.margins(0.1)
    if len(states):
        plane.label(panel)
    else:
        panel.set(xticks=[], yticks=[])
    many = "fixed point" if found.count == 1 else "fixed points"
    panel.set_title(f"{found.count:,} {many} under a constant input", loc="left", fontsize=10)
    if found.count == 0:
        panel.text(0.5, 0.5, "no fixed point found", ha="center", va="center", transform=panel.transAxes)
    tidy(panel)
    legend_below(panel, [*entries, *more])
    return figure
