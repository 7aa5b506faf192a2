"""`uniform_gates_`: gates that are spread evenly between open and shut."""

import torch
from torch import Tensor

from multistable.init._draw import Draw
from multistable.init._keeping import KEEPING, fill_keeping
from multistable.init._layers import Module, find_layers, with_biases

__all__ = ["uniform_gates_"]


def uniform_gates_(module: Module, *, generator: torch.Generator | int | None = None) -> Module:
    """Draw biases that make gates uniform: uniform gate initialisation (Gu et al. 2020, arXiv:1910.09890, section 3.2).

    The bias of the gate that keeps the state is log(u / (1 - u)) with u ~ U(1/H, 1 - 1/H), so that without input the
    gate is u, and time constants reach from about one step to H. The gates are those of `chrono_`: of an LSTM the input
    gate's bias is the forget gate's negative, MGU's gate has the negative as it takes what is new. All other biases are
    zero, and weights stay as they are.

    Args:
        module: an LSTM, GRU, `MGU`, `BRC` or `NBRC`, with biases and two hidden units or more.
        generator: draws u.

    Raises:
        TypeError: `module` has no such gates.
        ValueError: `module` has no biases, or a single hidden unit.

    Examples:
        >>> import torch
        >>> from multistable import init
        >>> gru = init.uniform_gates_(torch.nn.GRU(3, 8), generator=0)
        >>> update = gru.bias_ih_l0[8:16].sigmoid()
        >>> bool((update >= 1 / 8).all() and (update <= 7 / 8).all())
        True
    """
    layers = with_biases("uniform_gates_", find_layers("uniform_gates_", module, KEEPING))
    if any(layer.hidden_size < 2 for layer in layers):
        raise ValueError("uniform_gates_ takes layers of two hidden units or more, got one of a single unit")
    draw = Draw(generator)
    for layer in layers:

        def fill(keeping: Tensor, least: float = 1 / layer.hidden_size) -> None:
            draw.uniform([keeping], least, 1 - least)
            keeping.logit_()

        fill_keeping(layer, fill)
    return module
