"""`identity_`: the identity as recurrent matrix of a ReLU network."""

import torch

from multistable._utils.checks import check_positive
from multistable.init._draw import Draw
from multistable.init._layers import RNN, Module, find_layers, with_nonlinearity, zero

__all__ = ["identity_"]


def identity_(module: Module, gain: float = 1.0, *, generator: torch.Generator | int | None = None) -> Module:
    """Make the recurrent matrix of a ReLU network the identity: IRNN (Le, Jaitly and Hinton 2015, arXiv:1504.00941).

    Biases are zero, input weights are drawn from N(0, 0.001^2). Without input every state that is not negative stays as
    it is: a continuum of equilibria, none of which attracts.

    Args:
        module: an `nn.RNN` or `nn.RNNCell` with `nonlinearity="relu"`.
        gain: what the identity is multiplied by; the source takes less than one where memory should be short.
        generator: draws the input weights.

    Raises:
        TypeError: `module` is no such network, or `gain` is no number.
        ValueError: `gain` is not finite and above 0.

    Examples:
        >>> import torch
        >>> from multistable import init
        >>> rnn = init.identity_(torch.nn.RNN(3, 8, nonlinearity="relu"))
        >>> torch.equal(rnn.weight_hh_l0, torch.eye(8))
        True
    """
    gain = check_positive("gain", gain)
    layers = find_layers("identity_", module, RNN)
    with_nonlinearity("identity_", layers, "relu")
    draw = Draw(generator)
    for layer in layers:
        draw.normal([layer.values("weight_ih")], 1e-3)
        layer.values("weight_hh").zero_().fill_diagonal_(gain)
        zero(layer.biases())
    return module
