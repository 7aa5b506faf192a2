"""`Experiment`: what a run trains and measures, whatever the way it learns."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from multistable import Multistability, measure
from multistable.experiments.config import Config
from multistable.experiments.data import seed_for

__all__ = ["Experiment", "Row", "Tested", "Trained", "measured"]

Row = dict[str, Any]
"""What is known after an epoch; the epoch 0 is before training."""


class Trained(NamedTuple):
    """The rows of all epochs, and the seconds that training took."""

    rows: list[Row]
    seconds: float


class Tested(NamedTuple):
    """How a network does in a test: the metric, and whatever else is known by name."""

    metric: float
    others: dict[str, float]


class Experiment(ABC):
    """A network, the sequences that it sees, and how it learns.

    Attributes:
        network: the network, as the run's seed draws it.
        recurrent: the part of it that remembers.
        to_warm_up: sequences for a warmup.
        to_measure: sequences to measure with.
        metric: what a test measures.
        higher_is_better: whether more of it is better.
    """

    network: nn.Module
    recurrent: nn.Module
    to_warm_up: Tensor | list[Tensor]
    to_measure: Tensor | list[Tensor]
    metric: str
    higher_is_better: bool

    @abstractmethod
    def first_row(self) -> Row:
        """What is known before training."""

    @abstractmethod
    def accept(self, checkpoint: dict[str, Any]) -> None:
        """Take over the weights of a checkpoint that `train` wrote; raise where they do not fit."""

    @abstractmethod
    def train(self, rows: Sequence[Row], folder: Path, logger: str, progress: bool) -> Trained:
        """Train to the end of the budget, from the folder's checkpoint on if there is one.

        After each epoch its row goes to the folder's `metrics.csv`, and all that training goes on with to its
        `checkpoint.ckpt`.

        Args:
            rows: what is known before training.
            folder: the run's folder.
            logger: where rows go besides; one of `LOGGERS`.
            progress: whether to show a progress bar.

        Raises:
            FloatingPointError: the loss or a value became NaN or infinite.
        """

    @abstractmethod
    def test(self, config: Config) -> Tested:
        """Test the network under settings that differ from the run's in how long is to be remembered."""

    @abstractmethod
    def chance(self, config: Config) -> float:
        """The metric of the best answer without memory."""

    def in_summary(self, rows: Sequence[Row]) -> dict[str, Any]:
        """What else belongs in the run's summary."""
        return {}


def measured(config: Config, recurrent: nn.Module, sequences: Tensor | list[Tensor]) -> Multistability:
    """VAA and its residual, from the same prefixes and under the same constant inputs at every moment of a run."""
    seed = seed_for(config.seed, "measure")
    n, horizon = config.measure_n, config.measure_horizon
    return measure(recurrent, sequences, n=n, horizon=horizon, generator=seed, process_group="alone")
