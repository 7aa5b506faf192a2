"""All panels of a portrait."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from plot.by_hand import chaos, drift, fading, growing, motionless, points_of_wells, ring, swings, undecided, wells
from plot.drawn import at, entries, texts
from torch.nn.functional import pad

from multistable import Attractors
from multistable.plot import portrait
from multistable.plot._style import COLOURS

ALL: dict[str, Callable[[], Attractors]] = {
    "one unit": lambda: wells(1),
    "wells": lambda: wells(4),
    "ring": ring,
    "swings": swings,
    "chaos": chaos,
    "drift": drift,
    "fading": fading,
    "motionless": motionless,
    "growing": growing,
}
each = pytest.mark.parametrize("found", ALL.values(), ids=ALL)


def eigenvalues(spectra: Axes) -> list[list[complex]]:
    """Of each attractor, the one that most states go to first, in order of their size."""
    _, *drawn = spectra.lines
    values = [at(one) @ [1, 1j] for one in reversed(drawn)]
    return [sorted(one.tolist(), key=lambda value: (abs(value), value.imag)) for one in values]


@each
def test_nothing_overlaps(found: Callable[[], Attractors]) -> None:
    figure = portrait(found())
    figure.draw_without_rendering()
    boxes = [one.get_tightbbox() for one in (*figure.axes, *figure.legends)]
    assert not any(one.overlaps(other) for one, other in combinations(filter(None, boxes), 2))


def test_panels_of_ones_own_are_drawn_in() -> None:
    figure = Figure(layout="constrained")
    first, second = (part.subplots() for part in np.asarray(figure.subfigures(1, 2)))
    assert portrait(wells(2), ax=first, fixed_points=points_of_wells(2)) is figure
    assert portrait(ring(), ax=second) is figure
    assert figure.axes == [first, second]
    assert entries(first) == ["4 stable equilibria, time constants up to 0.56 steps", "4 saddles", "1 repeller"]
    figure.draw_without_rendering()
    for panel in (first, second):
        legend = panel.get_legend()
        assert legend is not None
        assert legend.get_window_extent().y1 < panel.get_window_extent().y0


def test_the_legend_counts_and_shows_several() -> None:
    figure = portrait(wells(4))
    (legend,) = figure.legends
    slowest = max(one.time_constant or 0 for one in wells(4).attractors)
    assert entries(figure) == [f"16 stable equilibria, time constants up to {slowest:.2g} steps", "certified: 0.500"]
    assert [line.get_color() for line in legend.findobj(Line2D)[:3]] == list(COLOURS[:3])


def test_spectra_have_the_unit_circle() -> None:
    for found in (wells(1), chaos(), undecided()):
        circle = at(portrait(found).axes[1].lines[0])
        assert np.linalg.norm(circle, axis=1) == pytest.approx(1)
        assert circle[0] == pytest.approx(circle[-1])
        assert abs(np.diff(np.unwrap(np.arctan2(*circle.T))).sum()) == pytest.approx(2 * np.pi)


@pytest.mark.parametrize("found", [lambda: wells(4), ring], ids=["wells", "ring"])
def test_spectra_are_those_of_the_attractors(found: Callable[[], Attractors]) -> None:
    drawn = eigenvalues(portrait(found()).axes[1])
    for values, one in zip(drawn, found().attractors, strict=True):
        assert one.eigenvalues is not None
        expected = sorted(one.eigenvalues.tolist(), key=lambda value: (abs(value), value.imag))
        assert values == pytest.approx(expected)


def test_where_there_is_no_spectrum_it_says_so() -> None:
    for found in (chaos(), swings()):
        assert texts(portrait(found).axes[1]) == ["no equilibrium or cycle found"]
    assert texts(portrait(undecided()).axes[1]) == ["no attractor found"]


def test_of_many_large_spectra_the_first_are_drawn() -> None:
    large = 400
    found = wells(4)
    found = replace(
        found,
        trajectory=pad(found.trajectory, (0, large - 4)),
        paths=pad(found.paths, (0, large - 4)),
        attractors=tuple(
            replace(one, state=pad(one.state, (0, large - 4)), eigenvalues=torch.full((large,), 0.5j))
            for one in found.attractors
        ),
    )
    spectra = portrait(found).axes[1]
    assert spectra.get_title("left") == "eigenvalues of the Jacobians (5 of 16)"
    assert [line.get_color() for line in spectra.lines[:0:-1]] == list(COLOURS[:5])


@each
def test_vaa_and_residual_beside_what_is_certified(found: Callable[[], Attractors]) -> None:
    *_, scores, residuals = portrait(found()).axes
    trace = found().trace
    score, certified = scores.lines
    (residual,) = residuals.lines
    assert at(score).T.tolist() == [list(trace.horizons), list(trace.vaa)]
    assert at(residual).T.tolist() == [list(trace.horizons), list(trace.residual)]
    assert at(certified)[:, 1].tolist() == [found().certified] * 2
    assert certified.get_linestyle() == "--"
    assert scores.get_xscale() == "log"
    assert scores.get_xlim() == residuals.get_xlim()


def test_a_layer_is_named() -> None:
    assert wells(2).plot().axes[0].get_title("left") == "where 8 states go under a constant input"
    layer = replace(wells(2), name="l0")
    assert layer.plot().axes[0].get_title("left") == "where 8 states of l0 go under a constant input"
