"""The page of T-Maze results is made from the runs in results/, by definitions that are tried on runs made by hand."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from benchmark_modules import ROOT, benchmark_modules
from PIL import Image

from multistable.experiments.config import Config, variant_keys
from multistable.experiments.results import Run
from multistable.experiments.sweep import read_sweep


@pytest.fixture(scope="module")
def modules() -> Iterator[SimpleNamespace]:
    with benchmark_modules("mazes") as found:
        yield found


@pytest.fixture(scope="module")
def found(modules: SimpleNamespace) -> list[list[Run]]:
    there: list[list[Run]] = modules.mazes.found_runs()
    return there


def made(
    variant: str = "plain",
    optimal: Sequence[float] = (0.0, 0.5, 0.5),
    longer: Sequence[float] = (0.0, 0.0),
    seed: int = 0,
    count: int = 1,
) -> Run:
    """A run whose evaluations found these shares of optimal rollouts, and these at L 100 and 1,000 in the end."""
    config = Config(task="t_maze", length=20, episodes=20 * len(optimal) - 20, **variant_keys(variant), seed=seed)
    rows: list[dict[str, float | None]] = [
        {"epoch": float(epoch), "episodes": 20.0 * epoch, "validation_metric": share, "vaa": 0.1}
        for epoch, share in enumerate(optimal)
    ]
    first = next((20 * epoch for epoch, share in enumerate(optimal) if share == 1), None)
    shares = zip((20, 100, 1000), (optimal[-1], *longer), strict=True)
    summary = {
        "first_optimal": first,
        "evaluation": [{"length": length, "metric": metric} for length, metric in shares],
        "vaa": 0.1,
        "certified": 0.02,
        "traces": {"start": {"horizons": [1], "vaa": [0.5]}},
        "attractors": {"count": count, "shares": {"equilibrium": 0.25}},
    }
    return Run(config, summary, rows, Path())


def test_the_page_is_made_from_the_runs(modules: SimpleNamespace, found: list[list[Run]]) -> None:
    assert (ROOT / "docs" / "results-t-maze.md").read_text() == modules.mazes.page(found)


def test_the_figures_are_of_as_many_runs(modules: SimpleNamespace, found: list[list[Run]]) -> None:
    for runs in found:
        with Image.open(ROOT / "docs" / modules.mazes.picture(runs)) as picture:
            assert picture.info["Description"] == f"{len(runs)} runs"


def test_every_run_is_one_of_the_sweep(modules: SimpleNamespace, found: list[list[Run]]) -> None:
    asked = read_sweep(ROOT / modules.mazes.SWEEP).configs
    for run in (run for runs in found for run in runs):
        assert run.config in asked
        assert run.folder == ROOT / "results" / run.config.name


def test_when_a_policy_was_optimal_first_is_what_its_rows_say(modules: SimpleNamespace, found: list[list[Run]]) -> None:
    for run in (run for runs in found for run in runs):
        optimal = [row["episodes"] for row in run.rows if row["validation_metric"] == 1]
        assert modules.mazes.first_optimal(run) == next(iter(optimal), None)


@pytest.mark.parametrize(
    ("optimal", "stays"), [((0, 1, 1, 0.5, 0), 1 / 3), ((0, 1), None), ((0, 0.5), None), ((1, 1, 1), 1.0)]
)
def test_how_often_it_is_optimal_again(modules: SimpleNamespace, optimal: list[float], stays: float | None) -> None:
    assert modules.mazes.stays(made(optimal=optimal)) == (None if stays is None else pytest.approx(stays))


def test_sooner(modules: SimpleNamespace) -> None:
    never, early, late = made(optimal=(0, 0, 0)), made(optimal=(0, 1, 1)), made(optimal=(0, 0, 1))
    tally = modules.mazes.sooner([(early, late), (late, early), (early, never), (never, never), (late, late)])
    assert (len(tally.support), len(tally.against), len(tally.ties)) == (2, 1, 1)


def test_farther(modules: SimpleNamespace) -> None:
    none, one, two = made(longer=(0.9, 0)), made(longer=(1, 0)), made(longer=(1, 1))
    tally = modules.mazes.farther([(two, one), (none, one), (one, one), (none, none)])
    assert (len(tally.support), len(tally.against), len(tally.ties)) == (1, 1, 1)


def test_who_lasts(modules: SimpleNamespace) -> None:
    lasting, fading = made(optimal=(0, 1), longer=(1, 1), count=2), made(optimal=(0, 1), longer=(1, 0.98))
    said = modules.mazes.who_lasts([lasting, fading, fading, made()])
    assert said == (
        "Of 3 policies that are optimal at the end of training, 1 are at L 1,000 as well: more than one attractor is "
        "certified in 1 of them, and 25 % of their states come to rest. 2 are not: more than one attractor is "
        "certified in 0 of them, and 25 % of their states come to rest."
    )
