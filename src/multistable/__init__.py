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

from multistable import init as init
from multistable import nn as nn
from multistable._attractors import Attractor, Attractors, FixedPoints, attractors, fixed_points
from multistable._held import Held, held, margin_loss
from multistable._measure import Multistability, measure
from multistable._pretrain import PretrainResult, pretrain
from multistable._utils.version import __version__
from multistable._warmup import WarmupResult, WarmupStep, warmup
from multistable.functional import vaa, vaa_star

# Without `init` and `nn`: `from multistable import *` is not to take the place of torch's.
__all__ = [
    "Attractor",
    "Attractors",
    "FixedPoints",
    "Held",
    "Multistability",
    "PretrainResult",
    "WarmupResult",
    "WarmupStep",
    "__version__",
    "attractors",
    "fixed_points",
    "held",
    "margin_loss",
    "measure",
    "pretrain",
    "vaa",
    "vaa_star",
    "warmup",
]
