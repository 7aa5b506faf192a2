import numpy as np
import pytest
import torch
from torch import nn

from multistable import measure, warmup
from multistable.plot import learning_curves, traces


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


def test_learning_curves_average_over_the_window() -> None:
    (axes,) = learning_curves({"a": [4.0, 2.0, 1.0, 1.0]}, chance=2.0, window=2).axes
    chance, curve = axes.lines
    assert np.asarray(curve.get_xdata()).tolist() == [2, 3, 4]
    assert np.asarray(curve.get_ydata()).tolist() == pytest.approx([3.0, 1.5, 1.0])
    assert np.asarray(chance.get_ydata()).tolist() == [2, 2]
