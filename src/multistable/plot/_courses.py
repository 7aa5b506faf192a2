"""Trajectories: every step of the first states as a line, and dots where only some states are on record."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba

from multistable.plot._legend import Entry, entry
from multistable.plot._looks import colour_of
from multistable.plot._plane import Plane, Points, as_points, plane_of
from multistable.plot._style import DARK, GREY

if TYPE_CHECKING:
    from multistable._attractors import Attractors

__all__ = ["Courses", "courses_of", "draw_courses", "end_entries"]

_GOES = ("equilibrium", "cycle", "oscillation", "chaos")  # trajectories with their attractor's colour
_END: dict[str, Any] = {"color": DARK, "linestyle": "", "markeredgewidth": 0}
_ENDS: dict[str, dict[str, Any]] = {
    "held": {"marker": "d", "markersize": 5, **_END},
    "slow": {"marker": "s", "markersize": 3.5, **_END},
    "drift": {"marker": ">", "markersize": 5, **_END},
    "unbounded": {"marker": "<", "markersize": 5, **_END},
}
_ADJECTIVES = {"held": "held", "slow": "slow", "drift": "drifting", "unbounded": "unbounded"}
_BESIDE, _ALONE = 0.5, 4.0  # shares of the size of the rest, or of where all begin, that growth is shown beside it


@dataclass(frozen=True)
class Courses:
    """What is drawn of trajectories.

    Attributes:
        plane: the plane that it is drawn in.
        lines: every step of the first states, each (steps, 2).
        dots: of each state what is on record beside that, each (P, 2).
    """

    plane: Plane
    lines: tuple[Points, ...]
    dots: tuple[Points, ...]

    @property
    def points(self) -> Points:
        """All of them, (P, 2)."""
        return np.concatenate([np.empty((0, 2)), *self.lines, *self.dots])


def courses_of(found: "Attractors") -> Courses:
    """Trajectories in a plane; those that grow without bound only as far as they are near the others."""
    records, paths = as_points(found.trajectory), as_points(found.paths)
    steps, m, size = paths.shape
    leaves = np.array(found.kinds) == "unbounded"
    parts = [records[:, ~leaves], paths[:, ~leaves[:m]], *(as_points(one.state) for one in found.attractors)]
    bounded = np.concatenate([part.reshape(-1, size) for part in parts])
    starts = np.concatenate([part[:1].reshape(-1, size) for part in (records, paths)])
    plane = plane_of(bounded if len(bounded) else starts)
    edges = _edges(plane.project(bounded), plane.project(starts))
    with np.errstate(over="ignore", invalid="ignore"):  # of what is too large nothing is drawn
        records, paths = plane.project(records), plane.project(paths)
    later = np.array(found.trace.horizons) >= steps
    dots = [records[later, row] if row < m else records[:, row] for row in range(found.n)]
    return Courses(
        plane,
        tuple(_within(edges, paths[:, row]) if leaves[row] else paths[:, row] for row in range(m)),
        tuple(_within(edges, at) if leaves[row] else at for row, at in enumerate(dots)),
    )


def draw_courses(ax: Axes, found: "Attractors", courses: Courses) -> None:
    """Lines from a dot, the state at the beginning, dots, and marks at the end of what goes to no attractor."""
    kinds = np.array(found.kinds)
    goes = np.isin(kinds, _GOES) & (np.array(found.labels) >= 0)
    colours = [colour_of(label) if known else GREY for label, known in zip(found.labels, goes, strict=True)]
    # In chaos, lines go everywhere: they are there to be followed by those who want to.
    pale = [to_rgba(one, 0.25 if kind == "chaos" else 0.5) for one, kind in zip(colours, found.kinds, strict=True)]
    ax.add_collection(LineCollection(list(courses.lines), colors=pale[: len(courses.lines)], linewidths=0.8))
    begun = [(line[0], colour) for line, colour in zip(courses.lines, colours, strict=False) if len(line)]
    _scatter(ax, np.array([start for start, _ in begun]), [colour for _, colour in begun], s=9)
    dots = np.concatenate([np.empty((0, 2)), *courses.dots])
    of_each = [colour for colour, at in zip(colours, courses.dots, strict=True) for _ in at]
    _scatter(ax, dots, of_each, s=5, alpha=0.5)
    for kind, style in _ENDS.items():
        ends = np.concatenate([np.empty((0, 2)), *(_end(courses, row) for row in (kinds == kind).nonzero()[0])])
        if len(ends):
            ax.plot(*ends.T, zorder=4.5, **style)


def end_entries(found: "Attractors", courses: Courses) -> list[Entry]:
    """A legend's entry for each kind of trajectory that goes to no attractor."""
    entries = []
    for kind, style in _ENDS.items():
        count = sum(one == kind for one in found.kinds)
        if count:
            label = f"{count} {_ADJECTIVES[kind]} {'state' if count == 1 else 'states'}"
            shown = sum(len(_end(courses, row)) for row, one in enumerate(found.kinds) if one == kind)
            if shown < count:
                label += f", {shown} in view"
            entries.append(entry(label, style))
    return entries


def _end(courses: Courses, row: int) -> Points:
    """The last state of a trajectory that is drawn, (1, 2); (0, 2) if none is."""
    line = courses.lines[row] if row < len(courses.lines) else np.empty((0, 2))
    return np.concatenate([line, courses.dots[row]])[-1:]


def _edges(bounded: Points, starts: Points) -> Points:
    """The corners of where growth is shown: around what is bounded, or around all that begins if that is a point."""
    spread = bool(len(bounded)) and bool(np.ptp(bounded, 0).any())
    points, beside = (bounded, _BESIDE) if spread else (np.concatenate([bounded, starts]), _ALONE)
    if len(points) == 0:
        return np.zeros((2, 2))
    low, high = points.min(0), points.max(0)
    margin = beside * (high - low).max()
    return np.stack([low - margin, high + margin])


def _within(edges: Points, points: Points) -> Points:
    """Those before the first that lies outside."""
    outside = ~((points >= edges[0]) & (points <= edges[1])).all(1)
    return points[: outside.argmax()] if outside.any() else points


def _scatter(ax: Axes, at: Points, colours: list[str], **style: Any) -> None:
    x, y = at.reshape(-1, 2).T
    ax.scatter(x, y, c=colours, linewidths=0, **style)
