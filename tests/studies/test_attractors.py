"""What the studies of attractors found, and what the page says of it."""

from statistics import median

import pytest

rows = pytest.importorskip("rows")


@pytest.mark.parametrize("study", ["shelf", "random_networks"])
def test_nothing_false_was_said(study: str) -> None:
    found = rows.findings(study)
    assert found and not any(row["false"] for row in found)


def test_only_two_systems_of_the_shelf_are_missed() -> None:
    missed = {row["system"] for row in rows.findings("shelf") if row["missed"]}
    assert missed <= {"a non-normal chain", "van der Pol with jumps"}


def test_a_flip_flop_has_eight_wells_as_by_brute_force() -> None:
    found = rows.findings("flip_flop")
    assert found
    for row in found:
        assert row["attractors without input"] == row["by brute force"][0]
    agreeing = [row["attractors under each pulse"] == row["by brute force"][1:] for row in found]
    assert sum(agreeing) >= len(found) - 1
    assert median(row["by gradient descent"]["seconds"] / row["seconds"] for row in found) > 10
