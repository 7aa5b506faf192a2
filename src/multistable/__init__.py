"""Recurrent networks that remember: measure and raise the multistability of any torch recurrent network.

Examples:
    >>> import torch
    >>> import multistable
    >>> _ = torch.manual_seed(0)
    >>> gru = torch.nn.GRU(input_size=1, hidden_size=32)
    >>> sequences = torch.randn(50, 64, 1)  # (T, B, I), as the module takes them
    >>> result = multistable.warmup(gru, sequences, generator=0)
    >>> result.before.vaa < result.after.vaa
    True
"""

from multistable import init, nn
from multistable.attractors import Attractor, Attractors, attractors
from multistable.functional import vaa, vaa_star
from multistable.measure import Multistability, measure
from multistable.warmup import WarmupResult, warmup

__all__ = [
    "Attractor",
    "Attractors",
    "Multistability",
    "WarmupResult",
    "attractors",
    "init",
    "measure",
    "nn",
    "vaa",
    "vaa_star",
    "warmup",
]
