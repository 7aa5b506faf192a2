"""What is said of runs side by side, on runs made by hand."""

from collections.abc import Iterator
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scripts import scripts

from multistable.experiments.config import Config
from multistable.experiments.results import Run


@pytest.fixture(scope="module")
def modules() -> Iterator[SimpleNamespace]:
    with scripts("comparisons", "supervised", "runs") as found:
        yield found


def made(validation: list[float | None], vaa: list[float | None], accuracy: bool) -> Run:
    rows: list[dict[str, float | None]] = [
        {"epoch": float(epoch), "validation_metric": metric, "vaa": one}
        for epoch, (metric, one) in enumerate(zip(validation, vaa, strict=True))
    ]
    summary = {"higher_is_better": accuracy, "chance": 0.1 if accuracy else 1.0}
    return Run(Config(task="permuted_rows"), summary, rows, Path())


@pytest.mark.parametrize(
    ("validation", "accuracy", "epoch"),
    [
        ([1.0, 0.9, 0.51], False, None),
        ([1.0, 0.5, 0.9], False, 1),  # halfway is enough, and once is enough
        ([1.0, None, 0.2], False, 2),
        ([0.1, 0.54, 0.5], True, None),
        ([0.1, 0.3, 0.55], True, 2),
    ],
)
def test_learned_at(
    validation: list[float | None], accuracy: bool, epoch: int | None, modules: SimpleNamespace
) -> None:
    assert modules.supervised.learned_at(made(validation, [None] * 3, accuracy)) == epoch


@pytest.mark.parametrize(
    ("vaa", "validation", "expected"),
    [
        ([0.1, 0.2, 0.3, 0.9], [1.0, 0.9, 0.8, 0.1], 1.0),
        ([0.1, 0.2, 0.2, 0.3], [0.4, 0.3, 0.2, 0.1], 4.5 / 22.5**0.5),  # ranks 1, 2.5, 2.5, 4 beside 1, 2, 3, 4
        ([0.1, None, 0.2, 0.3], [0.4, 9.0, 0.2, 0.1], 1.0),
        ([0.1, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1], None),
        ([0.1, 0.2, 0.3, 0.4], [0.4, 0.4, 0.4, 0.4], None),
    ],
)
def test_whether_vaa_follows_the_metric(
    vaa: list[float | None], validation: list[float | None], expected: float | None, modules: SimpleNamespace
) -> None:
    of_error, of_accuracy = (modules.supervised.follows(made(validation, vaa, accuracy)) for accuracy in (False, True))
    assert of_error == (expected and pytest.approx(expected))
    assert of_accuracy == (expected and pytest.approx(-expected))


def test_a_cell_with_other_gates_is_a_cell_of_its_own(modules: SimpleNamespace) -> None:
    config = Config(task="permuted_rows", cell="lstm", init="chrono", warmup=True)
    assert (modules.runs.cell_of(config), modules.runs.variant_of(config)) == ("chrono LSTM", "warmup")


def row(variant: str, seed: int, learned: int | None = None, cell: str = "GRU") -> dict[str, Any]:
    soon = -inf if learned is None else -learned
    return {"variant": variant, "cell": cell, "seed": seed, "learned": learned, "soon": soon}


def test_pairs_have_the_same_cell_and_seed(modules: SimpleNamespace) -> None:
    plain = [row("plain", 0), row("plain", 1), row("plain", 0, cell="LSTM")]
    warm = [row("warmup", 1), row("warmup", 2), row("warmup", 0, cell="LSTM")]
    assert modules.comparisons.pairs([*plain, *warm], "warmup", "plain") == [(warm[0], plain[1]), (warm[2], plain[2])]


@pytest.mark.parametrize(
    ("learned", "counts"),
    [((0, 1, 2), (2, 1, 2)), ((1, 2), (2, 1, 1)), ((2,), (1, 0, 1)), ((0,), (0, 0, 1))],
)
def test_variants_side_by_side(
    learned: tuple[int, ...], counts: tuple[int, int, int], modules: SimpleNamespace
) -> None:
    # A run that never learned is later than any.
    cases = [(1, 2), (1, None), (None, 2), (2, 2), (None, None)]
    rows = [
        row(variant, seed, when)
        for seed, pair in enumerate(cases)
        for variant, when in zip(("warmup", "plain"), pair, strict=True)
    ]
    tally = modules.comparisons.beside("warmup", "plain", "soon", learned)(rows)
    assert tuple(len(cells) for cells in (tally.support, tally.against, tally.ties)) == counts


def test_vaa_rises_by_more_than_a_little(modules: SimpleNamespace) -> None:
    changes = {"GRU": (0.01, 0.07), "LSTM": (0.5, 0.44), "MGU": (0.5, 0.54), "BRC": (0.54, 0.5)}
    rows = [{"cell": cell, "vaa before": before, "vaa": after} for cell, (before, after) in changes.items()]
    tally = modules.comparisons.risen(rows)
    assert (tally.support, tally.against, tally.ties) == (["GRU"], ["LSTM"], ["MGU", "BRC"])


@pytest.mark.parametrize(
    ("support", "against", "ties", "verdict"),
    [
        (5, 0, 9, "open"),  # a fair coin falls on the same side five times in a row with probability 1/16
        (6, 0, 0, "supported"),
        (0, 6, 0, "contradicted"),
        (0, 0, 3, "open"),
        (0, 0, 0, "no cases"),
    ],
)
def test_verdicts(support: int, against: int, ties: int, verdict: str, modules: SimpleNamespace) -> None:
    tally = modules.comparisons.Tally(["GRU"] * support, ["GRU"] * against, ["GRU"] * ties)
    assert tally.verdict == verdict


def test_sign_test(modules: SimpleNamespace) -> None:
    # Of 32 sequences of five falls, one has no tails, and five have one.
    assert [modules.comparisons.sign_test(most, 5) for most in (5, 4, 3)] == [2 / 32, 2 * (1 + 5) / 32, 1.0]
