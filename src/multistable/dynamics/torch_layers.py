"""`Dynamics` of torch's own recurrent layers and cells, on torch's own kernels."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multistable.dynamics._cudnn import unflattened_weights_allowed
from multistable.dynamics.base import Dynamics
from multistable.nn._parameters import parameter_of
from multistable.nn.ops import gru, gru_weights

__all__ = ["GRUDynamics", "LSTMDynamics", "RNNDynamics", "TorchDynamics"]


class Weights(NamedTuple):
    """The weights of one layer and direction, in the order in which torch's kernels take them."""

    ih: Tensor
    hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None
    hr: Tensor | None = None

    def flat(self) -> list[Tensor]:
        return [weight for weight in self if weight is not None]


class TorchDynamics(Dynamics):
    """One layer and direction of `nn.RNN`, `nn.GRU` or `nn.LSTM`, or one of torch's cells.

    Args:
        module: the layer's module.
        suffix: what the layer's parameter names end in: `"_l0"`, `"_l1_reverse"`, or `""` for a cell.
        name: the layer's name.
    """

    def __init__(self, module: nn.Module, suffix: str, name: str) -> None:
        self.module = module
        self.suffix = suffix
        sizes = self.weights()
        output_size = sizes.hh.shape[1]
        super().__init__(
            name, sizes.ih.shape[1], self._state_size(sizes), output_size, reverse=suffix.endswith("_reverse")
        )

    def _state_size(self, weights: Weights) -> int:
        return weights.hh.shape[1]

    def weights(self) -> Weights:
        """The layer's parameters; a bias or projection that the module does without is None."""
        return Weights(
            self._parameter("weight_ih"),
            self._parameter("weight_hh"),
            self._parameter("bias_ih") if self.module.bias else None,
            self._parameter("bias_hh") if self.module.bias else None,
            self._parameter("weight_hr") if getattr(self.module, "proj_size", 0) else None,
        )

    def _parameter(self, kind: str) -> nn.Parameter:
        return parameter_of(self.module, kind + self.suffix)

    def parameters(self) -> Sequence[nn.Parameter]:
        return cast("list[nn.Parameter]", self.weights().flat())

    def scan(self, inputs: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        with unflattened_weights_allowed(s):
            return self._kernel(inputs, s, self.weights())

    def scan_constant(self, u: Tensor, steps: int, s: Tensor) -> tuple[Tensor, Tensor]:
        # W_ih u + b_ih is the same at every step: it is computed once and enters the kernel as a bias, beside an input
        # of a single zero.
        w = self.weights()
        bias_ih = F.linear(u, w.ih, w.bias_ih)
        bias_hh = torch.zeros_like(bias_ih) if w.bias_hh is None else w.bias_hh
        held = Weights(w.ih.new_zeros(len(bias_ih), 1), w.hh, bias_ih, bias_hh, w.hr)
        with unflattened_weights_allowed(s):
            return self._kernel(u.new_zeros(steps, len(s), 1), s, held)

    @abstractmethod
    def _kernel(self, inputs: Tensor, s: Tensor, weights: Weights) -> tuple[Tensor, Tensor]:
        """torch's kernel for one layer, (T, B, I), (B, S) -> outputs (T, B, O), last state (B, S)."""


class RNNDynamics(TorchDynamics):
    """h' = tanh(W_ih u + b_ih + W_hh h + b_hh), or relu in place of tanh (`nn.RNN`, `nn.RNNCell`)."""

    def step(self, s: Tensor, u: Tensor) -> Tensor:
        w = self.weights()
        drive = F.linear(u, w.ih, w.bias_ih) + F.linear(s, w.hh, w.bias_hh)
        return drive.tanh() if self.module.nonlinearity == "tanh" else drive.relu()

    def _kernel(self, inputs: Tensor, s: Tensor, weights: Weights) -> tuple[Tensor, Tensor]:
        kernel = torch.rnn_tanh if self.module.nonlinearity == "tanh" else torch.rnn_relu
        outputs, h = kernel(inputs, s[None].contiguous(), *_options(weights))
        return outputs, h[0]


class GRUDynamics(TorchDynamics):
    """h' = (1 - z) n + z h with n = tanh(W_in u + b_in + r (W_hn h + b_hn)) (`nn.GRU`, `nn.GRUCell`)."""

    def step(self, s: Tensor, u: Tensor) -> Tensor:
        w = self.weights()
        reset_u, update_u, new_u = F.linear(u, w.ih, w.bias_ih).chunk(3, -1)
        reset_s, update_s, new_s = F.linear(s, w.hh, w.bias_hh).chunk(3, -1)
        reset, update = (reset_u + reset_s).sigmoid(), (update_u + update_s).sigmoid()
        new = (new_u + reset * new_s).tanh()
        return (1 - update) * new + update * s

    def scan_packed(self, rows: Tensor, batch_sizes: Tensor) -> Tensor:
        if rows.device.type != "cpu":
            return super().scan_packed(rows, batch_sizes)
        # On a CPU torch's kernel has no backward pass of its own, but a node for each operation of each step.
        w = self.weights()
        weight_ih, bias = gru_weights(w.ih, w.bias_ih, w.bias_hh)
        outputs, _ = gru(rows, self.zero_state(int(batch_sizes[0])), weight_ih, w.hh, bias, batch_sizes)
        return outputs

    def _kernel(self, inputs: Tensor, s: Tensor, weights: Weights) -> tuple[Tensor, Tensor]:
        outputs, h = torch.gru(inputs, s[None].contiguous(), *_options(weights))
        return outputs, h[0]


class LSTMDynamics(TorchDynamics):
    """c' = f c + i g, h' = o tanh(c'), projected where `proj_size` says so (`nn.LSTM`, `nn.LSTMCell`). State: h, c."""

    def _state_size(self, weights: Weights) -> int:
        return weights.hh.shape[1] + weights.hh.shape[0] // 4

    def step(self, s: Tensor, u: Tensor) -> Tensor:
        w = self.weights()
        h, c = s[:, : self.output_size], s[:, self.output_size :]
        gates = F.linear(u, w.ih, w.bias_ih) + F.linear(h, w.hh, w.bias_hh)
        input_gate, forget_gate, cell, output_gate = gates.chunk(4, -1)
        c = forget_gate.sigmoid() * c + input_gate.sigmoid() * cell.tanh()
        h = output_gate.sigmoid() * c.tanh()
        return torch.cat([h if w.hr is None else F.linear(h, w.hr), c], -1)

    def _kernel(self, inputs: Tensor, s: Tensor, weights: Weights) -> tuple[Tensor, Tensor]:
        h, c = s[None, :, : self.output_size].contiguous(), s[None, :, self.output_size :].contiguous()
        outputs, h, c = torch.lstm(inputs, (h, c), *_options(weights))
        return outputs, torch.cat([h[0], c[0]], -1)


def _options(weights: Weights) -> tuple[list[Tensor], bool, int, float, bool, bool, bool]:
    """One layer, no dropout, one direction, time first. cuDNN has a backward pass only where `train` is true."""
    train = torch.is_grad_enabled()
    return weights.flat(), weights.bias_ih is not None, 1, 0.0, train, False, False
