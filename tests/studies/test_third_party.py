"""What the study of other packages' modules found, and what the page says of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from scripts import scripts

Row = dict[str, Any]
LINEAR = ("minGRU", "LRU", "S5", "Mamba block")


@pytest.fixture(scope="module")
def found() -> Iterator[list[Row]]:
    with scripts("rows") as modules:
        yield modules.rows.findings("third_party")


def test_a_recurrence_that_is_linear_in_its_state_has_one_attractor(found: list[Row]) -> None:
    measured = [row[when] for row in found if row["cell"] in LINEAR for when in ("new", "after")]
    assert measured and all((one["count"], one["certified"]) == (1, round(1 / 64, 4)) for one in measured)
    # And a VAA that may say anything.
    assert max(one["vaa"] for one in measured) == 1


def test_new_ones_have_one_attractor_and_a_warmup_makes_two_at_most(found: list[Row]) -> None:
    assert {row["new"]["count"] for row in found} == {1}
    assert max(row["after"]["count"] for row in found) == 2
    risen = [row["after"] for row in found if row["after"]["vaa"] > 0.25]
    assert risen and all(one["shares"].get("equilibrium", 0) < 1 or one["residual"] > 1e-4 for one in risen)
