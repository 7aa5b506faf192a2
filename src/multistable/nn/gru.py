"""`GRU`: the gated recurrent unit as a layer, whose update gate can be hard."""

import torch
from torch import Tensor

from multistable.nn import ops
from multistable.nn._directions import Weights
from multistable.nn._layer import RecurrentLayer

__all__ = ["GRU"]


class GRU(RecurrentLayer):
    """torch's `nn.GRU`, with an update gate that can be hard.

        r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
        z = clamp((1 + 2 hardness) sigmoid(W_iz x + b_iz + W_hz h + b_hz) - hardness, 0, 1)
        n = tanh(W_in x + b_in + r * (W_hn h + b_hn))
        h' = (1 - z) * n + z * h

    At hardness 0 it is `nn.GRU`, parameter by parameter, and state dicts move both ways. Above 0 the gate is exactly 1
    from a finite x on: there h' is h to the bit, whatever comes in. Parameters of layer k are `weight_ih_lk` (3 H, I),
    `weight_hh_lk` (3 H, H), `bias_ih_lk` and `bias_hh_lk` (3 H,), in the order r, z, n, drawn as torch draws them.

    Args:
        input_size: I, features of an input.
        hidden_size: H, hidden units.
        num_layers: layers on top of each other.
        bias: whether there are biases.
        batch_first: whether batched inputs and outputs are (B, T, F) instead of (T, B, F).
        dropout: probability with which dropout zeroes what each layer but the last passes on, in training.
        bidirectional: whether a second layer beside each reads from the end.
        device: where the parameters lie.
        dtype: the parameters' type.
        hardness: of the update gate. A buffer, which `Hardening` raises in training; a state dict carries it where it
            is not 0.

    Raises:
        TypeError: a size is no int, a flag no bool, or `hardness` no number.
        ValueError: a size is not above zero, `dropout` not in [0, 1], or `hardness` negative or not finite.

    Examples:
        >>> import torch
        >>> from multistable.nn import GRU
        >>> gru = GRU(3, 8, batch_first=True, hardness=0.3)
        >>> outputs, last = gru(torch.randn(5, 20, 3))
        >>> outputs.shape, last.shape
        (torch.Size([5, 20, 8]), torch.Size([1, 5, 8]))
    """

    recurrence = ops.gru
    bias_names = ("bias_ih", "bias_hh")

    @staticmethod
    def as_given(weights: Weights) -> tuple[Tensor, Tensor, Tensor | None]:
        weight_ih, bias = ops.gru_weights(weights.ih, weights.bias, weights.bias_hh)
        return weight_ih, weights.hh, bias

    def _reset_direction(self, weights: Weights) -> None:
        draw_as_torch(weights, self.hidden_size)


def draw_as_torch(weights: Weights, hidden_size: int) -> None:
    """Draw all weights uniformly between -1 / sqrt(H) and 1 / sqrt(H), in torch's order."""
    bound = hidden_size**-0.5
    for weight in weights.flat():
        torch.nn.init.uniform_(weight, -bound, bound)
