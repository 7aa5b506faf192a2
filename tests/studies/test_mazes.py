"""What is said of agents in a T-Maze, on runs made by hand."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scripts import scripts

from multistable.experiments.config import Config
from multistable.experiments.results import Run


@pytest.fixture(scope="module")
def modules() -> Iterator[SimpleNamespace]:
    with scripts("mazes", "tables_t_maze") as found:
        yield found


@pytest.mark.parametrize(
    ("shares", "tested", "facts"),
    [
        ([0.0, 0.5, 0.98], (1.0, 1.0, 1.0), ([], True, True, 2, True)),
        ([0.0, 1.0, 0.98, 1.0], (1.0, 0.98, 0.5), ([False, True], True, False, 0, False)),
        ([1.0, 0.0], (1.0, 0.5, 1.0), ([False], True, True, 1, False)),
        ([0.0, 1.0], (0.5, 1.0, 0.5), ([], False, False, 1, False)),
    ],
)
def test_facts(
    shares: list[float], tested: tuple[float, ...], facts: tuple[object, ...], modules: SimpleNamespace
) -> None:
    evaluation = [{"length": length, "metric": one} for length, one in zip((20, 100, 1000), tested, strict=True)]
    summary = {
        "test_metric": tested[0],
        "first_optimal": None,
        "evaluation": evaluation,
        "vaa": 0.5,
        "certified": 0.01,
        "traces": {"start": {"vaa": [1.0, 0.5]}},
        "attractors": {"count": 1, "shares": {}},
    }
    config = Config(task="t_maze", length=20, episodes=60, evaluation_lengths=(100, 1000))
    row = modules.mazes.in_maze(Run(config, summary, [{"validation_metric": share} for share in shares], Path()))
    said = ("again", "ends optimal", "lasts", "optimal in longer", "throughout")
    assert tuple(row[fact] for fact in said) == facts


def of_kinds(cell: str, both: int, lasting: int, certified: int, neither: int) -> list[dict[str, Any]]:
    """So many runs that last and have several attractors, that do the one, the other, and neither."""
    kinds = [(True, True)] * both + [(True, False)] * lasting + [(False, True)] * certified + [(False, False)] * neither
    return [{"cell": cell, "ends optimal": True, "lasts": lasts, "many": many} for lasts, many in kinds]


def test_difference_in_one_cell(modules: SimpleNamespace) -> None:
    # Four cups of eight: of the 70 choices, one has all four right, 16 three, 36 two.
    difference = modules.mazes.difference
    assert difference(of_kinds("GRU", 4, 0, 0, 4)) == pytest.approx((2, 2 / 70))
    assert difference(of_kinds("GRU", 0, 4, 4, 0)) == pytest.approx((-2, 2 / 70))
    assert difference(of_kinds("GRU", 3, 1, 1, 3)) == pytest.approx((1, 2 * 17 / 70))
    assert difference(of_kinds("GRU", 2, 2, 2, 2)) == (pytest.approx(0), 1)


def test_difference_between_cells_does_not_count(modules: SimpleNamespace) -> None:
    assert modules.mazes.difference(of_kinds("GRU", 0, 0, 0, 9) + of_kinds("nBRC", 9, 0, 0, 0)) == (0, 1)
    # Two in one of two: each cell is right by chance in one of two cases, so both are in one of four.
    two = of_kinds("GRU", 1, 0, 0, 1) + of_kinds("nBRC", 1, 0, 0, 1)
    assert modules.mazes.difference(two) == pytest.approx((1, 2 / 4))


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((4, 0, 0, 4), "supported (p = 0.029)"),
        ((0, 4, 4, 0), "contradicted (p = 0.029)"),
        ((1, 1, 1, 1), "open (p = 1)"),
        ((0, 0, 1, 1), "no cases"),
        ((0, 0, 0, 0), "no cases"),
    ],
)
def test_whether_what_is_certified_tells_who_lasts(
    counts: tuple[int, int, int, int], said: str, modules: SimpleNamespace
) -> None:
    # One that is not even optimal where it was trained has nothing to lose, and does not count.
    lost = {"cell": "LSTM", "ends optimal": False, "lasts": False, "many": True}
    assert modules.tables_t_maze.tells_who_lasts([*of_kinds("GRU", *counts), lost]) == said
