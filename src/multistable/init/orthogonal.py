"""`orthogonal_`: orthogonal recurrent matrices."""

import torch

from multistable._utils.checks import check_positive
from multistable.init._draw import Draw
from multistable.init._layers import GRU, LSTM, MGU, NBRC, RNN, Module, find_layers

__all__ = ["orthogonal_"]


def orthogonal_(module: Module, gain: float = 1.0, *, generator: torch.Generator | int | None = None) -> Module:
    """Draw each gate's recurrent matrix orthogonal (Saxe, McClelland and Ganguli 2014, arXiv:1312.6120).

    Input weights and biases stay as they are.

    Args:
        module: any recurrent module but a `BRC`, whose recurrent weights are no matrices.
        gain: what the matrices are multiplied by.
        generator: draws the matrices.

    Raises:
        TypeError: `module` has no recurrent matrices, or `gain` is no number.
        ValueError: `gain` is not finite and above 0.

    Examples:
        >>> import torch
        >>> from multistable import init
        >>> rnn = init.orthogonal_(torch.nn.RNN(3, 8), gain=2.0)
        >>> torch.allclose(rnn.weight_hh_l0 @ rnn.weight_hh_l0.T, 4 * torch.eye(8), atol=1e-5)
        True
    """
    gain = check_positive("gain", gain)
    layers = find_layers("orthogonal_", module, (*RNN, *GRU, *LSTM, *MGU, *NBRC))
    draw = Draw(generator)
    for layer in layers:
        draw.orthogonal(layer.gates("weight_hh"), gain)
    return module
