"""What is drawn of runs made by hand."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from scripts import scripts
from studies.made_runs import in_maze, supervised


@pytest.fixture(scope="module")
def modules() -> Iterator[SimpleNamespace]:
    with scripts("curves", "maze_curves") as found:
        yield found


def test_curves_are_means_of_a_cell_and_variant(modules: SimpleNamespace) -> None:
    runs = [
        supervised("gru", "plain", 0, [1.0, 0.4], [0.1, 0.2]),
        supervised("gru", "plain", 1, [0.8, 0.2], [0.3, 0.6]),
        supervised("gru", "warmup", 0, [0.8, 0.01], [0.3, None]),
        supervised("lstm", "chrono", 0, [1.0, 0.9], [0.1, 0.1]),
    ]
    above, chrono, below, _ = modules.curves.curves(runs).axes
    assert [axes.get_title(loc="left") for axes in (above, chrono)] == ["GRU", "chrono LSTM"]
    assert above.get_ylim() == chrono.get_ylim()
    _, plain, warm = above.lines  # chance comes first
    assert plain.get_ydata() == pytest.approx([0.9, 0.3]) and warm.get_ydata() == pytest.approx([0.8, 0.01])
    plain, warm = below.lines
    assert plain.get_ydata() == pytest.approx([0.2, 0.4]) and list(warm.get_xdata()) == [0]


def test_curves_are_shares_of_seeds(modules: SimpleNamespace) -> None:
    runs = [
        in_maze("gru", "plain", 0, [0.0, 1.0, 0.5, 1.0], vaa=(0.1, 0.2)),
        in_maze("gru", "plain", 1, [0.0, 0.5, 1.0, 0.5], vaa=(0.3, 0.6)),
        in_maze("nbrc", "warmup", 0, [0.0, 0.5, 0.5, 0.5]),
    ]
    above, other, below, _ = modules.maze_curves.curves(runs).axes
    now, ever = above.lines
    assert list(now.get_ydata()) == [0, 0.5, 0.5, 0.5] and list(ever.get_ydata()) == [0, 0.5, 1, 1]
    assert list(other.lines[1].get_ydata()) == [0] * 4
    (vaa,) = below.lines
    assert vaa.get_ydata() == pytest.approx([0.2, 0.4]) and list(vaa.get_xdata()) == [0, 60]
