from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver
from plot.by_hand import wells
from plot.drawn import at, entries
from torch import nn

from multistable.dynamics import Dynamics, dynamics
from multistable.plot import vector_field
from multistable.plot._plane import Points
from multistable.plot._style import COLOURS


def two_wells() -> Dynamics:
    """The map of `wells`, to whose units the input is added."""
    module = nn.RNN(1, 2, bias=False)
    with torch.no_grad():
        module.get_parameter("weight_ih_l0").fill_(1.0)
        module.get_parameter("weight_hh_l0").copy_(2 * torch.eye(2))
    (layer,) = dynamics(module)
    return layer


def arrows(panel: Axes) -> tuple[Points, Points]:
    """Where they begin, and what they are, both (P, 2)."""
    (field,) = (one for one in panel.collections if isinstance(one, Quiver))
    return np.asarray(field.get_offsets()), np.stack([field.U, field.V], 1)


@pytest.mark.parametrize("u", [0.0, 0.7])
def test_arrows_are_what_a_step_adds(u: float) -> None:
    (panel,) = vector_field(two_wells(), u=torch.tensor([u])).axes
    s, moves = arrows(panel)
    assert moves == pytest.approx(np.tanh(2 * s + u) - s, abs=1e-6)


def test_without_an_input_it_is_zero_or_that_of_what_was_found() -> None:
    (panel,) = vector_field(two_wells()).axes
    s, moves = arrows(panel)
    assert moves == pytest.approx(np.tanh(2 * s) - s, abs=1e-6)
    (panel,) = vector_field(two_wells(), found=replace(wells(2), u=torch.tensor([0.4]).double())).axes
    s, moves = arrows(panel)
    assert moves == pytest.approx(np.tanh(2 * s + 0.4) - s, abs=1e-6)


def test_arrows_keep_their_directions_in_the_panel() -> None:
    (panel,) = vector_field(two_wells()).axes
    (field,) = (one for one in panel.collections if isinstance(one, Quiver))
    assert (field.angles, field.scale_units) == ("xy", "xy")
    assert panel.get_aspect() == 1


def test_the_grid_fills_the_extent() -> None:
    (panel,) = vector_field(two_wells(), extent=(-2, 1, 0, 3)).axes
    s, _ = arrows(panel)
    assert s.min(0).tolist() == [-2, 0] and s.max(0).tolist() == [1, 3]
    assert panel.get_xlim() == (-2, 1) and panel.get_ylim() == (0, 3)


def test_attractors_lie_on_top_and_all_states_in_the_extent() -> None:
    found = wells(2)
    (panel,) = vector_field(two_wells(), found=found).axes
    assert [at(mark)[0].tolist() for mark in panel.lines] == [one.state.tolist() for one in found.attractors]
    assert [mark.get_color() for mark in panel.lines] == list(COLOURS[:4])
    assert all(mark.get_zorder() > panel.collections[0].get_zorder() for mark in panel.lines)
    assert entries(panel) == ["4 stable equilibria, time constants up to 0.56 steps"]
    low, high = (torch.tensor(ends) for ends in zip(panel.get_xlim(), panel.get_ylim(), strict=True))
    assert ((found.trajectory > low) & (found.trajectory < high)).all()


def test_growth_does_not_widen_the_extent() -> None:
    far = wells(2).trajectory.clone()
    far[-1, 0] = 1e200
    one_leaves = replace(wells(2), trajectory=far, kinds=("unbounded", *wells(2).kinds[1:]))
    (panel,) = vector_field(two_wells(), found=one_leaves).axes
    assert max(map(abs, (*panel.get_xlim(), *panel.get_ylim()))) < 2
    all_leave = replace(one_leaves, kinds=("unbounded",) * 8, attractors=(), labels=(-1,) * 8)
    (panel,) = vector_field(two_wells(), found=all_leave).axes
    assert panel.get_xlim() == panel.get_ylim() == (-1.2, 1.2)


def test_where_nothing_moves_there_are_no_arrows() -> None:
    class Still(Dynamics):
        parameters = two_wells().parameters

        def step(self, s: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
            return s

    figure = vector_field(Still("still", 1, 2))
    figure.draw_without_rendering()
    assert (arrows(figure.axes[0])[1] == 0).all()


def test_a_panel_of_ones_own_is_drawn_in() -> None:
    figure = Figure()
    _, panel = figure.subplots(1, 2)
    assert vector_field(two_wells(), ax=panel) is figure
    assert len(panel.collections) == 1


def test_what_can_not_be_drawn_is_named() -> None:
    (three,) = dynamics(nn.GRU(1, 3))
    with pytest.raises(ValueError, match="two units, but 'l0' has a state of 3"):
        vector_field(three)
    with pytest.raises(TypeError, match="layer must be a Dynamics.*got GRU"):
        vector_field(nn.GRU(1, 2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"u must have shape \(1,\), got \(2,\)"):
        vector_field(two_wells(), u=torch.zeros(2))
    with pytest.raises(ValueError, match="units, but found has states of 3"):
        vector_field(two_wells(), found=wells(3))
    with pytest.raises(ValueError, match="same constant input"):
        vector_field(two_wells(), u=torch.ones(1), found=wells(2))
    with pytest.raises(ValueError, match="left < right"):
        vector_field(two_wells(), extent=(1, -1, 0, 1))
