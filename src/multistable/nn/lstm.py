"""`LSTM`: long short-term memory as a layer, whose input and forget gates can be hard."""

import torch
from torch import Tensor

from multistable.nn import ops
from multistable.nn._directions import Weights
from multistable.nn._layer import RecurrentLayer
from multistable.nn.gru import draw_as_torch

__all__ = ["LSTM"]


class LSTM(RecurrentLayer):
    """torch's `nn.LSTM`, with input and forget gates that can be hard.

        i = clamp((1 + 2 hardness) sigmoid(W_ii x + b_ii + W_hi h + b_hi) - hardness, 0, 1)
        f = clamp((1 + 2 hardness) sigmoid(W_if x + b_if + W_hf h + b_hf) - hardness, 0, 1)
        g = tanh(W_ig x + b_ig + W_hg h + b_hg)
        o = sigmoid(W_io x + b_io + W_ho h + b_ho)
        c' = f * c + i * g
        h' = o * tanh(c')

    At hardness 0 it is `nn.LSTM`, parameter by parameter, and state dicts move both ways. Above 0 both gates reach
    their ends: where f is 1 and i is 0, c' is c to the bit, whatever comes in. Parameters of layer k are `weight_ih_lk`
    (4 H, I), `weight_hh_lk` (4 H, H), `bias_ih_lk` and `bias_hh_lk` (4 H,), in the order i, f, g, o, drawn as torch
    draws them.

    Args:
        input_size: I, features of an input.
        hidden_size: H, hidden units.
        num_layers: layers on top of each other.
        bias: whether there are biases.
        batch_first: whether batched inputs and outputs are (B, T, F) instead of (T, B, F).
        dropout: probability with which dropout zeroes what each layer but the last passes on, in training.
        bidirectional: whether a second layer beside each reads from the end.
        proj_size: 0; projections are not supported.
        device: where the parameters lie.
        dtype: the parameters' type.
        hardness: of the input and forget gates. A buffer, which `Hardening` raises in training; a state dict carries it
            where it is not 0.

    Raises:
        TypeError: a size is no int, a flag no bool, or `hardness` no number.
        ValueError: a size is not above zero, `dropout` not in [0, 1], `hardness` negative or not finite, or `proj_size`
            not 0.

    Examples:
        >>> import torch
        >>> from multistable.nn import LSTM
        >>> outputs, (h, c) = LSTM(3, 8, num_layers=2, hardness=0.3)(torch.randn(20, 5, 3))
        >>> outputs.shape, h.shape, c.shape
        (torch.Size([20, 5, 8]), torch.Size([2, 5, 8]), torch.Size([2, 5, 8]))
    """

    recurrence = ops.lstm
    bias_names = ("bias_ih", "bias_hh")
    proj_size = 0

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        *,
        hardness: float = 0.0,
    ) -> None:
        if proj_size != 0:
            raise ValueError(f"proj_size must be 0, as projections are not supported, got {proj_size}")
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
            hardness=hardness,
        )

    @staticmethod
    def as_given(weights: Weights) -> tuple[Tensor, Tensor, Tensor | None]:
        return ops.lstm_weights(weights.ih, weights.hh, weights.bias, weights.bias_hh)

    def _reset_direction(self, weights: Weights) -> None:
        draw_as_torch(weights, self.hidden_size)
