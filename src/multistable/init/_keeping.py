"""The bias of the gate that keeps a state."""

from collections.abc import Callable

from torch import Tensor

from multistable.init._layers import BRC, GRU, LSTM, MGU, NBRC, zero
from multistable.nn._directions import Direction

__all__ = ["KEEPING", "fill_keeping"]

KEEPING = (*LSTM, *GRU, *MGU, *BRC, *NBRC)
"""The types that have such a gate: forget of an LSTM and MGU, update of a GRU, c of a BRC and nBRC."""


def fill_keeping(layer: Direction, fill: Callable[[Tensor], None]) -> None:
    """Set all biases of a layer to zero but that of the gate that keeps, which is filled.

    Of an LSTM the input gate gets the negative, and so does MGU's gate, which opens for what is new. Where there are
    two biases for a gate, one is set.
    """
    biases = layer.biases()
    zero(biases)
    gates = biases[0].split(layer.hidden_size)
    keeping = gates[1 if len(biases) == 2 else 0]
    fill(keeping)
    if isinstance(layer.module, LSTM):
        gates[0].copy_(-keeping)
    if isinstance(layer.module, MGU):
        keeping.neg_()
