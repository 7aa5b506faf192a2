"""`vector_field`: where a step leads, all over the plane of two units."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from multistable.dynamics import Dynamics
from multistable.plot._checks import check_fits
from multistable.plot._legend import legend_below
from multistable.plot._looks import attractor_entries, draw_attractors
from multistable.plot._plane import Points, as_points, plane_of
from multistable.plot._style import GREY, panel_in, tidy

if TYPE_CHECKING:
    from multistable._attractors import Attractors

__all__ = ["vector_field"]

Extent = tuple[float, float, float, float]

_ARROWS = 19  # along each axis
_LONGEST = 1.6  # steps of the grid
_BESIDE = 0.1  # shown beside the states of `found`, as a share of their size in each direction and in the wider one
_USUAL: Extent = (-1.2, 1.2, -1.2, 1.2)  # gated units and those with a tanh stay within -1 and 1


def vector_field(
    layer: Dynamics,
    *,
    u: Tensor | None = None,
    found: "Attractors | None" = None,
    ax: Axes | None = None,
    extent: Extent | None = None,
) -> Figure:
    """Arrows f(s, u) - s on a grid, for a layer with two units, and attractors on top.

    All arrows are drawn to one scale, which depends on the longest, so that they don't cover each other.

    Args:
        layer: the layer, as `multistable.dynamics.dynamics` lists it.
        u: the constant input, (I,); by default that of `found`, and zeros without it.
        found: what `attractors` finds in the layer.
        ax: where to draw; by default in a new figure.
        extent: left, right, bottom and top of the grid; by default around the states of `found`, but for those that
            grow without bound, and around -1 to 1 without it.

    Returns:
        The figure.

    Raises:
        TypeError: `layer` is no `Dynamics`.
        ValueError: the layer has not exactly two units; `u` has a wrong shape; `found` has other states than the layer,
            or another constant input; the extent is empty.

    Examples:
        >>> import torch
        >>> from multistable import plot
        >>> from multistable.dynamics import dynamics
        >>> (layer,) = dynamics(torch.nn.GRU(1, 2))
        >>> figure = plot.vector_field(layer, u=torch.ones(1))
        >>> figure.axes[0].get_title("left")
        'where a step leads under a constant input'
    """
    u = _checked_input(layer, u, found)
    left, right, bottom, top = _checked_extent(extent, found)
    xs, ys = np.linspace(left, right, _ARROWS), np.linspace(bottom, top, _ARROWS)
    grid = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
    moves = _moves(layer, grid, u)
    figure, panel = panel_in(ax, (4.8, 4.8))
    longest = np.hypot(*(moves / (xs[1] - xs[0], ys[1] - ys[0])).T).max()
    to_scale: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": longest / _LONGEST or 1.0}
    x, y = grid.T
    panel.quiver(x, y, *moves.T, **to_scale, color=GREY, width=0.004, headwidth=4, minlength=0.5, zorder=1)
    if found is not None:
        draw_attractors(panel, found, plane_of(grid))
        legend_below(panel, attractor_entries(found))
    plane_of(grid).label(panel)
    panel.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    panel.set_title("where a step leads under a constant input", loc="left", fontsize=10)
    tidy(panel)
    return figure


def _checked_input(layer: Dynamics, u: Tensor | None, found: "Attractors | None") -> Tensor:
    """The constant input in the layer's own precision, once all fits together."""
    if not isinstance(layer, Dynamics):
        raise TypeError(f"layer must be a Dynamics, as dynamics lists them, got {type(layer).__name__}")
    if layer.state_size != 2:
        raise ValueError(f"a vector field is drawn for two units, but {layer.name!r} has a state of {layer.state_size}")
    like = layer.zero_state(1)
    if u is None:
        u = like.new_zeros(layer.input_size) if found is None else found.u
    if u.shape != (layer.input_size,):
        raise ValueError(f"u must have shape ({layer.input_size},), got {tuple(u.shape)}")
    if found is not None:
        check_fits("the layer", layer.state_size, u, found)
    return u.to(like)


def _checked_extent(extent: Extent | None, found: "Attractors | None") -> Extent:
    if extent is not None:
        left, right, bottom, top = extent
        if not (left < right and bottom < top):
            raise ValueError(f"extent must be left < right and bottom < top, got {extent}")
        return extent
    if found is None:
        return _USUAL
    stays = [kind != "unbounded" for kind in found.kinds]
    parts = [found.trajectory[:, stays], *(one.state for one in found.attractors)]
    states = np.concatenate([as_points(part).reshape(-1, 2) for part in parts])
    if len(states) == 0:
        return _USUAL
    low, high = states.min(0), states.max(0)
    margin = _BESIDE * (high - low) + _BESIDE * (high - low).max() + found.tol
    (left, bottom), (right, top) = (low - margin).tolist(), (high + margin).tolist()
    return left, right, bottom, top


@torch.no_grad()
def _moves(layer: Dynamics, grid: Points, u: Tensor) -> Points:
    s = torch.from_numpy(grid).to(u)
    return as_points(layer.step(s, u[None]) - s)
