"""`Dynamics` of torch's own recurrent layers and cells, on torch's own kernels."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from multistable.dynamics._cudnn import unflattened_weights_allowed
from multistable.dynamics._device import few_calls_pay
from multistable.dynamics._of_direction import DirectionDynamics
from multistable.nn._directions import Weights
from multistable.nn.ops import gru, gru_weights

__all__ = ["GRUDynamics", "LSTMDynamics", "RNNDynamics", "TorchDynamics"]


class TorchDynamics(DirectionDynamics):
    """One layer and direction of `nn.RNN`, `nn.GRU` or `nn.LSTM`, or one of torch's cells."""

    def scan(self, inputs: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        outputs, (last,) = self.kernel(inputs, [s], [self.weights()])
        return outputs, last

    def scan_constant(self, u: Tensor, steps: int, s: Tensor) -> tuple[Tensor, Tensor]:
        outputs, (last,) = self.kernel(u.new_zeros(steps, len(s), 1), [s], [self.held(u)])
        return outputs, last

    def run_packed(self, rows: Tensor, batch_sizes: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        outputs, (last,) = self.kernel(rows, [s], [self.weights()], batch_sizes)
        return outputs, last

    def held(self, u: Tensor) -> Weights:
        """The weights under the constant input `u`, (I,), those of a layer whose input is a single zero."""
        # W_ih u + b_ih is the same at every step: it is computed once, and enters as a bias.
        w = self.weights()
        bias = F.linear(u, w.ih, w.bias)
        bias_hh = torch.zeros_like(bias) if w.bias_hh is None else w.bias_hh
        return Weights(w.ih.new_zeros(len(bias), 1), w.hh, bias, bias_hh, w.hr)

    def kernel(
        self, inputs: Tensor, states: Sequence[Tensor], weights: Sequence[Weights], batch_sizes: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """torch's kernel for layers of this one's type on top of each other, in one direction.

        Args:
            inputs: (T, B, I), or the rows (N, I) of a `PackedSequence` with its batch sizes.
            states: what each layer starts from, (B, S).
            weights: of each layer.
            batch_sizes: those of a `PackedSequence`, on the CPU.

        Returns:
            The outputs of the top layer, (T, B, O) or (N, O), and the last state of each, (B, S).
        """
        with unflattened_weights_allowed(inputs):
            return self._kernel(inputs, states, weights, batch_sizes)

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
    def _kernel(
        self, inputs: Tensor, states: Sequence[Tensor], weights: Sequence[Weights], batch_sizes: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """As `kernel` describes it."""


class RNNDynamics(TorchDynamics):
    """h' = tanh(W_ih u + b_ih + W_hh h + b_hh), or relu in place of tanh (`nn.RNN`, `nn.RNNCell`)."""

    def _after(self, by_others: Tensor, s: Tensor, u: Tensor) -> Tensor:
        w = self.weights()
        drive = F.linear(u, w.ih, w.bias) + by_others
        return drive.tanh() if self.module.nonlinearity == "tanh" else drive.relu()

    def _kernel(
        self, inputs: Tensor, states: Sequence[Tensor], weights: Sequence[Weights], batch_sizes: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        kernel = torch.rnn_tanh if self.module.nonlinearity == "tanh" else torch.rnn_relu
        outputs, h = kernel(*_arguments(inputs, torch.stack(list(states)), weights, batch_sizes))
        return outputs, list(h.unbind())


class GRUDynamics(TorchDynamics):
    """h' = (1 - z) n + z h with n = tanh(W_in u + b_in + r (W_hn h + b_hn)) (`nn.GRU`, `nn.GRUCell`)."""

    def _after(self, by_others: Tensor, s: Tensor, u: Tensor) -> Tensor:
        w = self.weights()
        reset_u, update_u, new_u = F.linear(u, w.ih, w.bias).chunk(3, -1)
        reset_s, update_s, new_s = by_others.chunk(3, -1)
        reset, update = (reset_u + reset_s).sigmoid(), (update_u + update_s).sigmoid()
        new = (new_u + reset * new_s).tanh()
        return (1 - update) * new + update * s

    def packs(self, device: torch.device) -> bool:
        return True

    def scan_packed(self, rows: Tensor, batch_sizes: Tensor) -> Tensor:
        return self.run_packed(rows, batch_sizes, self.zero_state(int(batch_sizes[0])))[0]

    def run_packed(self, rows: Tensor, batch_sizes: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        if few_calls_pay(rows.device):
            return super().run_packed(rows, batch_sizes, s)
        # On a CPU torch's kernel has no backward pass of its own, but a node for each operation of each step.
        w = self.weights()
        weight_ih, bias = gru_weights(w.ih, w.bias, w.bias_hh)
        return gru(rows, s, weight_ih, w.hh, bias, batch_sizes)

    def _kernel(
        self, inputs: Tensor, states: Sequence[Tensor], weights: Sequence[Weights], batch_sizes: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        outputs, h = torch.gru(*_arguments(inputs, torch.stack(list(states)), weights, batch_sizes))
        return outputs, list(h.unbind())


class LSTMDynamics(TorchDynamics):
    """c' = f c + i g, h' = o tanh(c'), projected where `proj_size` says so (`nn.LSTM`, `nn.LSTMCell`). State: h, c."""

    def _state_size(self, weights: Weights) -> int:
        return weights.hh.shape[1] + weights.hh.shape[0] // 4

    def cell_state(self, s: Tensor) -> Tensor:
        return s[:, self.output_size :]

    def _after(self, by_others: Tensor, s: Tensor, u: Tensor) -> Tensor:
        w = self.weights()
        c = s[:, self.output_size :]
        gates = F.linear(u, w.ih, w.bias) + by_others
        input_gate, forget_gate, cell, output_gate = gates.chunk(4, -1)
        c = forget_gate.sigmoid() * c + input_gate.sigmoid() * cell.tanh()
        h = output_gate.sigmoid() * c.tanh()
        return torch.cat([h if w.hr is None else F.linear(h, w.hr), c], -1)

    def _kernel(
        self, inputs: Tensor, states: Sequence[Tensor], weights: Sequence[Weights], batch_sizes: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        start = tuple(
            torch.stack(list(parts))
            for parts in zip(
                *(s.split([self.output_size, s.shape[1] - self.output_size], -1) for s in states), strict=True
            )
        )
        outputs, h, c = torch.lstm(*_arguments(inputs, start, weights, batch_sizes))
        return outputs, list(torch.cat([h, c], -1).unbind())


def _arguments(
    inputs: Tensor, start: Tensor | tuple[Tensor, ...], weights: Sequence[Weights], batch_sizes: Tensor | None
) -> tuple[Any, ...]:
    """For torch's kernels: no dropout, one direction. cuDNN has a backward pass only where `train` is true."""
    biased = any(w.bias is not None for w in weights)
    flat = [one for w in weights for one in (_with_bias(w) if biased else w).flat()]
    options = (flat, biased, len(weights), 0.0, torch.is_grad_enabled(), False)
    # The inputs of equal length are followed by whether the batch comes first.
    return (inputs, start, *options, False) if batch_sizes is None else (inputs, batch_sizes, start, *options)


def _with_bias(weights: Weights) -> Weights:
    if weights.bias is not None:
        return weights
    nothing = weights.hh.new_zeros(len(weights.hh))
    return weights._replace(bias=nothing, bias_hh=nothing)
