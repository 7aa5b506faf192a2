"""The page of results is made from the runs in results/, by definitions that are tried on runs made by hand."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from scripts import scripts

from multistable.experiments.config import Config, variant_keys
from multistable.experiments.results import Run, collect
from multistable.experiments.sweep import read_sweep

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def modules() -> Iterator[SimpleNamespace]:
    with scripts("results", "claims", "comparisons", "curves", "pages") as found:
        yield found


@pytest.fixture(scope="module")
def found(modules: SimpleNamespace) -> list[list[Run]]:
    there: list[list[Run]] = modules.pages.found_runs(modules.results.SWEEPS)
    return there


def made(
    cell: str = "gru",
    variant: str = "plain",
    seed: int = 0,
    validation: Sequence[float | None] = (1.0, 0.9),
    vaa: Sequence[float | None] = (0.01, 0.01),
    *,
    test: float | None = None,
    accuracy: bool = False,
) -> Run:
    """A run with these rows, whose test metric is by default the last in validation."""
    task: dict[str, Any] = {"task": "permuted_rows"} if accuracy else {"task": "copy_first_input", "length": 100}
    rows: list[dict[str, float | None]] = [
        {"epoch": float(epoch), "validation_metric": metric, "vaa": one}
        for epoch, (metric, one) in enumerate(zip(validation, vaa, strict=True))
    ]
    summary = {
        "metric": "accuracy" if accuracy else "mean squared error",
        "higher_is_better": accuracy,
        "chance": 0.1 if accuracy else 1.0,
        "test_metric": validation[-1] if test is None else test,
        "vaa": vaa[-1],
        "certified": 0.02,
        "traces": {"start": {"horizons": [1, 2], "vaa": [1.0, vaa[0]]}},
        "attractors": {"count": 2, "shares": {"equilibrium": 0.5, "cycle": 0.0, "slow": 0.5}},
    }
    return Run(Config(**task, cell=cell, **variant_keys(variant), seed=seed), summary, rows, Path())


def ends(error: float, at: int = 1) -> dict[str, Any]:
    """Validation of three epochs that is at chance until one of them, and at `error` from there on."""
    return {"validation": [1.0] * at + [error] * (4 - at), "vaa": [0.01] * 4}


def test_the_page_is_made_from_the_runs(modules: SimpleNamespace, found: list[list[Run]]) -> None:
    assert (ROOT / "docs" / "results.md").read_text() == modules.results.page(found)


def test_the_figures_are_of_as_many_runs(modules: SimpleNamespace, found: list[list[Run]]) -> None:
    for runs in found:
        with Image.open(ROOT / "docs" / modules.pages.picture(runs)) as picture:
            assert picture.info["Description"] == f"{len(runs)} runs"


def test_every_run_is_one_of_its_sweep(modules: SimpleNamespace) -> None:
    for task, path in modules.results.SWEEPS.items():
        if not (ROOT / "results" / task).is_dir():
            continue
        asked = read_sweep(ROOT / path).configs
        for run in collect(ROOT / "results" / task).runs:
            assert run.config in asked
            assert run.folder == ROOT / "results" / run.config.name
            assert run.config.epochs is not None
            assert [row["epoch"] for row in run.rows] == list(range(run.config.epochs + 1))


def test_cells_and_variants(modules: SimpleNamespace) -> None:
    named = {
        (cell, variant): (modules.comparisons.cell_of(config), modules.comparisons.variant_of(config))
        for cell, variant in (("nbrc", "plain"), ("lstm", "chrono"), ("lstm", "chrono+double+warmup"))
        for config in [made(cell, variant).config]
    }
    assert list(named.values()) == [("nBRC", "plain"), ("chrono LSTM", "plain"), ("chrono LSTM", "double+warmup")]


@pytest.mark.parametrize(
    ("validation", "accuracy", "epoch"),
    [
        ([1.0, 0.9, 0.51], False, None),
        ([1.0, 0.5, 0.9], False, 1),  # halfway is enough, and once is enough
        ([1.0, None, 0.2], False, 2),
        ([0.1, 0.54, 0.5], True, None),
        ([0.1, 0.3, 0.55], True, 2),
        ([0.9, 0.9, 0.9], True, 0),
    ],
)
def test_learned_at(
    validation: list[float | None], accuracy: bool, epoch: int | None, modules: SimpleNamespace
) -> None:
    run = made(validation=validation, vaa=[0.01] * 3, test=0.3, accuracy=accuracy)
    assert modules.comparisons.learned_at(run) == epoch


def test_pairs_have_the_same_cell_and_seed(modules: SimpleNamespace) -> None:
    plain = [made(seed=0), made(seed=1), made("lstm"), made("lstm", "chrono")]
    warm = [made(variant="warmup", seed=1), made(variant="warmup", seed=2), made("lstm", "chrono+warmup")]
    assert modules.comparisons.pairs([*plain, *warm], "warmup", "plain") == [(warm[0], plain[1]), (warm[2], plain[3])]


def test_a_run_that_never_learned_is_later_than_any(modules: SimpleNamespace) -> None:
    never, first, second = made(**ends(0.8)), made(**ends(0.1, at=1)), made(**ends(0.1, at=2))
    cases = [(first, second), (first, never), (never, second), (second, second), (never, never)]
    tally = modules.comparisons.earlier(cases)
    assert [len(cells) for cells in (tally.support, tally.against, tally.ties)] == [2, 1, 2]
    assert modules.comparisons.learned(cases, 1) == cases[:4]
    assert modules.comparisons.learned(cases, 2) == [cases[0], cases[3]]


def test_errors_of_accuracies_are_shares_of_wrong_answers(modules: SimpleNamespace) -> None:
    worse, better = made(test=0.25, accuracy=True), made("lstm", test=0.75, accuracy=True)
    assert [modules.comparisons.error(run) for run in (worse, better)] == [0.75, 0.25]
    assert modules.comparisons.smaller_error([(better, worse)]).support == ["LSTM"]
    assert modules.comparisons.smaller_error([(worse, better)]).against == ["GRU"]


def test_vaa_rises_by_more_than_a_little(modules: SimpleNamespace) -> None:
    changes = {"gru": (0.01, 0.07), "lstm": (0.5, 0.44), "mgu": (0.5, 0.54), "brc": (0.54, 0.5)}
    tally = modules.comparisons.risen([made(cell, vaa=vaa) for cell, vaa in changes.items()])
    assert (tally.support, tally.against, tally.ties) == (["GRU"], ["LSTM"], ["MGU", "BRC"])


@pytest.mark.parametrize(
    ("vaa", "validation", "expected"),
    [
        ([0.1, 0.2, 0.3, 0.9], [1.0, 0.9, 0.8, 0.1], 1.0),
        ([0.1, 0.2, 0.3, 0.9], [0.1, 0.2, 0.3, 0.4], -1.0),
        ([0.1, 0.2, 0.2, 0.3], [0.4, 0.3, 0.2, 0.1], 4.5 / 22.5**0.5),  # ranks 1, 2.5, 2.5, 4 beside 1, 2, 3, 4
        ([0.1, None, 0.2, 0.3], [0.4, 9.0, 0.2, 0.1], 1.0),
        ([0.1, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1], None),
        ([0.1, 0.2, 0.3, 0.4], [0.4, 0.4, 0.4, 0.4], None),
    ],
)
def test_whether_vaa_follows_the_metric(
    vaa: list[float | None], validation: list[float], expected: float | None, modules: SimpleNamespace
) -> None:
    follows = modules.comparisons.follows
    assert follows(made(validation=validation, vaa=vaa)) == (expected and pytest.approx(expected))
    opposite = follows(made(validation=validation, vaa=vaa, accuracy=True))
    assert opposite == (expected and pytest.approx(-expected))


@pytest.mark.parametrize(
    ("support", "against", "ties", "verdict"),
    [
        (5, 0, 9, "open"),  # a fair coin falls on the same side five times in a row with probability 1/16
        (6, 0, 0, "supported"),
        (0, 6, 0, "contradicted"),
        (9, 9, 0, "open"),
        (0, 0, 3, "open"),
        (0, 0, 0, "no cases"),
    ],
)
def test_verdicts(support: int, against: int, ties: int, verdict: str, modules: SimpleNamespace) -> None:
    tally = modules.comparisons.Tally(["GRU"] * support, ["GRU"] * against, ["GRU"] * ties)
    assert tally.verdict == verdict


def test_sign_test(modules: SimpleNamespace) -> None:
    # Of 32 sequences of five falls, one has no tails, and five have one.
    found = [modules.comparisons.sign_test(most, 5) for most in (5, 4, 3)]
    assert found == [2 / 32, 2 * (1 + 5) / 32, 1.0]


def test_what_is_said_of_the_claims(modules: SimpleNamespace) -> None:
    runs = [
        made("gru", "plain", **ends(0.8)),
        made("gru", "warmup", **ends(0.02, at=1)),
        made("gru", "double+warmup", **ends(0.01, at=2)),
        made("lstm", "plain", **ends(0.9)),
        made("lstm", "warmup", **ends(0.7)),
        made("brc", "plain", validation=[1.0, 1.0, 0.1, 0.05], vaa=[0.3, 0.4, 0.5, 0.6]),
        made("brc", "warmup", **ends(0.1, at=2)),
        made("brc", "double+warmup", **ends(0.04, at=3)),
    ]
    assert [(name, tally.verdict, words) for name, tally, words in modules.claims.claims(runs)] == [
        (
            "`warmup` learns faster than `plain`",
            "open",
            "Learned at an earlier epoch in 1 of 2 pairs (GRU 1), at the same in 1 (BRC 1). In 1 more, neither "
            "learned.",
        ),
        (
            "`double+warmup` learns faster than `plain`",
            "open",
            "Learned at an earlier epoch in 1 of 2 pairs (GRU 1), at a later one in 1 (BRC 1).",
        ),
        (
            "`warmup` ends better than `plain`",
            "open",
            "The test metric is better in 1 of 2 pairs (GRU 1), worse in 1 (BRC 1). In 1 more, neither learned. "
            "There it is better in 1 of 1 pairs (LSTM 1).",
        ),
        (
            "`double+warmup` ends better than `plain`",
            "open",
            "The test metric is better in 2 of 2 pairs (GRU 1, BRC 1).",
        ),
        (
            "`warmup` costs precision where `plain` learns too",
            "open",
            "Where both learned, the test error after a warmup is larger in 1 of 1 pairs (BRC 1). Median errors: "
            "`warmup` 0.1, `plain` 0.05.",
        ),
        (
            "`double+warmup` regains precision",
            "open",
            "Where both learned, the test error is smaller than with `warmup` in 2 of 2 pairs (GRU 1, BRC 1). Median "
            "errors: `double+warmup` 0.025, `warmup` 0.06. Smaller than with `plain` in 1 of 1 pairs (BRC 1). Median "
            "errors: `double+warmup` 0.04, `plain` 0.05.",
        ),
        (
            "VAA rises as `plain` networks learn",
            "open",
            "In training that succeeded VAA rose in 1 of 1 runs (BRC 1). In the mean from 0.30 to 0.60. Over epochs a "
            "higher VAA goes with a better validation metric (rank correlation above zero) in 1 of the 1 in which "
            "both change; the median correlation is 0.95. In training that did not, it rose in 0 of 2 runs, stayed in "
            "2 (GRU 1, LSTM 1). In the mean from 0.01 to 0.01.",
        ),
    ]
    assert modules.claims.certified(runs) == (
        "VAA after training is 0.13 in the mean of the 5 runs that learned, and 0.02 is certified. More than one "
        "attractor is certified in 5 (GRU 2, BRC 3). Of the states in these 5, 50 % at rest, 50 % slow."
    )


def test_what_is_said_of_other_lengths(modules: SimpleNamespace) -> None:
    runs = [made(**ends(0.01)), made("lstm", **ends(0.02)), made("mgu", **ends(0.9))]
    for run, far in zip(runs, (0.6, 0.5, 0.1), strict=True):
        run.summary["evaluation"] = [{"length": 100, "metric": 0.01}, {"length": 400, "metric": far}]
    assert modules.claims.other_lengths(runs) == (
        "Of the 2 runs that learned, the test metric is halfway or better, by length, in 2 at 100, 1 at 400."
    )
    assert modules.claims.other_lengths(runs[2:]) == "No run learned."


def test_what_is_said_where_there_is_nothing_to_compare(modules: SimpleNamespace) -> None:
    runs = [made(**ends(0.9))]
    verdicts = [tally.verdict for _, tally, _ in modules.claims.claims(runs)]
    assert verdicts == ["no cases"] * 7
    assert modules.claims.certified(runs) == "No run learned."


def test_what_is_said_of_missing_runs(modules: SimpleNamespace) -> None:
    runs = [made(cell, variant, 2 * n) for cell in ("gru", "lstm") for variant in ("plain", "warmup") for n in range(2)]
    plan = [run.config for run in runs]
    said = modules.pages.still_missing
    assert said(plan, runs) == "all 8 runs are there"
    assert said(plan, []) == "none of 8 runs is there yet"
    assert said(plan, runs[:3]) == "3 of 8 runs are there. Missing: GRU, warmup (seed 2); LSTM"
    assert said(plan, runs[5:]) == "3 of 8 runs are there. Missing: GRU; LSTM, plain (seed 0)"
    assert said(plan, runs[2:6]) == "4 of 8 runs are there. Missing: GRU, plain; LSTM, warmup"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0], "1.00"),
        ([0.0], "0.00"),
        ([0.00123, 0.00123], "0.00123 ± 0.00000"),
        ([10.0, 20.0, 60.0], "30.0 ± 26.5"),
        ([1000.0, 3000.0], "2000 ± 1414"),
    ],
)
def test_how_numbers_are_shown(values: list[float], expected: str, modules: SimpleNamespace) -> None:
    assert modules.results.plus_minus(values).replace("&nbsp;", " ") == expected


def test_curves_are_means_of_a_cell_and_variant(modules: SimpleNamespace) -> None:
    runs = [
        made("gru", "plain", 0, [1.0, 0.4], [0.1, 0.2]),
        made("gru", "plain", 1, [0.8, 0.2], [0.3, 0.6]),
        made("gru", "warmup", 0, [0.8, 0.01], [0.3, None]),
        made("lstm", "chrono", 0, [1.0, 0.9], [0.1, 0.1]),
    ]
    above, chrono, below, _ = modules.curves.curves(runs).axes
    assert [axes.get_title(loc="left") for axes in (above, chrono)] == ["GRU", "chrono LSTM"]
    assert above.get_ylim() == chrono.get_ylim()
    _, plain, warm = above.lines  # chance comes first
    assert plain.get_ydata() == pytest.approx([0.9, 0.3]) and warm.get_ydata() == pytest.approx([0.8, 0.01])
    plain, warm = below.lines
    assert plain.get_ydata() == pytest.approx([0.2, 0.4]) and list(warm.get_xdata()) == [0]
