"""`Dynamics` of the layers in `multistable.nn`, on their own recurrences."""

from collections.abc import Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from multistable.dynamics.base import Dynamics
from multistable.nn._layer import RecurrentLayer
from multistable.nn._parameters import parameter_of

__all__ = ["LayerDynamics"]


class Weights(NamedTuple):
    """The parameters of one layer and direction."""

    ih: nn.Parameter
    hh: nn.Parameter
    bias: nn.Parameter | None


class LayerDynamics(Dynamics):
    """One layer and direction of `MGU`, `BRC` or `NBRC`.

    Args:
        module: the layer's module.
        suffix: what the layer's parameter names end in, as in `"_l1_reverse"`.
        name: the layer's name.
    """

    def __init__(self, module: RecurrentLayer, suffix: str, name: str) -> None:
        self.module = module
        self.suffix = suffix
        input_size = self._weights().ih.shape[1]
        super().__init__(name, input_size, module.hidden_size, reverse=suffix.endswith("_reverse"))

    def __repr__(self) -> str:
        kind = type(self.module).__name__
        return f"{kind}Dynamics({self.name!r}, input_size={self.input_size}, state_size={self.state_size})"

    def _weights(self) -> Weights:
        weight_ih, weight_hh = (
            parameter_of(self.module, f"{kind}{self.suffix}") for kind in ("weight_ih", "weight_hh")
        )
        return Weights(
            weight_ih, weight_hh, parameter_of(self.module, f"bias{self.suffix}") if self.module.bias else None
        )

    def parameters(self) -> Sequence[nn.Parameter]:
        return [one for one in self._weights() if one is not None]

    def step(self, s: Tensor, u: Tensor) -> Tensor:
        w = self._weights()
        return self.module.recurrence.step(F.linear(u, w.ih, w.bias), s, w.hh)

    def scan(self, inputs: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        w = self._weights()
        return self.module.recurrence.scan(inputs, s, w.ih, w.hh, w.bias, None)

    def scan_packed(self, rows: Tensor, batch_sizes: Tensor) -> Tensor:
        w = self._weights()
        outputs, _ = self.module.recurrence.scan(
            rows, self.zero_state(int(batch_sizes[0])), w.ih, w.hh, w.bias, batch_sizes
        )
        return outputs

    def scan_constant(self, u: Tensor, steps: int, s: Tensor) -> tuple[Tensor, Tensor]:
        # W_ih u + b is the same at every step: it is computed once and enters as the bias, beside an input of zero.
        w = self._weights()
        drive = F.linear(u, w.ih, w.bias)
        nothing, no_weight = u.new_zeros(steps, len(s), 1), drive.new_zeros(len(drive), 1)
        return self.module.recurrence.scan(nothing, s, no_weight, w.hh, drive, None)
