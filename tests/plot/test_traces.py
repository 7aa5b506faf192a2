import numpy as np
import torch
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
    trace = measure(nn.GRU(1, 4), torch.randn(5, 20, 1), horizon=2).trace
    scores, _ = traces({str(k): trace for k in range(9)}).axes
    assert len(scores.lines) == 9


def test_residuals_leave_room_above_and_begin_at_zero() -> None:
    trace = Trace((1, 2, 4), (1.0, 1.0, 1.0), (2.0, 2.1, 2.0))
    _, residuals = traces({"network": trace}).axes
    bottom, top = residuals.get_ylim()
    assert bottom == 0
    assert top > 2 * 2.1  # on this scale, eight hundredths of the height are more than a factor of two
