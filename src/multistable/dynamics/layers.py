"""`Dynamics` of the layers in `multistable.nn`, on their own recurrences."""

import torch
from torch import Tensor

from multistable.dynamics._of_direction import DirectionDynamics
from multistable.nn._directions import Weights
from multistable.nn._module import RecurrentModule

__all__ = ["LayerDynamics"]


class LayerDynamics(DirectionDynamics):
    """One layer and direction of a layer of `multistable.nn`, or a cell. The state of an LSTM is h and c."""

    module: RecurrentModule

    def __repr__(self) -> str:
        kind = type(self.module).__name__
        return f"{kind}Dynamics({self.name!r}, input_size={self.input_size}, state_size={self.state_size})"

    def _state_size(self, weights: Weights) -> int:
        return self.module.recurrence.parts * weights.hh.shape[1]

    def cell_state(self, s: Tensor) -> Tensor | None:
        return s[:, self.output_size :] if self.module.recurrence.parts > 1 else None

    def step(self, s: Tensor, u: Tensor) -> Tensor:
        recurrence, (weight_ih, weight_hh, bias) = self.module.recurrence, self._given()
        return recurrence.step(recurrence.drive(u, weight_ih, bias), s, weight_hh, self.module.hardness)

    def scan(self, inputs: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        return self.module.recurrence(inputs, s, *self._given(), None, self.module.hardness)

    def scan_packed(self, rows: Tensor, batch_sizes: Tensor) -> Tensor:
        return self.run_packed(rows, batch_sizes, self.zero_state(int(batch_sizes[0])))[0]

    def packs(self, device: torch.device) -> bool:
        return True

    def run_packed(self, rows: Tensor, batch_sizes: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        return self.module.recurrence(rows, s, *self._given(), batch_sizes, self.module.hardness)

    def scan_constant(self, u: Tensor, steps: int, s: Tensor) -> tuple[Tensor, Tensor]:
        # W_ih u + b is the same at every step: it is computed once and enters as the bias, beside an input of zero.
        recurrence, (weight_ih, weight_hh, bias) = self.module.recurrence, self._given()
        drive = recurrence.drive(u, weight_ih, bias)
        nothing, no_weight = u.new_zeros(steps, len(s), 1), drive.new_zeros(len(weight_ih), 1)
        return recurrence(nothing, s, no_weight, weight_hh, drive, None, self.module.hardness)

    def hold(self, s: Tensor, u: Tensor, steps: int) -> Tensor:
        recurrence, (weight_ih, weight_hh, bias) = self.module.recurrence, self._given()
        if torch.is_grad_enabled() or recurrence.path(weight_hh).startswith("plain"):
            return super().hold(s, u, steps)
        drive = recurrence.drive(u, weight_ih, bias)
        return recurrence.hold(drive, s, weight_hh, steps, self.module.hardness)

    def _given(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """The weights as the recurrence takes them."""
        return self.module.as_given(self.weights())
