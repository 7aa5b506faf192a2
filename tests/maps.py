"""Maps that are written down, for tests of what follows their trajectories."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from multistable._attractors.search import Outcome, Search
from multistable.dynamics import Dynamics

__all__ = ["Written", "follow"]


class Written(Dynamics):
    """s' = function(s), without parameters and whatever the input."""

    def __init__(self, function: Callable[[Tensor], Tensor], size: int) -> None:
        super().__init__("written", 1, size)
        self.function = function

    def parameters(self) -> list[nn.Parameter]:
        return []

    def step(self, s: Tensor, u: Tensor) -> Tensor:
        return self.function(s)


def follow(layer: Dynamics, s: Tensor, horizon: int = 10_000, tol: float = 1e-4) -> Outcome:
    """Where the trajectories from `s` go without input."""
    return Search(layer, s, torch.zeros(layer.input_size, dtype=torch.float64), horizon, tol).run()
