"""What is remembered for ever, and what only fades slowly.

Examples:
    >>> import torch
    >>> from multistable import attractors
    >>> _ = torch.manual_seed(0)
    >>> attractors(torch.nn.GRU(1, 8), torch.randn(50, 20, 1), generator=0)
    Attractors(20 states lead to 1 stable equilibrium, certified 0.050; 100% come to rest; per layer: l0 0.050)
"""

from multistable._attractors.entry import attractors
from multistable._attractors.fixed_points_entry import fixed_points
from multistable._attractors.fixed_points_results import FixedPoints
from multistable._attractors.results import Attractor, Attractors

__all__ = ["Attractor", "Attractors", "FixedPoints", "attractors", "fixed_points"]
