"""The recurrences of the layers, each with its plain reference beside the fast form.

All are called as `brc(inputs, h, weight_ih, weight_hh, bias=None, batch_sizes=None, hardness=0.0)`, with inputs
(T, B, I) or the rows (N, I) of a `PackedSequence` and its batch sizes, and return the states after each step and the
last state of each sequence. The gates through which a value is kept are clamp((1 + 2 hardness) sigmoid(x) - hardness,
0, 1): exactly open and exactly closed from a finite x on, where they pass a state, and its gradient, to the bit.

Examples:
    >>> import torch
    >>> from multistable.nn.ops import brc, brc_reference
    >>> weights = torch.randn(12, 3), torch.ones(2, 4)
    >>> inputs, h = torch.randn(7, 5, 3), torch.zeros(5, 4)
    >>> torch.allclose(brc(inputs, h, *weights)[0], brc_reference(inputs, h, *weights)[0], atol=1e-6)
    True
"""

from multistable.nn.ops._brc import brc, brc_reference, brc_step
from multistable.nn.ops._gru import gru, gru_reference, gru_step, gru_weights
from multistable.nn.ops._lstm import lstm, lstm_reference, lstm_step, lstm_weights
from multistable.nn.ops._mgu import mgu, mgu_reference, mgu_step
from multistable.nn.ops._nbrc import nbrc, nbrc_reference, nbrc_step
from multistable.nn.ops._recurrence import Recurrence

__all__ = [
    "Recurrence",
    "brc",
    "brc_reference",
    "brc_step",
    "gru",
    "gru_reference",
    "gru_step",
    "gru_weights",
    "lstm",
    "lstm_reference",
    "lstm_step",
    "lstm_weights",
    "mgu",
    "mgu_reference",
    "mgu_step",
    "nbrc",
    "nbrc_reference",
    "nbrc_step",
]
