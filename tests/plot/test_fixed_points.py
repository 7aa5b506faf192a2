from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from plot.by_hand import fixed_points_at, points_of_wells, randn, rotation
from plot.drawn import at, collections, distances, entries, segments, texts
from torch import Tensor

from multistable._attractors.fixed_points_results import FixedPoints
from multistable.plot import fixed_points


def panel_of(found: FixedPoints) -> Axes:
    (panel,) = fixed_points(found).axes
    return panel


def diagonal(*entries: float) -> Tensor:
    return torch.diag(torch.tensor(entries, dtype=torch.float64))[None]


def filled(mark: Line2D) -> bool:
    return mark.get_markerfacecolor() == mark.get_color()


def test_each_kind_has_its_mark_where_it_lies() -> None:
    found = points_of_wells(2)
    stable, saddles, repeller = panel_of(found).lines
    for mark, unstable in ((stable, 0), (saddles, 1), (repeller, 2)):
        assert (at(mark) == found.points[found.unstable == unstable].numpy()).all()
    assert filled(stable) and not filled(saddles)
    assert repeller.get_marker() == "x"
    assert {mark.get_linestyle() for mark in (stable, saddles, repeller)} == {"None"}


def test_the_legend_counts() -> None:
    found = replace(points_of_wells(2), slow_points=randn(0, 2, 2))
    assert entries(panel_of(found)) == ["4 stable fixed points", "4 saddles", "1 repeller", "2 slow points"]
    one = fixed_points_at(torch.zeros(1, 2).double(), diagonal(0.5, 0.1), slow=torch.ones(1, 2).double())
    assert entries(panel_of(one)) == ["1 stable fixed point", "1 slow point"]


def test_slow_points_are_small_grey_squares() -> None:
    slow = randn(0, 3, 2)
    *_, mark = panel_of(replace(points_of_wells(2), slow_points=slow)).lines
    assert (at(mark) == slow.numpy()).all()
    assert (mark.get_marker(), mark.get_color()) == ("s", "#7f7f7f")
    assert mark.get_markersize() < 5


def test_what_is_neither_stable_nor_unstable_is_half_filled() -> None:
    panel = panel_of(fixed_points_at(torch.zeros(1, 2).double(), diagonal(1.0, 0.1)))
    (mark,) = panel.lines
    assert mark.get_fillstyle() == "left"
    assert entries(panel) == ["1 neutral fixed point"]


def test_many_units_are_drawn_in_principal_components() -> None:
    plane, _ = torch.linalg.qr(randn(0, 7, 7))
    points = points_of_wells(2).points @ plane[:2] + 1
    found = fixed_points_at(points, diagonal(*[0.5] * 7).expand(9, -1, -1))
    (mark,) = panel_of(found).lines
    np.testing.assert_allclose(distances(at(mark)), distances(points.numpy()), atol=1e-12)


def test_directions_that_leave_the_plane_are_shorter() -> None:
    # Four stable points span the plane of the first two units; the saddle's direction points partly out of it.
    points = torch.tensor([[1, 1, 0], [1, -1, 0], [-1, 1, 0], [-1, -1, 0], [0, 0, 0]]).double()
    points = points + torch.tensor([[0.5, 0, 0]]).double() * points[:, :1]
    stable = diagonal(0.5, 0.5, 0.5).expand(4, -1, -1)
    drawn = []
    for direction in ([1.0, 0.0, 0.0], [0.6, 0.0, 0.8], [0.0, 0.0, 1.0]):
        along = torch.tensor(direction).double()
        saddle = 0.5 * torch.eye(3).double() + torch.outer(along, along)
        drawn.append(collections(panel_of(fixed_points_at(points, torch.cat([stable, saddle[None]])))))
    ((straight,),), ((tilted,),) = (list(map(segments, one)) for one in drawn[:2])
    assert straight.mean(0) == pytest.approx(0) and tilted.mean(0) == pytest.approx(0)
    assert np.ptp(straight[:, 1]) == pytest.approx(0) and np.ptp(tilted[:, 1]) == pytest.approx(0)
    assert np.ptp(tilted[:, 0]) == pytest.approx(0.6 * np.ptp(straight[:, 0]))
    assert all(np.ptp(line) < 1e-9 for one in drawn[2] for line in segments(one))


def test_a_complex_pair_spans_a_plane() -> None:
    jacobian = torch.block_diag(rotation(1.0, 1.5), torch.tensor([[0.5]]).double())
    points = torch.cat([3 * randn(1, 4, 3), torch.zeros(1, 3).double()])
    found = fixed_points_at(points, torch.cat([diagonal(0.1, 0.1, 0.1).expand(4, -1, -1), jacobian[None]]))
    (directions,) = collections(panel_of(found))
    assert len(segments(directions)) == 2


def test_a_single_unit_lies_on_a_line() -> None:
    panel = panel_of(points_of_wells(1))
    stable, repeller = panel.lines
    assert np.sort(at(stable)[:, 0]) == pytest.approx([-0.9575, 0.9575], abs=1e-4)
    assert at(repeller).tolist() == [[0, 0]]
    assert panel.get_xlabel() == "unit 0" and panel.get_yticks().tolist() == []


@pytest.mark.parametrize("size", [1, 2, 5])
def test_without_points_it_says_so(size: int) -> None:
    found = fixed_points_at(torch.zeros(0, size).double(), torch.zeros(0, size, size).double())
    figure = fixed_points(found)
    (panel,) = figure.axes
    assert texts(panel) == ["no fixed point found"]
    assert panel.get_legend() is None and len(panel.lines) == 0
    figure.draw_without_rendering()


def test_slow_points_alone_are_drawn() -> None:
    found = fixed_points_at(torch.zeros(0, 2).double(), torch.zeros(0, 2, 2).double(), slow=randn(0, 4, 2))
    panel = panel_of(found)
    assert texts(panel) == ["no fixed point found"]
    assert entries(panel) == ["4 slow points"]


def test_one_saddle_alone() -> None:
    panel = panel_of(fixed_points_at(torch.ones(1, 2).double(), diagonal(2.0, 0.5)))
    ((line,),) = map(segments, collections(panel))
    left, right = panel.get_xlim()
    assert left < line[:, 0].min() < 1 < line[:, 0].max() < right


def test_a_panel_of_ones_own_is_drawn_in() -> None:
    figure = Figure()
    _, panel = figure.subplots(1, 2)
    assert fixed_points(points_of_wells(2), ax=panel) is figure
    assert len(panel.lines) == 3
    assert len(points_of_wells(2).plot().axes) == 1
