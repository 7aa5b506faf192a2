import numpy as np
import pytest

from multistable.plot import learning_curves


def test_learning_curves_average_over_the_window() -> None:
    (axes,) = learning_curves({"a": [4.0, 2.0, 1.0, 1.0]}, chance=2.0, window=2).axes
    chance, curve = axes.lines
    assert np.asarray(curve.get_xdata()).tolist() == [2, 3, 4]
    assert np.asarray(curve.get_ydata()).tolist() == pytest.approx([3.0, 1.5, 1.0])
    assert np.asarray(chance.get_ydata()).tolist() == [2, 2]
