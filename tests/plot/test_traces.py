import numpy as np
import torch
from plot.drawn import entries
from torch import nn

from multistable import measure, warmup
from multistable._measure import Trace
from multistable.plot import traces


def test_traces_draw_every_horizon() -> None:
    found = measure(nn.GRU(1, 4, num_layers=2), torch.randn(5, 20, 1), horizon=300, generator=0)
    scores, residuals = found.plot().axes
    assert [line.get_label() for line in scores.lines] == ["network", "l0", "l1"]
    assert tuple(np.asarray(scores.lines[0].get_xdata()).tolist()) == found.trace.horizons
    assert tuple(np.asarray(scores.lines[0].get_ydata()).tolist()) == found.trace.vaa
    assert tuple(np.asarray(residuals.lines[2].get_ydata()).tolist()) == found.per_layer[1].trace.residual
    assert residuals.get_ylim()[0] == 0


def test_a_warmup_draws_before_and_after() -> None:
    result = warmup(nn.GRU(1, 4), torch.randn(5, 20, 1), steps=1, horizon=10, generator=0)
    scores, _ = result.plot().axes
    assert tuple(np.asarray(scores.lines[0].get_ydata()).tolist()) == result.before.trace.vaa
    assert tuple(np.asarray(scores.lines[1].get_ydata()).tolist()) == result.after.trace.vaa


def test_more_traces_than_colours() -> None:
    scores, _ = traces({str(k): Trace((1, 2), (1.0, k / 9), (2.0, 1.0)) for k in range(9)}).axes
    assert [line.get_label() for line in scores.lines] == [str(k) for k in range(9)]


def test_a_network_of_one_layer_shares_its_line() -> None:
    found = measure(nn.GRU(1, 4), torch.randn(5, 20, 1), horizon=10, generator=0)
    figure = found.plot()
    scores, residuals = figure.axes
    assert [line.get_label() for line in scores.lines] == ["network and l0"] == entries(figure)
    assert len(residuals.lines) == 1


def test_all_that_are_equal_share_a_line() -> None:
    trace, other = Trace((1, 2), (1.0, 0.5), (2.0, 1.0)), Trace((1, 2), (1.0, 0.5), (2.0, 1.5))
    assert entries(traces({"a": trace, "b": other, "c": trace, "d": trace})) == ["a, c and d", "b"]


def test_residuals_leave_room_above_and_begin_at_zero() -> None:
    trace = Trace((1, 2, 4), (1.0, 1.0, 1.0), (2.0, 2.1, 2.0))
    _, residuals = traces({"network": trace}).axes
    bottom, top = residuals.get_ylim()
    assert bottom == 0
    assert top > 2 * 2.1  # on this scale, eight hundredths of the height are more than a factor of two
