"""What the studies of attractors found, and what the page says of it."""

from collections.abc import Iterator
from statistics import median
from types import SimpleNamespace

import pytest
from scripts import scripts


@pytest.fixture(scope="module")
def rows() -> Iterator[SimpleNamespace]:
    with scripts("rows") as found:
        yield found.rows


@pytest.mark.parametrize("study", ["shelf", "random_networks"])
def test_nothing_false_was_said(study: str, rows: SimpleNamespace) -> None:
    found = rows.findings(study)
    assert found and not any(row["false"] for row in found)


def test_only_two_systems_of_the_shelf_are_missed(rows: SimpleNamespace) -> None:
    """Beside squares in the one seed that drew no state beyond 1, from where they grow."""
    missed = {(row["system"], row["seed"]) for row in rows.findings("shelf") if row["missed"]}
    assert {system for system, _ in missed - {("squares", 3)}} == {"a non-normal chain", "van der Pol with jumps"}


def test_a_flip_flop_has_eight_wells_as_by_brute_force(rows: SimpleNamespace) -> None:
    found = rows.findings("flip_flop")
    assert found
    for row in found:
        assert [row["attractors without input"], *row["attractors under each pulse"]] == row["by brute force"]
        assert row["by gradient descent"]["of them among ours"] == row["by gradient descent"]["count"]
    gru = next(row for row in found if row["cell"] == "GRU" and row["seed"] == 0)  # the one that the page looks at
    assert (gru["fixed points"], gru["unstable directions"]) == (27, [8, 12, 6, 1])
    assert median(row["by gradient descent"]["seconds"] / row["seconds"] for row in found) > 10


def test_hard_gates_are_not_worse_where_networks_were_trained_and_flat_beyond(rows: SimpleNamespace) -> None:
    """Medians over the seeds: digits to within a point, as many as there are in 100; denoising as the soft ones do."""
    by_kind: dict[tuple[str, bool], list[dict[str, float]]] = {}
    for row in rows.findings("hard_tasks"):
        by_kind.setdefault((row["task"], row["hard"]), []).append(row["test"])

    def middle(task: str, hard: bool, length: str) -> float:
        return median(one[length] for one in by_kind[task, hard])

    assert middle("rows", True, "100000") == middle("rows", True, "150") > middle("rows", False, "150") - 0.01
    assert middle("denoising", True, "150") <= middle("denoising", False, "150")
    hard, soft = ([one["100000"] for one in by_kind["denoising", kind]] for kind in (True, False))
    assert 100 * max(hard) < min(soft)


def test_a_warmup_before_hard_gates_ends_more_precise_than_chrono_gates(rows: SimpleNamespace) -> None:
    found = [row for row in rows.findings("hard_gates_gru") if row["task"] == "copy"]

    def of(gates: str, start: str) -> list[float]:
        return [row["test"]["100000"] for row in found if (row["gates"], row["start"]) == (gates, start)]

    assert max(of("hard", "warmup")) < min(of("hard", "chrono"))
    assert median(of("hard", "warmup")) < median(of("margin", "chrono"))
