"""`Dynamics` of one layer and direction: what torch's layers and ours have in common."""

from collections.abc import Sequence

from torch import nn

from multistable.dynamics.base import Dynamics
from multistable.nn._directions import Direction, Weights

__all__ = ["DirectionDynamics"]


class DirectionDynamics(Dynamics):
    """One layer and direction of a recurrent module, on the module's own parameters.

    Args:
        direction: the layer and direction.
        name: the layer's name.
    """

    def __init__(self, direction: Direction, name: str) -> None:
        self.module = direction.module
        self._direction = direction
        weights = self.weights()
        super().__init__(
            name,
            weights.ih.shape[1],
            self._state_size(weights),
            weights.hh.shape[1],
            reverse=direction.reverse,
        )

    def _state_size(self, weights: Weights) -> int:
        return weights.hh.shape[1]

    def weights(self) -> Weights:
        """The layer's parameters as they are now."""
        return self._direction.weights()

    def parameters(self) -> Sequence[nn.Parameter]:
        return self._direction.parameters()
