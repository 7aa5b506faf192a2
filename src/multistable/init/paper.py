"""`paper_`: what Lambrechts et al. 2023 start each cell from."""

import math

import torch
from torch import nn

from multistable.init._draw import Draw
from multistable.init._layers import BRC, GRU, LSTM, MGU, NBRC, Module, find_layers, zero

__all__ = ["paper_"]


def paper_(module: Module, *, generator: torch.Generator | int | None = None) -> Module:
    """Draw what Lambrechts et al. 2023 (arXiv:2106.01001) start each cell from.

    GRU: input weights Xavier-uniform and recurrent weights orthogonal for each gate, biases zero. LSTM: torch's
    default, all uniform in +-1 / sqrt(H). MGU, BRC, nBRC: Xavier-uniform for each gate, biases zero, BRC's recurrent
    weights one, which is how `multistable.nn` draws them anyway.

    Args:
        module: a GRU, LSTM, `MGU`, `BRC` or `NBRC`.
        generator: draws the weights.

    Raises:
        TypeError: the paper has no such cell.

    Examples:
        >>> import torch
        >>> from multistable import init
        >>> gru = init.paper_(torch.nn.GRU(3, 8), generator=0)
        >>> reset = gru.weight_hh_l0[:8]
        >>> torch.allclose(reset @ reset.T, torch.eye(8), atol=1e-5)
        True
    """
    layers = find_layers("paper_", module, (*GRU, *LSTM, *MGU, *BRC, *NBRC))
    draw = Draw(generator)
    for layer in layers:
        if isinstance(layer.module, GRU):
            draw.xavier(layer.gates("weight_ih"))
            draw.orthogonal(layer.gates("weight_hh"), gain=1.0)
            zero(layer.biases())
        elif isinstance(layer.module, LSTM):
            bound = 1 / math.sqrt(layer.module.hidden_size)
            draw.uniform([weight.detach() for weight in layer.own_weights()], -bound, bound)
        else:
            draw.xavier(layer.gates("weight_ih"))
            if isinstance(layer.module, BRC):
                nn.init.ones_(layer.values("weight_hh"))
            else:
                draw.xavier(layer.gates("weight_hh"))
            zero(layer.biases())
    return module
