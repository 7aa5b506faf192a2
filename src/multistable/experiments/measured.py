"""What a run measures of its recurrent layers."""

from torch import Tensor, nn

from multistable._measure import Multistability, measure
from multistable.experiments.config import Config
from multistable.experiments.data import seed_for

__all__ = ["measured"]


def measured(config: Config, recurrent: nn.Module, sequences: Tensor | list[Tensor]) -> Multistability:
    """VAA and its residual, from the same prefixes and under the same constant inputs at every moment of a run."""
    seed = seed_for(config.seed, "measure")
    return measure(recurrent, sequences, n=config.measure_n, horizon=config.measure_horizon, generator=seed)
