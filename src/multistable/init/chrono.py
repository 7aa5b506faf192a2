"""`chrono_`: gates that keep the state for up to a given number of steps."""

import torch
from torch import Tensor

from multistable._utils.checks import check_positive
from multistable.init._draw import Draw
from multistable.init._keeping import KEEPING, fill_keeping
from multistable.init._layers import Module, find_layers, with_biases

__all__ = ["chrono_"]


def chrono_(
    module: Module, t_max: float, *, doubled: bool = False, generator: torch.Generator | int | None = None
) -> Module:
    """Draw biases for memories of up to `t_max` steps: chrono (Tallec and Ollivier 2018, arXiv:1804.11188).

    LSTM: the forget gate's bias is log u with u ~ U(1, t_max - 1), the input gate's is its negative. GRU, BRC and nBRC:
    the bias of the gate that keeps the state (torch's update gate, and c) is log u; MGU: that of the gate that takes
    the new one is -log u. All other biases are zero, and weights stay as they are.

    Args:
        module: an LSTM, GRU, `MGU`, `BRC` or `NBRC`, with biases.
        t_max: the longest time to bridge, in steps, 2 or more.
        doubled: LSTMs and GRUs have two biases for each gate, which add up. By default one is set and the other is
            zero; with `doubled` both are set, so that their sum is twice what it should be, as in the published code
            of Lambrechts et al. 2023. The other cells have one.
        generator: draws u.

    Raises:
        TypeError: `module` has no such gates, or `t_max` no number.
        ValueError: `module` has no biases, or `t_max` is below 2.

    Examples:
        >>> import torch
        >>> from multistable import init
        >>> gru = init.chrono_(torch.nn.GRU(3, 8), t_max=2)
        >>> gru.bias_ih_l0.abs().max().item()
        0.0
    """
    t_max = check_positive("t_max", t_max)
    if t_max < 2:
        raise ValueError(f"t_max must be at least 2, got {t_max}")
    layers = with_biases("chrono_", find_layers("chrono_", module, KEEPING))
    draw = Draw(generator)

    def fill(keeping: Tensor) -> None:
        draw.uniform([keeping], 1, t_max - 1)
        keeping.log_()

    for layer in layers:
        fill_keeping(layer, fill)
        first, *others = layer.biases()
        for other in others if doubled else ():
            other.copy_(first)
    return module
