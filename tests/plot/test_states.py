"""The panel of states of small maps whose attractors are known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from plot.by_hand import (
    HORIZONS,
    chaos,
    drift,
    fading,
    fixed_points_at,
    growing,
    motionless,
    points_of_wells,
    randn,
    ring,
    swings,
    undecided,
    wells,
)
from plot.drawn import at, collections, colours, distances, dots, entries, segments

from multistable import Attractors
from multistable._attractors.fixed_points_results import FixedPoints
from multistable._measure import Trace
from multistable.plot import portrait
from multistable.plot._style import COLOURS, GREY

PATHS = 20  # steps
LATER = [place for place, horizon in enumerate(HORIZONS) if horizon >= PATHS]


def states(found: Attractors, fixed_points: FixedPoints | None = None) -> Axes:
    panel = Figure().subplots()
    portrait(found, fixed_points=fixed_points, ax=panel)
    return panel


def test_every_step_of_the_first_states_is_on_a_line() -> None:
    found = wells(2)
    panel = states(found)
    (lines,) = collections(panel)
    assert len(segments(lines)) == 4
    for row, line in enumerate(segments(lines)):
        assert (line == found.paths[:, row].numpy()).all()
    starts, _ = dots(panel)
    assert (at(starts) == found.paths[0].numpy()).all()


def test_no_line_goes_beyond_what_is_known_of_every_step() -> None:
    found = fading()
    panel = states(found)
    _, others = dots(panel)
    of_paths = found.trajectory[LATER][:, :4].transpose(0, 1).reshape(-1, 2)
    of_others = found.trajectory[:, 4:].transpose(0, 1).reshape(-1, 2)
    assert (at(others) == torch.cat([of_paths, of_others]).numpy()).all()
    assert sum(map(len, segments(*collections(panel)))) == found.paths[..., 0].numel()


@pytest.mark.parametrize("steps", [0, 20])
def test_without_paths_all_records_are_dots(steps: int) -> None:
    found = replace(wells(2), paths=torch.empty(steps, 0, 2, dtype=torch.float64))
    panel = states(found)
    _, others = dots(panel)
    assert len(at(others)) == found.n * len(HORIZONS)
    assert all(len(segments(one)) == 0 for one in collections(panel))


def test_equilibria_lie_where_they_are() -> None:
    found = wells(2)
    marks = states(found).lines
    assert [at(mark)[0].tolist() for mark in marks] == [one.state.tolist() for one in found.attractors]


def test_colours_follow_labels() -> None:
    found = wells(2)
    panel = states(found)
    assert [line.get_color() for line in panel.lines] == list(COLOURS[:4])
    expected = [COLOURS[label] for label in found.labels]
    (lines,) = collections(panel)
    starts, others = dots(panel)
    assert colours(lines) == colours(starts) == expected[:4]
    of_paths = [colour for colour in expected[:4] for _ in LATER]
    of_others = [colour for colour in expected[4:] for _ in HORIZONS]
    assert colours(others) == of_paths + of_others


def test_attractors_look_different_beyond_the_number_of_colours() -> None:
    for found in (wells(4), swings(9)):
        marks = states(found).lines
        looks = {(mark.get_color(), mark.get_marker(), mark.get_linestyle()) for mark in marks}
        assert len(looks) == len(marks) == found.count
        assert [mark.get_color() for mark in marks] == [COLOURS[place % 6] for place in range(found.count)]


def test_principal_components_keep_distances_in_a_plane() -> None:
    flat = swings(1, size=5)
    panel = states(flat)
    (curve,) = panel.lines
    np.testing.assert_allclose(distances(at(curve)[:-1]), distances(flat.attractors[0].state.numpy()), atol=1e-3)
    assert "of the variance" in panel.get_xlabel()


def test_a_single_unit_lies_on_a_line() -> None:
    found = wells(1)
    panel = states(found)
    assert [at(mark)[0].tolist() for mark in panel.lines] == [[one.state.item(), 0] for one in found.attractors]
    bottom, top = panel.get_ylim()
    left, right = panel.get_xlim()
    assert bottom < 0 < top and top - bottom >= 0.05 * (right - left)
    assert panel.get_yticks().tolist() == []


def test_states_that_coincide_are_shown_as_one_point() -> None:
    for size in (1, 2, 3):
        panel = states(motionless(size))
        assert all((line == 0).all() for line in segments(*collections(panel)))
        assert max(panel.get_xlim()) >= motionless().tol and max(panel.get_ylim()) >= motionless().tol


@pytest.mark.parametrize("found", [ring, swings], ids=["cycle", "oscillation"])
def test_cycles_and_oscillations_are_closed(found: Callable[[], Attractors]) -> None:
    (one,) = found().attractors
    panel = states(found())
    (line,) = panel.lines
    assert (at(line)[:-1] == one.state.numpy()).all()
    assert (at(line)[-1] == at(line)[0]).all()
    assert line.get_linestyle() == "-"
    assert {line.get_color(), *colours(dots(panel)[1])} == {COLOURS[0]}


def test_the_legend_says_what_a_cycle_is() -> None:
    (cycle,), (swing,) = ring().attractors, swings().attractors
    cycle_says = f"1 stable cycle of period 4, time constant {cycle.time_constant:.2g} steps"
    assert entries(states(ring())) == [cycle_says]
    assert entries(states(swings())) == [f"1 stable oscillation of period {swing.period}, time constant 12 steps"]
    assert entries(states(swings(9))) == ["9 stable oscillations, time constants up to 12 steps"]


def test_chaos_is_a_cloud_of_dots() -> None:
    panel = states(chaos())
    (cloud,) = panel.lines
    assert len(at(cloud)) == len(chaos().attractors[0].state)
    assert (cloud.get_linestyle(), cloud.get_marker()) == ("None", "o")
    assert set(colours(dots(panel)[1])) == {cloud.get_color()}
    assert entries(panel) == ["9 chaotic states, exponent 0.21 ± 0.01"]


def test_drift_is_grey_with_marks_at_the_end() -> None:
    found = drift()
    panel = states(found)
    (ends,) = panel.lines
    _, others = dots(panel)
    later, records = len(LATER), len(HORIZONS)
    last = [later - 1, 2 * later - 1, 3 * later - 1, *(3 * later + records * k - 1 for k in (1, 2, 3))]
    assert (at(ends) == at(others)[last]).all()
    assert set(colours(others)) == {GREY}
    assert entries(panel) == ["6 drifting states"]


def test_what_is_slow_is_grey_beside_its_equilibrium() -> None:
    found = fading()
    panel = states(found)
    ends, rest = sorted(panel.lines, key=lambda line: -len(at(line)))
    assert (at(ends) == found.trajectory[-1].numpy()).all()
    assert (at(rest) == 0).all()
    assert set(colours(dots(panel)[1])) == {GREY}
    assert entries(panel) == ["1 stable equilibrium, time constant 142 steps", "8 slow states"]


def test_where_nothing_is_found_ends_are_marked() -> None:
    (ends,) = states(undecided()).lines
    assert (at(ends) == undecided().trajectory[-1].numpy()).all()


def test_growth_is_shown_only_beside_the_rest() -> None:
    found = growing()
    panel = states(found)
    bounded = [row for row, kind in enumerate(found.kinds) if kind == "equilibrium"]
    inside = torch.cat([found.trajectory[:, bounded].flatten(0, 1), found.paths[:, [0, 2]].flatten(0, 1)])
    size = (inside.amax(0) - inside.amin(0)).max().item()
    for low, high in (panel.get_xlim(), panel.get_ylim()):
        assert high - low <= 2 * size * 1.2
    lines = segments(*collections(panel))
    assert [len(line) for line in (lines[0], lines[2])] == [20, 20]
    assert 0 < len(lines[3]) < 20
    assert (lines[3] == found.paths[: len(lines[3]), 3].numpy()).all()
    assert entries(panel)[1] == "3 unbounded states, 2 in view"


def test_if_all_grows_without_bound_the_beginning_is_shown() -> None:
    steps = 1.5 ** torch.arange(40, dtype=torch.float64)
    paths = steps[:, None, None] * randn(0, 6, 2)
    found = replace(
        drift(), kinds=("unbounded",) * 6, trajectory=paths[[1, 2, 4, 8, 16, 32, 33, 34, 35]], paths=paths[:, :3]
    )
    panel = states(found)
    assert max(map(abs, (*panel.get_xlim(), *panel.get_ylim()))) < 50
    assert all(1 < len(line) < 40 for line in segments(*collections(panel)))
    assert entries(panel) == ["6 unbounded states"]


def test_saddles_are_open_with_a_line_along_each_unstable_direction() -> None:
    points = points_of_wells(2)
    panel = states(wells(2), points)
    *_, saddles, repeller = panel.lines
    expected = points.points[points.unstable == 1]
    assert (at(saddles) == expected.numpy()).all()
    assert saddles.get_markerfacecolor() == "white"
    assert (at(repeller) == 0).all() and repeller.get_marker() == "x"
    _, directions = collections(panel)
    for line, saddle in zip(segments(directions), expected.numpy(), strict=True):
        assert line.mean(0) == pytest.approx(saddle)
        along = line[1] - line[0]
        assert along[saddle != 0] == pytest.approx(0) and np.abs(along[saddle == 0]) > 0.05
    assert entries(panel)[1:] == ["4 saddles", "1 repeller"]


def test_a_saddle_shows_three_directions_at_most() -> None:
    jacobian = torch.diag(torch.tensor([1.9, 1.8, 1.7, 1.6, 1.5, 0.5]).double())
    saddle = fixed_points_at(torch.zeros(1, 6).double(), jacobian[None])
    _, directions = collections(states(wells(6), saddle))
    assert len(segments(directions)) == 3


def test_the_plane_is_that_of_the_states_whatever_lies_beside_it() -> None:
    far = fixed_points_at(100 * randn(7, 1, 3), torch.diag(torch.tensor([2.0, 0.5, 0.5]).double())[None])
    alone, beside = states(wells(3)), states(wells(3), far)
    assert [at(line).tolist() for line in beside.lines[:8]] == [at(line).tolist() for line in alone.lines]


def test_fixed_points_must_belong_to_the_states() -> None:
    with pytest.raises(ValueError, match="states of 3 units, but found has states of 2"):
        states(wells(2), points_of_wells(3))
    with pytest.raises(ValueError, match="same constant input, got \\[1.0\\] and \\[0.0\\]"):
        states(wells(2), replace(points_of_wells(2), u=torch.ones(1)))


def test_every_kind_that_goes_nowhere_has_its_own_mark() -> None:
    panel = states(replace(drift(), kinds=("held", "slow", "drift", "unbounded", "held", "drift")))
    assert entries(panel) == ["2 held states", "1 slow state", "2 drifting states", "1 unbounded state"]
    assert len({line.get_marker() for line in panel.lines}) == 4


def test_where_nothing_could_be_recorded_attractors_are_left() -> None:
    found = growing()
    nothing = replace(found, trajectory=found.trajectory[:0], paths=found.paths[:, :0], trace=Trace((), (), ()))
    assert [at(line)[0].tolist() for line in states(nothing).lines] == [[0, 0]]
    all_leave = replace(nothing, kinds=("unbounded",) * 6, attractors=(), labels=(-1,) * 6)
    assert entries(states(all_leave)) == ["6 unbounded states, 0 in view"]


def test_what_drifts_far_is_not_too_large() -> None:
    far = replace(drift(), trajectory=2.0**900 * drift().trajectory, paths=2.0**900 * drift().paths)
    near, panel = states(drift()), states(far)
    assert at(panel.lines[0]) == pytest.approx(2.0**900 * at(near.lines[0]))
