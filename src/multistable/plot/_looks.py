"""How attractors look, so that many can be told apart, and what a legend says of them."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from multistable.plot._legend import Entry, entry
from multistable.plot._plane import Plane, Points, as_points
from multistable.plot._style import COLOURS

if TYPE_CHECKING:
    from multistable._attractors import Attractor, Attractors

__all__ = ["attractor_entries", "colour_of", "draw_attractors", "look_of", "mark"]

_MARKERS = ("o", "s", "^", "D", "P", "v", "X")
_LINES = ("-", "--", "-.", ":")
_SAMPLES = 3  # of a kind in the legend
_KINDS: dict[str, dict[str, Any]] = {
    "equilibrium": {"markersize": 7.5, "markeredgecolor": "white", "linestyle": ""},
    "cycle": {"markersize": 5.5, "markeredgecolor": "white", "linewidth": 1.2},
    "oscillation": {"marker": "", "linewidth": 2.2},
    "chaos": {"marker": "o", "markersize": 2, "markeredgewidth": 0, "linestyle": ""},
}


class Look(NamedTuple):
    """How one attractor is drawn."""

    color: str
    marker: str
    linestyle: str


def colour_of(place: int) -> str:
    """The colour of the attractor at a place; with the seventh attractor colours begin again."""
    return COLOURS[place % len(COLOURS)]


def look_of(place: int) -> Look:
    """Colours first, then other markers and lines: the same look comes back only after many attractors."""
    turn = place // len(COLOURS)
    return Look(colour_of(place), _MARKERS[turn % len(_MARKERS)], _LINES[turn % len(_LINES)])


def mark(place: int, kind: str) -> dict[str, Any]:
    """The style of the attractor at a place."""
    return {**look_of(place)._asdict(), **_KINDS[kind]}


def draw_attractors(ax: Axes, found: "Attractors", plane: Plane) -> Points:
    """Equilibria as markers, cycles and oscillations as closed lines, chaos as dots; where all that is, (P, 2)."""
    drawn = [np.empty((0, 2))]
    for place, one in enumerate(found.attractors):
        at = plane.project(as_points(one.state).reshape(-1, len(plane.origin)))
        drawn.append(at)
        line = at if one.kind == "chaos" else np.concatenate([at, at[:1]])
        # The attractors that most states go to lie on top.
        ax.plot(*line.T, zorder=4 - place / (1 + len(found.attractors)), **mark(place, one.kind))
    return np.concatenate(drawn)


def attractor_entries(found: "Attractors") -> list[Entry]:
    """Samples of each kind of attractor that there is, with how many there are."""
    entries = []
    for kind in _KINDS:
        of_kind = {place: one for place, one in enumerate(found.attractors) if one.kind == kind}
        if of_kind:
            samples = [mark(place, kind) for place in sorted(of_kind)[:_SAMPLES]]
            if kind == "chaos":  # a dot of the panel's size can't be seen alone
                samples = [{**style, "markersize": 4} for style in samples]
            entries.append(entry(_label(found, kind, list(of_kind.values())), *samples))
    return entries


def _label(found: "Attractors", kind: str, of_kind: "list[Attractor]") -> str:
    one = of_kind[0]
    if kind == "chaos":
        count = found.kinds.count("chaos")
        exponent = f"exponent {one.exponent:.2g} ± {one.exponent_error:.1g}"
        return f"{count} chaotic {'state' if count == 1 else 'states'}, {exponent}"
    slowest = max(each.time_constant or 0.0 for each in of_kind)
    steps = f"{_rounded(slowest)} steps"
    if len(of_kind) == 1:
        period = "" if kind == "equilibrium" else f" of period {one.period:.4g}"
        return f"1 stable {kind}{period}, time constant {steps}"
    many = {"equilibrium": "equilibria", "cycle": "cycles", "oscillation": "oscillations"}[kind]
    return f"{len(of_kind)} stable {many}, time constants up to {steps}"


def _rounded(steps: float) -> str:
    return f"{steps:,.0f}" if steps >= 10 else f"{steps:.2g}"
