"""A trajectory that heads for a stable equilibrium when it is first looked at, and never gets there."""

import pytest
import torch
from problems import Written, follow
from torch import Tensor


def test_what_heads_for_an_equilibrium_and_is_turned_away_is_not_taken_for_its_own() -> None:
    """x' = 0.98 x, but from 0.03..0.035, which states from about 1 come to after 170 steps, to the well at 5."""

    def step(s: Tensor) -> Tensor:
        falls = 0.98 * s
        jumps = (s > 0.03) & (s < 0.035)
        return torch.where(s > 2, 5 + 0.5 * (s - 5), torch.where(jumps, 4 + 0 * s, falls))

    starts = torch.tensor([[0.9], [1.0], [1.1], [-1.0]], dtype=torch.float64)
    outcome = follow(Written(step, 1), starts, 2_048)
    assert set(outcome.kinds) == {"equilibrium"}
    assert outcome.equilibria.points[outcome.roots][:, 0].tolist() == pytest.approx([5, 5, 5, 0], abs=1e-9)
