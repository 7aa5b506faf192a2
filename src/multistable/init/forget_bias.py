"""`forget_bias_`: the bias of an LSTM's forget gate."""

from torch import nn

from multistable._utils.checks import check_finite_number
from multistable.init._layers import LSTM, Module, find_layers, with_biases, zero

__all__ = ["forget_bias_"]


def forget_bias_(module: Module, value: float = 1.0) -> Module:
    """Set the bias of an LSTM's forget gate (Gers, Schmidhuber and Cummins 2000; Jozefowicz et al. 2015).

    The two biases that torch has for the gate add up to `value`: one holds it and the other is zero. Everything else
    stays as it is.

    Args:
        module: an LSTM, with biases.
        value: the bias.

    Raises:
        TypeError: `module` is no LSTM, or `value` no number.
        ValueError: `module` has no biases, or `value` is not finite.

    Examples:
        >>> import torch
        >>> from multistable import init
        >>> lstm = init.forget_bias_(torch.nn.LSTM(3, 8), 2.0)
        >>> (lstm.bias_ih_l0 + lstm.bias_hh_l0)[8:16].unique().item()
        2.0
    """
    value = check_finite_number("value", value)
    for layer in with_biases("forget_bias_", find_layers("forget_bias_", module, LSTM)):
        nn.init.constant_(layer.gates("bias_ih")[1], value)
        zero([layer.gates("bias_hh")[1]])
    return module
