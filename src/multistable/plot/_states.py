"""The panel of states: trajectories, attractors, and fixed points beside them."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from multistable.plot._checks import check_fits
from multistable.plot._courses import courses_of, draw_courses, end_entries
from multistable.plot._fixed_point_marks import draw_directions, draw_points, told_apart
from multistable.plot._legend import Entry
from multistable.plot._looks import attractor_entries, draw_attractors
from multistable.plot._style import tidy

if TYPE_CHECKING:
    from multistable._attractors import Attractors
    from multistable._attractors.fixed_points_results import FixedPoints

__all__ = ["draw_states"]

_UNSTABLE = ("saddle", "repeller", "neutral")  # the stable ones are there as attractors


def draw_states(ax: Axes, found: "Attractors", fixed_points: "FixedPoints | None") -> list[Entry]:
    """Draw the panel; what a legend says of it."""
    if fixed_points is not None:
        check_fits("fixed_points", fixed_points.points.shape[1], fixed_points.u, found)
    courses = courses_of(found)
    draw_courses(ax, found, courses)
    drawn = [courses.points, draw_attractors(ax, found, courses.plane)]
    entries = [*attractor_entries(found), *end_entries(found, courses)]
    if fixed_points is not None:
        groups = {kind: rows for kind, rows in told_apart(fixed_points).items() if kind in _UNSTABLE}
        at, more = draw_points(ax, fixed_points, courses.plane, groups)
        drawn.append(at)
        entries += more
    courses.plane.widen(ax, np.concatenate(drawn), found.tol)
    if fixed_points is not None:
        draw_directions(ax, fixed_points, courses.plane)
    courses.plane.label(ax)
    which = f"{found.n:,} states of {found.name}" if found.name else f"{found.n:,} states"
    ax.set_title(f"where {which} go under a constant input", loc="left", fontsize=10)
    tidy(ax)
    return entries
