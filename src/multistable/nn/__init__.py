"""Recurrent layers to use in place of torch's: `GRU`, `LSTM`, `MGU`, `BRC` and `NBRC`, and any layer type doubled.

They take the arguments, inputs and states of torch's layers, without a compiler, and their gates can be hard: then they
keep a value to the bit. `MGUCell`, `BRCCell` and `NBRCCell` take a single step, as torch's cells do.

Examples:
    >>> import torch
    >>> from multistable.nn import BRC
    >>> brc = BRC(input_size=3, hidden_size=16, num_layers=2, batch_first=True)
    >>> outputs, last = brc(torch.randn(5, 20, 3))
    >>> outputs.shape
    torch.Size([5, 20, 16])
"""

from multistable.nn.brc import BRC, BRCCell
from multistable.nn.conversion import convert, revert
from multistable.nn.double_layer import DoubleLayer
from multistable.nn.gru import GRU
from multistable.nn.hardening import Hardening, set_hardness
from multistable.nn.lstm import LSTM
from multistable.nn.mgu import MGU, MGUCell
from multistable.nn.nbrc import NBRC, NBRCCell

__all__ = [
    "BRC",
    "GRU",
    "LSTM",
    "MGU",
    "NBRC",
    "BRCCell",
    "DoubleLayer",
    "Hardening",
    "MGUCell",
    "NBRCCell",
    "convert",
    "revert",
    "set_hardness",
]
