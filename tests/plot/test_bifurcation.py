from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from plot.by_hand import fixed_points_at
from plot.drawn import at, entries, texts
from torch import Tensor

from multistable._attractors.fixed_points_results import FixedPoints
from multistable.plot import bifurcation

PATH = torch.linspace(-1, 1, 81, dtype=torch.float64)[:, None]


@cache
def folds() -> list[FixedPoints]:
    """Of s' = tanh(2 s + u): two stable points and an unstable one for |u| below 0.53, beyond it one stable point."""
    found = []
    grid = np.linspace(-1, 1, 100_001)
    for u in PATH[:, 0].tolist():
        moves = np.sign(np.tanh(2 * grid + u) - grid)
        roots = torch.tensor(grid[:-1][moves[:-1] != moves[1:]])[:, None]
        found.append(fixed_points_at(roots, (2 * (1 - roots**2))[..., None]))
    return found


def points(*rows: Sequence[float], slope: float = 0.5) -> list[FixedPoints]:
    """Points in one dimension, in each row those that are given, all with the same derivative."""
    at = [torch.tensor(row, dtype=torch.float64).reshape(-1, 1) for row in rows]
    return [fixed_points_at(row, torch.full((len(row), 1, 1), slope).double()) for row in at]


def steps(count: int) -> Tensor:
    return torch.arange(count, dtype=torch.float64)[:, None]


def panel_of(u_path: Tensor, found: list[FixedPoints], unit: int = 0) -> Axes:
    (panel,) = bifurcation(u_path, found, unit=unit).axes
    return panel


def of_style(panel: Axes, style: str) -> list[Line2D]:
    return [line for line in panel.lines if line.get_linestyle() == style]


def test_two_solid_branches_and_a_dashed_one_between_two_folds() -> None:
    panel = panel_of(PATH, folds())
    lower, upper = sorted(of_style(panel, "-"), key=lambda line: at(line)[:, 1].mean())
    (between,) = of_style(panel, "--")
    assert len(panel.lines) == 3
    edge = np.sqrt(0.5)  # where the derivative is 1
    assert at(upper)[:, 1].min() > edge and at(lower)[:, 1].max() < -edge and np.abs(at(between)[:, 1]).max() < edge
    fold = 2 * edge - np.arctanh(edge)
    assert at(upper)[0, 0] == pytest.approx(-fold, abs=0.025) and at(upper)[-1, 0] == 1
    assert at(lower)[-1, 0] == pytest.approx(fold, abs=0.025) and at(lower)[0, 0] == -1
    for line in (lower, upper, between):
        u, s = at(line).T
        assert np.tanh(2 * s + u) == pytest.approx(s, abs=1e-4)
    assert entries(panel) == ["stable", "unstable"]
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("input 0", "unit 0")


def test_every_point_is_drawn_once() -> None:
    panel = panel_of(PATH, folds())
    drawn = np.concatenate([at(line) for line in panel.lines])
    expected = [(u, s) for u, one in zip(PATH[:, 0].tolist(), folds(), strict=True) for s in one.points[:, 0].tolist()]
    assert sorted(map(tuple, drawn.tolist())) == sorted(expected)


def test_what_can_not_be_joined_is_a_dot() -> None:
    (stable,) = panel_of(steps(3), points([1.0], [], [2.0])).lines
    assert at(stable).tolist() == [[0, 1], [2, 2]]
    assert stable.get_linestyle() == "None" and stable.get_markerfacecolor() == stable.get_color()
    (unstable,) = panel_of(steps(3), points([1.0], [], [2.0], slope=2.0)).lines
    assert unstable.get_markerfacecolor() == "white"


def test_neighbours_of_different_stability_are_not_joined() -> None:
    panel = panel_of(steps(2), [*points([1.0]), *points([1.1], slope=2.0)])
    assert len(panel.lines) == 2 and {line.get_linestyle() for line in panel.lines} == {"None"}


def test_branches_that_end_leave_their_neighbours_alone() -> None:
    panel = panel_of(steps(3), points([0.0, 1.0], [0.1, 1.1], [0.2]))
    assert sorted(at(line)[:, 1].tolist() for line in panel.lines) == [[0.0, 0.1, 0.2], [1.0, 1.1]]


def test_branches_may_cross_in_one_unit_but_not_in_all() -> None:
    across = [torch.tensor([[-0.3 + 0.1 * k, 1.0], [0.3 - 0.1 * k, -1.0]]).double() for k in range(7)]
    found = [fixed_points_at(one, (0.5 * torch.eye(2)).double().expand(2, -1, -1)) for one in across]
    panel = panel_of(steps(7), found)
    assert sorted(np.sign(np.diff(at(line)[:, 1])).tolist() for line in panel.lines) == [[-1] * 6, [1] * 6]
    other = panel_of(steps(7), found, unit=1)
    assert sorted(at(line)[0, 1] for line in other.lines) == [-1, 1]
    assert other.get_ylabel() == "unit 1"


def test_the_input_that_varies_is_the_horizontal_axis() -> None:
    found = points([0.0], [0.0], [0.0])
    one = panel_of(torch.tensor([[5.0, 0.25], [5.0, 0.5], [5.0, 1.0]]), found)
    assert one.get_xlabel() == "input 1" and at(one.lines[0])[:, 0].tolist() == [0.25, 0.5, 1.0]
    both = panel_of(torch.tensor([[5.0, 0.25], [6.0, 0.5], [7.0, 1.0]]), found)
    none = panel_of(torch.ones(3, 2), found)
    for panel in (both, none):
        assert panel.get_xlabel() == "row of u_path" and at(panel.lines[0])[:, 0].tolist() == [0, 1, 2]


def test_without_points_it_says_so() -> None:
    panel = panel_of(steps(2), points([], []))
    assert texts(panel) == ["no fixed point found"] and len(panel.lines) == 0


def test_a_panel_of_ones_own_is_drawn_in() -> None:
    figure = Figure()
    _, panel = figure.subplots(1, 2)
    assert bifurcation(PATH, folds(), ax=panel) is figure
    assert len(panel.lines) == 3


def test_what_can_not_be_drawn_is_named() -> None:
    with pytest.raises(ValueError, match="each of 2 inputs, got 1"):
        bifurcation(steps(2), points([0.0]))
    with pytest.raises(ValueError, match="at least one row"):
        bifurcation(torch.zeros(0, 1), [])
    with pytest.raises(ValueError, match=r"shape \(K, I\).*got \(3,\)"):
        bifurcation(torch.zeros(3), points([0.0], [0.0], [0.0]))
    with pytest.raises(ValueError, match="unit must be below 1, the size of the state, got 1"):
        bifurcation(steps(1), points([0.0]), unit=1)
    with pytest.raises(ValueError, match="unit must be at least 0"):
        bifurcation(steps(1), points([0.0]), unit=-1)
    with pytest.raises(TypeError, match="unit must be an int"):
        bifurcation(steps(1), points([0.0]), unit=0.0)  # type: ignore[arg-type]
    two = fixed_points_at(torch.zeros(1, 2).double(), torch.zeros(1, 2, 2).double())
    with pytest.raises(ValueError, match=r"one size, got sizes \[1, 2\]"):
        bifurcation(steps(2), [*points([0.0]), two])
