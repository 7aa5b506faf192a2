"""`Dynamics` of the layers in `multistable.nn`, on their own recurrences."""

import torch.nn.functional as F
from torch import Tensor

from multistable.dynamics._of_direction import DirectionDynamics
from multistable.nn._layer import RecurrentLayer

__all__ = ["LayerDynamics"]


class LayerDynamics(DirectionDynamics):
    """One layer and direction of `MGU`, `BRC` or `NBRC`."""

    module: RecurrentLayer

    def __repr__(self) -> str:
        kind = type(self.module).__name__
        return f"{kind}Dynamics({self.name!r}, input_size={self.input_size}, state_size={self.state_size})"

    def step(self, s: Tensor, u: Tensor) -> Tensor:
        w = self.weights()
        return self.module.recurrence.step(F.linear(u, w.ih, w.bias), s, w.hh)

    def scan(self, inputs: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        w = self.weights()
        return self.module.recurrence(inputs, s, w.ih, w.hh, w.bias, None)

    def scan_packed(self, rows: Tensor, batch_sizes: Tensor) -> Tensor:
        w = self.weights()
        outputs, _ = self.module.recurrence(rows, self.zero_state(int(batch_sizes[0])), w.ih, w.hh, w.bias, batch_sizes)
        return outputs

    def scan_constant(self, u: Tensor, steps: int, s: Tensor) -> tuple[Tensor, Tensor]:
        # W_ih u + b is the same at every step: it is computed once and enters as the bias, beside an input of zero.
        w = self.weights()
        drive = F.linear(u, w.ih, w.bias)
        nothing, no_weight = u.new_zeros(steps, len(s), 1), drive.new_zeros(len(drive), 1)
        return self.module.recurrence(nothing, s, no_weight, w.hh, drive, None)
