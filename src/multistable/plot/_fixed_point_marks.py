"""Marks of fixed points, by how many of their directions are unstable."""

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from multistable.plot._legend import Entry, entry
from multistable.plot._plane import Plane, Points, as_points
from multistable.plot._style import COLOURS, DARK, GREY

if TYPE_CHECKING:
    from multistable._attractors.fixed_points_results import FixedPoints

__all__ = ["draw_directions", "draw_points", "draw_slow_points", "told_apart"]

Groups = dict[str, NDArray[np.bool_]]

_DOT: dict[str, Any] = {"marker": "o", "markersize": 6, "color": DARK, "linestyle": ""}
_STYLES: dict[str, dict[str, Any]] = {
    "stable": {**_DOT, "markersize": 7.5, "color": COLOURS[0], "markeredgecolor": "white"},
    "saddle": {**_DOT, "markerfacecolor": "white", "markeredgewidth": 1.2},
    "repeller": {**_DOT, "marker": "x", "markeredgewidth": 1.6},
    "neutral": {**_DOT, "markerfacecoloralt": "white", "fillstyle": "left"},
}
_MANY = {
    "stable": ("stable fixed point", "stable fixed points"),
    "saddle": ("saddle", "saddles"),
    "repeller": ("repeller", "repellers"),
    "neutral": ("neutral fixed point", "neutral fixed points"),
}
_SLOW: dict[str, Any] = {"marker": "s", "markersize": 3.5, "color": GREY, "markeredgewidth": 0, "linestyle": ""}

_DIRECTIONS = 3  # of a point; more would be a star that tells nothing
_LENGTH = 0.05  # of half a direction that lies in the plane, as a share of the panel


def told_apart(found: "FixedPoints") -> Groups:
    """Which fixed points are stable, saddles, repellers, or neither stable nor unstable."""
    unstable, stable = as_points(found.unstable), as_points(found.stable) > 0
    repeller = unstable == found.points.shape[1]
    return {
        "stable": stable,
        "saddle": (unstable > 0) & ~repeller,
        "repeller": repeller,
        "neutral": (unstable == 0) & ~stable,
    }


def draw_points(ax: Axes, found: "FixedPoints", plane: Plane, groups: Groups) -> tuple[Points, list[Entry]]:
    """Fixed points by group; where they are, (P, 2), and what a legend says of them."""
    points = plane.project(as_points(found.points))
    drawn, entries = [np.empty((0, 2))], []
    for kind, rows in groups.items():
        if rows.any():
            count = int(rows.sum())
            one, many = _MANY[kind]
            drawn.append(points[rows])
            ax.plot(*points[rows].T, zorder=2.5, **_STYLES[kind])
            entries.append(entry(f"{count} {one if count == 1 else many}", _STYLES[kind]))
    return np.concatenate(drawn), entries


def draw_slow_points(ax: Axes, found: "FixedPoints", plane: Plane) -> tuple[Points, list[Entry]]:
    """Slow points, where they are, and what a legend says of them."""
    points = plane.project(as_points(found.slow_points))
    if len(points) == 0:
        return points, []
    ax.plot(*points.T, zorder=2.1, **_SLOW)
    label = f"{len(points)} slow {'point' if len(points) == 1 else 'points'}"
    return points, [entry(label, _SLOW)]


def draw_directions(ax: Axes, found: "FixedPoints", plane: Plane) -> None:
    """At each saddle lines along unstable directions, shorter where these leave the plane; after all else is drawn."""
    width, height = ax.dataLim.width, ax.dataLim.height
    points = plane.project(as_points(found.points))
    directions = found.unstable_directions
    lines = []
    for row in told_apart(found)["saddle"].nonzero()[0]:
        for direction in as_points(directions[row])[:_DIRECTIONS] @ plane.axes:
            # In the panel, not in the plane, lines of one length look equally long.
            size = np.hypot(direction[0] / width, direction[1] / height)
            if size > 0:
                half = _LENGTH * np.linalg.norm(direction) / size * direction
                lines.append(np.stack([points[row] - half, points[row] + half]))
    if lines:
        ax.add_collection(LineCollection(lines, colors=DARK, linewidths=1.2, zorder=2.2))
        ax.autoscale_view()
