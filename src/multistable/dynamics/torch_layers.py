"""`Dynamics` of torch's own recurrent layers and cells, on torch's own kernels."""

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

from multistable.dynamics._cudnn import unflattened_weights_allowed
from multistable.dynamics._of_direction import DirectionDynamics
from multistable.nn._directions import Weights
from multistable.nn.ops import gru, gru_weights

__all__ = ["GRUDynamics", "LSTMDynamics", "RNNDynamics", "TorchDynamics"]


class TorchDynamics(DirectionDynamics):
    """One layer and direction of `nn.RNN`, `nn.GRU` or `nn.LSTM`, or one of torch's cells."""

    def scan(self, inputs: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        with unflattened_weights_allowed(s):
            return self._kernel(inputs, s, self.weights())

    def scan_constant(self, u: Tensor, steps: int, s: Tensor) -> tuple[Tensor, Tensor]:
        # W_ih u + b_ih is the same at every step: it is computed once and enters the kernel as a bias, beside an input
        # of a single zero.
        w = self.weights()
        bias = F.linear(u, w.ih, w.bias)
        bias_hh = torch.zeros_like(bias) if w.bias_hh is None else w.bias_hh
        held = Weights(w.ih.new_zeros(len(bias), 1), w.hh, bias, bias_hh, w.hr)
        with unflattened_weights_allowed(s):
            return self._kernel(u.new_zeros(steps, len(s), 1), s, held)

    def step(self, s: Tensor, u: Tensor) -> Tensor:
        w = self.weights()
        return self._after(F.linear(s[:, : w.hh.shape[1]], w.hh, w.bias_hh), s, u)

    def jacobian(self, s: Tensor, u: Tensor) -> Tensor | None:
        """The derivatives of `step` by the state, (B, S, S), from its form; None where it has another.

        Each unit sees the state of the others through W_hh alone, so that a row of the Jacobian is a sum of rows of
        W_hh, and what the unit does with its own state.
        """
        w = self.weights()
        if w.hr is not None:
            return None
        hidden, parts = w.hh.shape[1], self.state_size // w.hh.shape[1]
        with torch.enable_grad():
            s = s.detach().requires_grad_()
            by_others = F.linear(s[:, :hidden], w.hh, w.bias_hh).detach().requires_grad_()
            after = self._after(by_others, s, u.expand(len(s), -1)).unflatten(1, (parts, hidden))
            slopes = [
                torch.autograd.grad(one.sum(), (by_others, s), retain_graph=True, materialize_grads=True)
                for one in after.unbind(1)
            ]
        jacobian = s.new_zeros(len(s), parts, hidden, parts, hidden)
        for k, (through, own) in enumerate(slopes):
            for slope, weight in zip(through.unflatten(1, (-1, hidden)).unbind(1), w.hh.split(hidden), strict=True):
                jacobian[:, k, :, 0].addcmul_(slope[..., None], weight.detach())
            for j, one in enumerate(own.unflatten(1, (parts, hidden)).unbind(1)):
                jacobian[:, k, :, j].diagonal(dim1=1, dim2=2).add_(one)
        return jacobian.flatten(3, 4).flatten(1, 2)

    @abstractmethod
    def _after(self, by_others: Tensor, s: Tensor, u: Tensor) -> Tensor:
        """The next state, given W_hh h + b_hh, unit by unit."""

    @abstractmethod
    def _kernel(self, inputs: Tensor, s: Tensor, weights: Weights) -> tuple[Tensor, Tensor]:
        """torch's kernel for one layer, (T, B, I), (B, S) -> outputs (T, B, O), last state (B, S)."""


class RNNDynamics(TorchDynamics):
    """h' = tanh(W_ih u + b_ih + W_hh h + b_hh), or relu in place of tanh (`nn.RNN`, `nn.RNNCell`)."""

    def _after(self, by_others: Tensor, s: Tensor, u: Tensor) -> Tensor:
        w = self.weights()
        drive = F.linear(u, w.ih, w.bias) + by_others
        return drive.tanh() if self.module.nonlinearity == "tanh" else drive.relu()

    def _kernel(self, inputs: Tensor, s: Tensor, weights: Weights) -> tuple[Tensor, Tensor]:
        kernel = torch.rnn_tanh if self.module.nonlinearity == "tanh" else torch.rnn_relu
        outputs, h = kernel(inputs, s[None].contiguous(), *_options(weights))
        return outputs, h[0]


class GRUDynamics(TorchDynamics):
    """h' = (1 - z) n + z h with n = tanh(W_in u + b_in + r (W_hn h + b_hn)) (`nn.GRU`, `nn.GRUCell`)."""

    def _after(self, by_others: Tensor, s: Tensor, u: Tensor) -> Tensor:
        w = self.weights()
        reset_u, update_u, new_u = F.linear(u, w.ih, w.bias).chunk(3, -1)
        reset_s, update_s, new_s = by_others.chunk(3, -1)
        reset, update = (reset_u + reset_s).sigmoid(), (update_u + update_s).sigmoid()
        new = (new_u + reset * new_s).tanh()
        return (1 - update) * new + update * s

    def scan_packed(self, rows: Tensor, batch_sizes: Tensor) -> Tensor:
        if rows.device.type != "cpu":
            return super().scan_packed(rows, batch_sizes)
        # On a CPU torch's kernel has no backward pass of its own, but a node for each operation of each step.
        w = self.weights()
        weight_ih, bias = gru_weights(w.ih, w.bias, w.bias_hh)
        outputs, _ = gru(rows, self.zero_state(int(batch_sizes[0])), weight_ih, w.hh, bias, batch_sizes)
        return outputs

    def _kernel(self, inputs: Tensor, s: Tensor, weights: Weights) -> tuple[Tensor, Tensor]:
        outputs, h = torch.gru(inputs, s[None].contiguous(), *_options(weights))
        return outputs, h[0]


class LSTMDynamics(TorchDynamics):
    """c' = f c + i g, h' = o tanh(c'), projected where `proj_size` says so (`nn.LSTM`, `nn.LSTMCell`). State: h, c."""

    def _state_size(self, weights: Weights) -> int:
        return weights.hh.shape[1] + weights.hh.shape[0] // 4

    def _after(self, by_others: Tensor, s: Tensor, u: Tensor) -> Tensor:
        w = self.weights()
        c = s[:, self.output_size :]
        gates = F.linear(u, w.ih, w.bias) + by_others
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
    return weights.flat(), weights.bias is not None, 1, 0.0, train, False, False
