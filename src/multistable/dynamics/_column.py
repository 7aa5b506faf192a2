"""torch's layers on top of each other, all in one call of torch's kernel."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from multistable.dynamics.base import Dynamics
from multistable.dynamics.torch_layers import TorchDynamics

__all__ = ["Column", "column_of"]


@dataclass(frozen=True)
class Column:
    """Layers of one module of torch's, from the lowest up, in one direction.

    cuDNN works on the layers above while the lowest goes on. torch's kernels for a CPU take one after the other, too.
    """

    parts: Sequence[TorchDynamics]

    def scan(self, inputs: Tensor, s: Tensor, batch_sizes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Go through sequences.

        Args:
            inputs: (T, B, I), or the rows (N, I) of a `PackedSequence` with its batch sizes.
            s: the states of all layers side by side, (B, S).
            batch_sizes: those of a `PackedSequence`, on the CPU.

        Returns:
            The outputs of the top layer, (T, B, O) or (N, O), and the last states, (B, S).
        """
        weights = [part.weights() for part in self.parts]
        outputs, states = self.parts[0].kernel(inputs, self._split(s), weights, batch_sizes)
        return outputs, torch.cat(states, -1)

    def scan_constant(self, u: Tensor, steps: int, s: Tensor) -> tuple[Tensor, Tensor]:
        """`scan` under one constant input of the lowest layer, (I,)."""
        lowest, *others = self.parts
        weights = [lowest.held(u), *(part.weights() for part in others)]
        outputs, states = lowest.kernel(u.new_zeros(steps, len(s), 1), self._split(s), weights)
        return outputs, torch.cat(states, -1)

    def _split(self, s: Tensor) -> tuple[Tensor, ...]:
        states: tuple[Tensor, ...] = s.split([part.state_size for part in self.parts], -1)
        return states


def column_of(layers: Sequence[Sequence[Dynamics]]) -> Column | None:
    """The layers as one column; None where they are not torch's, or have more than one part or direction."""
    parts = [part for of_layer in layers for part in of_layer if isinstance(part, TorchDynamics) and not part.reverse]
    whole = len(parts) == len(layers) == sum(map(len, layers))
    return Column(parts) if whole and all(part.module is parts[0].module for part in parts) else None
