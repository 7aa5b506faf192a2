"""What is said of runs side by side, on runs made by hand."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from scripts import scripts
from studies.made_runs import ends, supervised


@pytest.fixture(scope="module")
def comparisons() -> Iterator[SimpleNamespace]:
    with scripts("comparisons") as found:
        yield found.comparisons


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
    validation: list[float | None], accuracy: bool, epoch: int | None, comparisons: SimpleNamespace
) -> None:
    run = supervised(validation=validation, vaa=[0.01] * 3, accuracy=accuracy)
    assert comparisons.learned_at(run) == epoch


def test_pairs_have_the_same_cell_and_seed(comparisons: SimpleNamespace) -> None:
    plain = [supervised(seed=0), supervised(seed=1), supervised("lstm"), supervised("lstm", "chrono")]
    warm = [supervised(variant="warmup", seed=seed) for seed in (1, 2)] + [supervised("lstm", "chrono+warmup")]
    assert comparisons.pairs([*plain, *warm], "warmup", "plain") == [(warm[0], plain[1]), (warm[2], plain[3])]
    assert comparisons.cell_of(plain[3].config) == "chrono LSTM"


def test_variants_side_by_side(comparisons: SimpleNamespace) -> None:
    never, first, second = ends(0.8), ends(0.1, at=1), ends(0.1, at=2)
    cases = [(first, second), (first, never), (never, second), (second, second), (never, never)]
    runs = [
        supervised(variant=variant, seed=seed, **rows)
        for seed, pair in enumerate(cases)
        for variant, rows in zip(("warmup", "plain"), pair, strict=True)
    ]

    def counts(*learned: int) -> list[int]:
        """For, against and ties, of the pairs of which so many learned."""
        soon = comparisons.soon(comparisons.learned_at)
        tally = comparisons.beside("warmup", "plain", soon, learned)(runs)
        return [len(cells) for cells in (tally.support, tally.against, tally.ties)]

    # A run that never learned is later than any.
    assert (counts(0, 1, 2), counts(1, 2), counts(2), counts(0)) == ([2, 1, 2], [2, 1, 1], [1, 0, 1], [0, 0, 1])


def test_errors_of_accuracies_are_shares_of_wrong_answers(comparisons: SimpleNamespace) -> None:
    worse, better = supervised(test=0.25, accuracy=True), supervised(variant="warmup", test=0.75, accuracy=True)
    assert [comparisons.error(run) for run in (worse, better)] == [0.75, 0.25]
    assert comparisons.beside("warmup", "plain", comparisons.exact, (0, 1, 2))([worse, better]).support == ["GRU"]


def test_vaa_rises_by_more_than_a_little(comparisons: SimpleNamespace) -> None:
    changes = {"gru": (0.01, 0.07), "lstm": (0.5, 0.44), "mgu": (0.5, 0.54), "brc": (0.54, 0.5)}
    tally = comparisons.risen([supervised(cell, vaa=vaa) for cell, vaa in changes.items()])
    assert (tally.support, tally.against, tally.ties) == (["GRU"], ["LSTM"], ["MGU", "BRC"])


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
    vaa: list[float | None], validation: list[float], expected: float | None, comparisons: SimpleNamespace
) -> None:
    of_error, of_accuracy = (
        comparisons.follows(supervised(validation=validation, vaa=vaa, accuracy=accuracy)) for accuracy in (False, True)
    )
    assert of_error == (expected and pytest.approx(expected))
    assert of_accuracy == (expected and pytest.approx(-expected))


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
def test_verdicts(support: int, against: int, ties: int, verdict: str, comparisons: SimpleNamespace) -> None:
    assert comparisons.Tally(["GRU"] * support, ["GRU"] * against, ["GRU"] * ties).verdict == verdict


def test_sign_test(comparisons: SimpleNamespace) -> None:
    # Of 32 sequences of five falls, one has no tails, and five have one.
    assert [comparisons.sign_test(most, 5) for most in (5, 4, 3)] == [2 / 32, 2 * (1 + 5) / 32, 1.0]
