"""The page on the T-Maze is made from the runs in results/, by definitions that are tried on runs made by hand."""

from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from scripts import scripts

from multistable.experiments.config import Config, variant_keys
from multistable.experiments.results import Run
from multistable.experiments.sweep import read_sweep

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def modules() -> Iterator[SimpleNamespace]:
    with scripts("maze_results", "maze_claims", "maze_curves", "mazes", "pages") as found:
        yield found


@pytest.fixture(scope="module")
def found(modules: SimpleNamespace) -> list[list[Run]]:
    there: list[list[Run]] = modules.pages.found_runs([modules.maze_results.TASK])
    return there


def made(
    cell: str = "gru",
    variant: str = "plain",
    seed: int = 0,
    shares: Sequence[float] = (0.0, 0.5, 0.5, 0.5),
    tested: Sequence[float] = (0.5, 0.5, 0.5),
    vaa: tuple[float, float] = (0.01, 0.01),
    count: int = 1,
) -> Run:
    """A run with these shares of optimal rollouts, in evaluations and then in corridors of 20, 100 and 1,000 steps."""
    last = len(shares) - 1
    rows: list[dict[str, float | None]] = [
        {
            "epoch": float(epoch),
            "episodes": 20.0 * epoch,
            "validation_metric": share,
            "vaa": vaa[0] if epoch == 0 else vaa[1] if epoch == last else None,
        }
        for epoch, share in enumerate(shares)
    ]
    summary = {
        "test_metric": tested[0],
        "first_optimal": next((20 * epoch for epoch, share in enumerate(shares) if share == 1), None),
        "evaluation": [
            {"length": length, "metric": share} for length, share in zip((20, 100, 1000), tested, strict=True)
        ],
        "vaa": vaa[1],
        "certified": count / 100,
        "traces": {"start": {"horizons": [1, 2], "vaa": [1.0, vaa[0]]}},
        "attractors": {"count": count, "shares": {"equilibrium": 0.25, "slow": 0.75}},
    }
    keys = variant_keys(variant)
    config = Config(
        task="t_maze", length=20, episodes=20 * last, cell=cell, **keys, seed=seed, evaluation_lengths=(100, 1000)
    )
    return Run(config, summary, rows, Path())


def test_the_page_is_made_from_the_runs(modules: SimpleNamespace, found: list[list[Run]]) -> None:
    assert (ROOT / "docs" / "results-t-maze.md").read_text() == modules.maze_results.page(found)


def test_the_figures_are_of_as_many_runs(modules: SimpleNamespace, found: list[list[Run]]) -> None:
    for runs in found:
        with Image.open(ROOT / "docs" / modules.pages.picture(runs)) as picture:
            assert picture.info["Description"] == f"{len(runs)} runs"


def test_every_run_is_one_of_its_sweep(modules: SimpleNamespace, found: list[list[Run]]) -> None:
    asked = read_sweep(ROOT / modules.maze_results.SWEEP).configs
    for run in (run for runs in found for run in runs):
        assert run.config in asked
        assert run.folder == ROOT / "results" / run.config.name
        assert run.config.episodes is not None
        assert [row["epoch"] for row in run.rows] == list(range(ceil(run.config.episodes / 20) + 1))
        optimal = [row["episodes"] for row in run.rows if row["validation_metric"] == 1]
        assert run.summary["first_optimal"] == (optimal[0] if optimal else None)
        assert run.summary["evaluation"][0] == {"length": run.config.length, "metric": run.summary["test_metric"]} | {
            "chance": 0.5
        }


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
    run = made(shares=shares)
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
    run, mazes = made(tested=tested), modules.mazes
    assert (mazes.ends_optimal(run), mazes.optimal_in_longer(run), mazes.lasts(run)) == (ends, farther, last)
    assert mazes.longer(run) == {100: tested[1], 1000: tested[2]}


def of_kinds(cell: str, both: int, lasting: int, certified: int, neither: int) -> list[Run]:
    """So many runs that last and have several attractors, that do the one, the other, and neither."""
    kinds = [(1.0, 2)] * both + [(1.0, 1)] * lasting + [(0.5, 2)] * certified + [(0.5, 1)] * neither
    return [made(cell, seed=seed, tested=(1.0, 1.0, far), count=count) for seed, (far, count) in enumerate(kinds)]


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


def test_what_is_said_of_the_claims(modules: SimpleNamespace) -> None:
    at_20, at_40, never = ([0.0, 1.0, 0.5, 0.5], [0.0, 0.5, 1.0, 1.0], [0.0, 0.5, 0.5, 0.5])
    runs = [
        made("gru", "plain", 0, at_40, [1.0, 0.5, 0.5], (0.01, 0.6)),
        made("gru", "plain", 1, never),
        made("gru", "warmup", 0, at_20, [1.0, 1.0, 0.5]),
        made("gru", "warmup", 1, at_40, [1.0, 0.5, 0.5]),
        made("gru", "double+warmup", 0, at_40),
        made("lstm", "plain", 0, never),
        made("lstm", "warmup", 0, never),
        made("nbrc", "plain", 0, at_20, [1.0, 1.0, 1.0], (0.6, 0.62)),
        made("nbrc", "warmup", 0, never),
    ]
    assert [(name, tally.verdict, words) for name, tally, words in modules.maze_claims.claims(runs)] == [
        (
            "`warmup` is optimal sooner than `plain`",
            "open",
            "Optimal after fewer episodes in 2 of 3 pairs (GRU 2), after more in 1 (nBRC 1). In 1 more, neither ever "
            "was.",
        ),
        (
            "`double+warmup` is optimal sooner than `plain`",
            "open",
            "Optimal after fewer episodes in 0 of 1 pairs, after as many in 1 (GRU 1).",
        ),
        (
            "`warmup` is optimal in more of the longer mazes than `plain`",
            "open",
            "Optimal in more of the longer mazes in 1 of 4 pairs (GRU 1), in fewer in 1 (nBRC 1), in as many in 2 "
            "(GRU 1, LSTM 1).",
        ),
        (
            "`double+warmup` is optimal in more of the longer mazes than `plain`",
            "open",
            "Optimal in more of the longer mazes in 0 of 1 pairs, in as many in 1 (GRU 1).",
        ),
        (
            "VAA rises as `plain` networks learn",
            "open",
            "Where the policy was ever optimal, VAA rose in 1 of 2 runs (GRU 1), stayed in 1 (nBRC 1). In the mean "
            "from 0.30 to 0.61. Where it never was, VAA rose in 0 of 2 runs, stayed in 2 (GRU 1, LSTM 1). In the mean "
            "from 0.01 to 0.01.",
        ),
    ]
    assert modules.maze_claims.stability(runs) == (
        "After the first optimal evaluation, 3 of 7 were optimal again. Of the 5 networks that were ever optimal, 3 "
        "stayed so at every evaluation since (GRU 3), and 4 are so in the test after training (GRU 3, nBRC 1)."
    )


def test_what_is_said_of_longer_corridors(modules: SimpleNamespace) -> None:
    runs = [
        made(tested=(1.0, 1.0, 1.0)),
        made("nbrc", tested=(1.0, 0.5, 1.0)),
        made(tested=(1.0, 1.0, 0.5)),
        made(tested=(0.5, 0.5, 1.0)),
    ]
    said = modules.maze_claims.lasting
    assert said(runs) == (
        "Of the 3 networks that are optimal at 20 after training, still optimal are 2 at 100, 2 at 1,000; at all of "
        "these lengths 1 (GRU 1). Optimal at 1,000 though not at a length in between: 1. Optimal at 1,000 though not "
        "at 20: 1 more."
    )
    assert said(runs[2:3]).endswith("at all of these lengths none.")
    assert said(runs[3:]) == "No network is optimal in the corridor that it was trained in."


@pytest.mark.parametrize(
    ("counts", "verdict", "words"),
    [
        (
            (4, 0, 0, 4),
            "supported",
            "in 4 of the 4 (GRU 4 of 4) that are optimal at 20 and at 1,000, and in 0 of the 4 (GRU 0 of 4) that are "
            "optimal at 20 and not there. Cell by cell, chance brings such a difference with probability 0.029.",
        ),
        (
            (0, 4, 4, 0),
            "contradicted",
            "in 0 of the 4 (GRU 0 of 4) that are optimal at 20 and at 1,000, and in 4 of the 4 (GRU 4 of 4) that are "
            "optimal at 20 and not there. Cell by cell, chance brings such a difference with probability 0.029.",
        ),
        (
            (1, 1, 1, 1),
            "open",
            "in 1 of the 2 (GRU 1 of 2) that are optimal at 20 and at 1,000, and in 1 of the 2 (GRU 1 of 2) that are "
            "optimal at 20 and not there. Cell by cell, chance brings such a difference with probability 1.",
        ),
        (
            (0, 0, 1, 1),
            "no cases",
            "in 0 of the 0 that are optimal at 20 and at 1,000, and in 1 of the 2 (GRU 1 of 2) that are optimal at 20 "
            "and not there. So there is nothing to compare.",
        ),
    ],
)
def test_what_is_said_of_what_is_certified(
    counts: tuple[int, int, int, int], verdict: str, words: str, modules: SimpleNamespace
) -> None:
    # One that is not even optimal where it was trained has nothing to lose, and does not count.
    runs = [*of_kinds("gru", *counts), made("lstm", tested=(0.5, 0.5, 0.5), count=5)]
    assert modules.maze_claims.certified(runs) == (verdict, f"Two attractors or more are certified {words}")


def test_tables(modules: SimpleNamespace) -> None:
    runs = [
        made("gru", "plain", 0, [0.0, 1.0, 0.5, 1.0], [1.0, 0.5, 0.0], (0.01, 0.8), 2),
        made("gru", "plain", 1, [0.0, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5], (0.01, 0.02), 0),
        made("lstm", "warmup", 0, [0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0], (0.9, 0.7), 3),
        made("nbrc", "warmup", 0, vaa=(0.9, 0.7)),
    ]
    assert modules.maze_results.outcomes(runs).replace("&nbsp;", " ").splitlines()[2:] == [
        "| GRU, plain | 1 of 2 | 20, – | 50 % | 0.01 → 0.41 | 0.01 |",
        "| LSTM, warmup | 1 of 1 | 60 |  | 0.90 → 0.70 | 0.03 |",
        "| nBRC, warmup | 0 of 1 | – |  | 0.90 → 0.70 | 0.01 |",
    ]
    assert modules.maze_results.lengths(runs).replace("&nbsp;", " ").splitlines() == [
        "|  | L 20 | L 100 | L 1,000 |",
        "| --- | ---: | ---: | ---: |",
        "| GRU, plain | 1 of 2, 75 % | 0 of 2, 50 % | 0 of 2, 25 % |",
        "| LSTM, warmup | 1 of 1, 100 % | 1 of 1, 100 % | 1 of 1, 100 % |",
        "| nBRC, warmup | 0 of 1, 50 % | 0 of 1, 50 % | 0 of 1, 50 % |",
    ]
    assert modules.maze_results.who_lasts(runs[:2]).splitlines()[2:] == [
        "| optimal at 20 and 1,000 | 0 |  |  |  |  |",
        "| optimal at 20, not at 1,000 | 1 | 0.80 | 0.02 | 1 | 25 % at rest, 75 % slow |",
        "| not optimal at 20 | 1 | 0.02 | 0.00 | 0 | 25 % at rest, 75 % slow |",
    ]


def test_what_is_said_of_missing_runs(modules: SimpleNamespace) -> None:
    plan = [Config(task="t_maze", length=length, seed=seed) for length in (20, 50) for seed in (0, 1)]
    there = [Run(plan[0], {}, [], Path())]
    assert modules.maze_results.missing(plan, there).splitlines() == [
        "- L 20: 1 of 2 runs are there. Missing: GRU, plain (seed 1).",
        "- L 50: none of 2 runs is there yet.",
    ]


def test_a_page_without_runs(modules: SimpleNamespace) -> None:
    assert "- L 20: none of 45 runs is there yet." in modules.maze_results.page([])


def test_curves_are_shares_of_seeds(modules: SimpleNamespace) -> None:
    runs = [
        made("gru", "plain", 0, [0.0, 1.0, 0.5, 1.0], vaa=(0.1, 0.2)),
        made("gru", "plain", 1, [0.0, 0.5, 1.0, 0.5], vaa=(0.3, 0.6)),
        made("nbrc", "warmup", 0, [0.0, 0.5, 0.5, 0.5]),
    ]
    above, other, below, _ = modules.maze_curves.curves(runs).axes
    assert [axes.get_title(loc="left") for axes in (above, other)] == ["GRU", "nBRC"]
    now, ever = above.lines
    assert list(now.get_ydata()) == [0, 0.5, 0.5, 0.5] and list(ever.get_ydata()) == [0, 0.5, 1, 1]
    assert list(other.lines[1].get_ydata()) == [0] * 4
    (vaa,) = below.lines
    assert vaa.get_ydata() == pytest.approx([0.2, 0.4]) and list(vaa.get_xdata()) == [0, 60]
