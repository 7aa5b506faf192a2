"""Portraits of small networks whose attractors are known."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import combinations, product

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad

from multistable import Attractors, attractors
from multistable.plot import portrait
from multistable.plot._style import COLOURS, GREY

Points = NDArray[np.float64]


def rnn(weight: Tensor, drive: float, nonlinearity: str = "tanh") -> nn.RNN:
    """h' = tanh(W h + drive x), with an input for each unit."""
    module = nn.RNN(len(weight), len(weight), bias=False, nonlinearity=nonlinearity)
    with torch.no_grad():
        module.get_parameter("weight_ih_l0").copy_(drive * torch.eye(len(weight)))
        module.get_parameter("weight_hh_l0").copy_(weight)
    return module


def corners(size: int) -> Tensor:
    """Two sequences each that drive the units to all combinations of signs, (T, B, I)."""
    signs = torch.tensor(list(product([1.0, -1.0], repeat=size)))
    return signs.repeat(2, 1).expand(30, -1, -1)


def rotation(angle: float, gain: float) -> Tensor:
    """A rotation of the plane, times a gain."""
    cos, sin = np.cos(angle), np.sin(angle)
    return gain * torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float32)


@cache
def wells(size: int) -> Attractors:
    """Units with two equilibria each: 2^size together."""
    return attractors(rnn(2 * torch.eye(size), drive=0.1), corners(size), generator=0)


@cache
def ring(turning: int = 1) -> Attractors:
    """Pairs of units that make a quarter turn in each step."""
    weight = torch.block_diag(*[rotation(np.pi / 2, 2.0)] * turning)
    return attractors(rnn(weight, drive=0.01), corners(2 * turning), generator=0)


@cache
def torus() -> Attractors:
    """A turn that does not come back to where it was."""
    return attractors(rnn(rotation(1.0, 1.1), drive=1e-3), corners(2), horizon=128, generator=0)


@cache
def chaos() -> Attractors:
    """Strong random weights."""
    generator = torch.Generator().manual_seed(0)
    weight = 3 / 8 * torch.randn(64, 64, generator=generator)
    return attractors(rnn(weight, drive=1.0), torch.randn(9, 4, 64, generator=generator), horizon=1024, generator=0)


@cache
def drift() -> Attractors:
    """Units that add up their inputs."""
    return attractors(rnn(torch.eye(2), 1.0, "relu"), corners(2), horizon=512, generator=3)


@cache
def fading() -> Attractors:
    """Units that lose 0.7 % of their state in a step, and are not at rest by the horizon."""
    return attractors(rnn(0.993 * torch.eye(2), drive=1e-3), corners(2), horizon=512, generator=0)


def undecided() -> Attractors:
    """Units at rest, if that were not known."""
    return replace(wells(2), attractors=(), labels=(-1,) * 8, kinds=fading().kinds)


@cache
def motionless() -> Attractors:
    """All states are zero, always."""
    return attractors(rnn(torch.zeros(3, 3), drive=0.0), corners(3), horizon=128, generator=0)


def segments(states: Axes) -> list[Points]:
    """Trajectories that are drawn as lines."""
    (lines,) = (one for one in states.collections if isinstance(one, LineCollection))
    return [np.asarray(one) for one in lines.get_segments()]


def dots(states: Axes) -> tuple[PathCollection, PathCollection]:
    """Where lines begin, and the states of trajectories that are not lines."""
    starts, others = (one for one in states.collections if isinstance(one, PathCollection))
    return starts, others


def at(drawn: PathCollection | Line2D) -> Points:
    """Where points are drawn, (P, 2)."""
    return np.asarray(drawn.get_xydata() if isinstance(drawn, Line2D) else drawn.get_offsets())


def colours(drawn: LineCollection | PathCollection) -> list[str]:
    """Of each line or point."""
    return [to_hex(one) for one in np.asarray(drawn.get_edgecolor())]


def entries(found: Attractors) -> list[str]:
    """What the legend says."""
    (legend,) = portrait(found).legends
    return [text.get_text() for text in legend.get_texts()]


def distances(points: Points) -> Points:
    return np.asarray(np.linalg.norm(points[:, None] - points, axis=-1))


def assert_distances_kept(drawn: Points, states: Tensor) -> None:
    np.testing.assert_allclose(distances(drawn), distances(states.numpy()), atol=1e-12)


def eigenvalues(spectra: Axes) -> list[list[complex]]:
    """Of each attractor, the one that most states go to first, in order of their size."""
    _, *drawn = spectra.lines
    values = [at(one) @ [1, 1j] for one in reversed(drawn)]
    return [sorted(one.tolist(), key=lambda value: (abs(value), value.imag)) for one in values]


@pytest.mark.parametrize(
    "found",
    [lambda: wells(1), lambda: wells(4), ring, chaos, drift, fading, motionless],
    ids=["one unit", "wells", "ring", "chaos", "drift", "fading", "motionless"],
)
def test_nothing_overlaps(found: Callable[[], Attractors]) -> None:
    figure = portrait(found())
    figure.draw_without_rendering()
    boxes = [one.get_tightbbox() for one in (*figure.axes, *figure.legends)]
    assert not any(one.overlaps(other) for one, other in combinations(filter(None, boxes), 2))


def test_equilibria_and_the_trajectories_that_go_there() -> None:
    found = wells(2)
    states = portrait(found).axes[0]
    equilibria = np.concatenate([at(line) for line in states.lines])[::2]
    lines = segments(states)
    assert_distances_kept(
        np.concatenate([equilibria, *(line[:-1] for line in lines)]),
        torch.cat([torch.stack([one.state for one in found.attractors]), *found.trajectory.unbind(1)]),
    )
    starts, others = dots(states)
    assert (at(starts) == [line[0] for line in lines]).all()
    assert len(at(others)) == 0
    for line, label in zip(lines, found.labels, strict=True):
        assert (line[-1] == equilibria[label]).all()


def test_colours_follow_labels() -> None:
    found = wells(2)
    states = portrait(found).axes[0]
    assert [line.get_color() for line in states.lines] == list(COLOURS[:4])
    expected = [COLOURS[label] for label in found.labels]
    (lines,) = (one for one in states.collections if isinstance(one, LineCollection))
    starts, _ = dots(states)
    assert colours(lines) == colours(starts) == expected
    assert len(set(expected)) == 4


def test_more_attractors_than_colours() -> None:
    found = wells(4)
    assert found.count == 16
    figure = portrait(found)
    assert [line.get_color() for line in figure.axes[0].lines] == [COLOURS[k % 6] for k in range(16)]
    slowest = max(one.time_constant or 0 for one in found.attractors)
    assert entries(found) == [f"16 stable equilibria, time constants up to {slowest:.2g} steps", "certified: 0.500"]


def test_a_single_unit_lies_on_a_line() -> None:
    found = wells(1)
    states = portrait(found).axes[0]
    low, high = sorted(found.attractors, key=lambda one: one.state.item())
    marks = {label: at(line) for label, line in enumerate(states.lines)}
    right, left = (marks[found.attractors.index(one)] for one in (high, low))
    assert right[0, 0] - left[0, 0] == pytest.approx((high.state - low.state).item())
    assert all((points[:, 1] == 0).all() for points in (*marks.values(), *segments(states)))
    bottom, top = states.get_ylim()
    assert bottom < 0 < top and top - bottom >= 0.1 * (right[0, 0] - left[0, 0])
    assert "(100% of the variance)" in states.get_xlabel() and "(0%)" in states.get_ylabel()


def test_states_that_coincide_are_shown_as_one_point() -> None:
    states = portrait(motionless()).axes[0]
    assert (np.concatenate(segments(states)) == 0).all()
    assert max(states.get_xlim()) >= motionless().tol and max(states.get_ylim()) >= motionless().tol


def test_a_cycle_is_closed() -> None:
    found = ring()
    (cycle,) = found.attractors
    states = portrait(found).axes[0]
    (line,) = states.lines
    points = at(line)
    assert (points[0] == points[-1]).all()
    starts, others = dots(states)
    assert segments(states) == [] and len(at(starts)) == 0
    assert_distances_kept(
        np.concatenate([points[:-1], at(others)]), torch.cat([cycle.state, found.trajectory.flatten(0, 1)])
    )
    assert set(colours(others)) == {line.get_color()} == {COLOURS[0]}
    label, _ = entries(found)
    assert label == f"1 stable cycle, time constant {cycle.time_constant:.2g} steps"


def test_dots_have_the_colour_of_their_cycle() -> None:
    found = ring(turning=2)
    states = portrait(found).axes[0]
    assert [line.get_color() for line in states.lines] == list(COLOURS[:4])  # two turns can be out of step in four ways
    _, others = dots(states)
    assert colours(others) == [COLOURS[label] for _ in found.trajectory for label in found.labels]


def test_chaos_is_dots_with_marks_at_the_last() -> None:
    found = chaos()
    states, spectra, *_ = portrait(found).axes
    _, others = dots(states)
    assert len(at(others)) == found.trajectory[..., 0].numel() and set(colours(others)) == {GREY}
    (ends,) = states.lines
    assert (at(ends) == at(others)[-found.n :]).all()
    assert segments(states) == []
    assert [text.get_text() for text in spectra.texts] == ["no equilibrium or cycle found"]
    assert len(spectra.lines) == 1
    exponent = found.attractors[0].exponent
    assert entries(found) == [f"{found.n} chaotic states, exponent {exponent:.2g}", "certified: 0.000"]


def test_drift_is_lines_with_marks_at_the_end() -> None:
    found = drift()
    states = portrait(found).axes[0]
    lines = segments(states)
    assert_distances_kept(np.concatenate(lines), torch.cat(found.trajectory.unbind(1)))
    (ends,) = states.lines
    assert (at(ends) == [line[-1] for line in lines]).all()
    (collection,) = (one for one in states.collections if isinstance(one, LineCollection))
    assert set(colours(collection)) == {GREY}
    assert entries(found) == [f"{found.n} drifting states", "certified: 0.000"]


def test_what_is_slow_is_grey_up_to_its_equilibrium() -> None:
    found = fading()
    assert set(found.kinds) == {"slow"} and set(found.labels) == {0}
    states = portrait(found).axes[0]
    ends, equilibrium = states.lines
    for line, end in zip(segments(states), at(ends), strict=True):
        assert (line[-1] == at(equilibrium)[0]).all()
        assert (line[-2] == end).all()
    (collection,) = (one for one in states.collections if isinstance(one, LineCollection))
    assert set(colours(collection)) == {GREY}
    assert entries(found)[1:] == [f"{found.n} slow states", "certified: 0.125"]


def test_nothing_found() -> None:
    states, spectra, *_ = portrait(undecided()).axes
    assert [text.get_text() for text in spectra.texts] == ["no attractor found"]
    (ends,) = states.lines
    assert (at(ends) == [line[-1] for line in segments(states)]).all()
    assert [len(line) for line in segments(states)] == [len(undecided().trajectory)] * undecided().n


def test_states_that_keep_moving_are_dots() -> None:
    found = torus()
    assert set(found.kinds) == {"slow"} and set(found.labels) == {-1}
    states = portrait(found).axes[0]
    _, others = dots(states)
    assert segments(states) == []
    assert_distances_kept(at(others), found.trajectory.flatten(0, 1))


def test_spectra_have_the_unit_circle() -> None:
    for found in (wells(1), chaos(), undecided()):
        circle = at(portrait(found).axes[1].lines[0])
        assert np.linalg.norm(circle, axis=1) == pytest.approx(1)
        assert circle[0] == pytest.approx(circle[-1])
        assert abs(np.diff(np.unwrap(np.arctan2(*circle.T))).sum()) == pytest.approx(2 * np.pi)


def test_spectra_of_equilibria() -> None:
    found = wells(4)
    drawn = eigenvalues(portrait(found).axes[1])
    # The derivative of tanh(2 h + d) by h, where h is in equilibrium.
    expected = [sorted((2 * (1 - one.state**2)).tolist()) for one in found.attractors]
    assert [[value.real for value in values] for values in drawn] == [pytest.approx(values) for values in expected]
    assert all(value.imag == 0 for values in drawn for value in values)


def test_the_spectrum_of_a_cycle_is_that_of_a_round() -> None:
    (cycle,) = ring().attractors
    (drawn,) = eigenvalues(portrait(ring()).axes[1])
    round_ = torch.eye(2, dtype=torch.float64)
    for state in cycle.state.roll(-1, 0):  # each step ends at the next state, where its derivative is taken
        round_ = (1 - state**2)[:, None] * rotation(np.pi / 2, 2.0).double() @ round_
    assert sum(drawn) == pytest.approx(round_.trace().item())
    assert np.prod(drawn) == pytest.approx(round_.det().item())


def test_of_many_large_spectra_the_first_are_drawn() -> None:
    large = 400
    found = wells(4)
    found = replace(
        found,
        trajectory=pad(found.trajectory, (0, large - 4)),
        attractors=tuple(
            replace(one, state=pad(one.state, (0, large - 4)), jacobian=0.5 * torch.eye(large, dtype=torch.float64))
            for one in found.attractors
        ),
    )
    spectra = portrait(found).axes[1]
    assert spectra.get_title("left") == "eigenvalues of the Jacobians (5 of 16)"
    assert [line.get_color() for line in spectra.lines[:0:-1]] == list(COLOURS[:5])


@pytest.mark.parametrize("found", [lambda: wells(4), ring, chaos], ids=["wells", "ring", "chaos"])
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
    found = wells(2)
    assert found.plot().axes[0].get_title("left") == "where 8 states go under a constant input"
    assert found.per_layer[0].plot().axes[0].get_title("left") == "where 8 states of l0 go under a constant input"
