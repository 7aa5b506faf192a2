"""What is said of agents in a T-Maze, on runs made by hand."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from scripts import scripts
from studies.made_runs import in_maze

from multistable.experiments.results import Run


@pytest.fixture(scope="module")
def modules() -> Iterator[SimpleNamespace]:
    with scripts("mazes", "tables_t_maze") as found:
        yield found


@pytest.mark.parametrize(
    ("shares", "first", "again"),
    [
        ([0.0, 0.5, 0.98], None, []),
        ([0.0, 1.0, 0.98, 1.0, 1.0], 20, [False, True, True]),
        ([1.0, 0.0], 0, [False]),
        ([0.0, 0.0, 1.0], 40, []),
    ],
)
def test_optimality(shares: list[float], first: int | None, again: list[bool], modules: SimpleNamespace) -> None:
    run = in_maze(shares=shares)
    assert (modules.mazes.first_optimal(run), modules.mazes.optimal_again(run)) == (first, again)


@pytest.mark.parametrize(
    ("tested", "ends", "farther", "last"),
    [
        ([1.0, 1.0, 1.0], True, 2, True),
        ([1.0, 0.98, 0.5], True, 0, False),
        ([1.0, 0.5, 1.0], True, 1, True),
        ([0.5, 1.0, 0.5], False, 1, False),
    ],
)
def test_longer_corridors(tested: list[float], ends: bool, farther: int, last: bool, modules: SimpleNamespace) -> None:
    run, mazes = in_maze(tested=tested), modules.mazes
    assert (mazes.ends_optimal(run), mazes.optimal_in_longer(run), mazes.lasts(run)) == (ends, farther, last)


def of_kinds(cell: str, both: int, lasting: int, certified: int, neither: int) -> list[Run]:
    """So many runs that last and have several attractors, that do the one, the other, and neither."""
    kinds = [(1.0, 2)] * both + [(1.0, 1)] * lasting + [(0.5, 2)] * certified + [(0.5, 1)] * neither
    return [in_maze(cell, seed=seed, tested=(1.0, 1.0, far), count=count) for seed, (far, count) in enumerate(kinds)]


def test_difference_in_one_cell(modules: SimpleNamespace) -> None:
    # Four cups of eight: of the 70 choices, one has all four right, 16 three, 36 two.
    difference = modules.mazes.difference
    assert difference(of_kinds("gru", 4, 0, 0, 4)) == pytest.approx((2, 2 / 70))
    assert difference(of_kinds("gru", 0, 4, 4, 0)) == pytest.approx((-2, 2 / 70))
    assert difference(of_kinds("gru", 3, 1, 1, 3)) == pytest.approx((1, 2 * 17 / 70))
    assert difference(of_kinds("gru", 2, 2, 2, 2)) == (pytest.approx(0), 1)


def test_difference_between_cells_does_not_count(modules: SimpleNamespace) -> None:
    assert modules.mazes.difference(of_kinds("gru", 0, 0, 0, 9) + of_kinds("nbrc", 9, 0, 0, 0)) == (0, 1)
    # Two in one of two: each cell is right by chance in one of two cases, so both are in one of four.
    two = of_kinds("gru", 1, 0, 0, 1) + of_kinds("nbrc", 1, 0, 0, 1)
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
    runs = [*of_kinds("gru", *counts), in_maze("lstm", tested=(0.5, 0.5, 0.5), count=5)]
    assert modules.tables_t_maze.tells_who_lasts(runs) == said
