"""What a task is: a frozen dataclass that owns all its facts."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from multistable._utils.checks import check_fraction, check_int
from multistable._utils.wording import counted

__all__ = ["ACCURACY", "MEAN_SQUARED_ERROR", "Drawn", "Score", "Supervised", "Task"]


class Score(NamedTuple):
    """How answers are scored.

    Attributes:
        metric: its name.
        higher_is_better: whether more of it is better.
        loss: of answers and targets, the mean over a batch.
        measure: the metric of answers and targets, the mean over a batch.
    """

    metric: str
    higher_is_better: bool
    loss: Callable[[Tensor, Tensor], Tensor]
    measure: Callable[[Tensor, Tensor], Tensor]


def _accuracy(answers: Tensor, targets: Tensor) -> Tensor:
    return (answers.argmax(-1) == targets).float().mean()


MEAN_SQUARED_ERROR = Score("mean squared error", False, F.mse_loss, F.mse_loss)
ACCURACY = Score("accuracy", True, F.cross_entropy, _accuracy)


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """A task that asks for memory. Its fields are what there is to set, with their defaults, checked when it is made.

    Attributes:
        name: what it is called in configurations and folders.
        title: what it is called in a report.
        horizon_key: the field that says how long is to be remembered.
        by_reward: whether an agent learns it from reward, rather than a network from examples.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    horizon_key: ClassVar[str]
    by_reward: ClassVar[bool] = False

    @property
    @abstractmethod
    def metric(self) -> str:
        """What a test measures."""

    @property
    @abstractmethod
    def higher_is_better(self) -> bool:
        """Whether more of the metric is better."""

    @property
    @abstractmethod
    def chance(self) -> float:
        """The metric of the best answer without memory."""

    @property
    @abstractmethod
    def setting(self) -> str:
        """How long is to be remembered and in what, in a word that goes into folder names, such as `"T400-N100"`."""

    @property
    @abstractmethod
    def budget(self) -> str:
        """What there is to learn from, in words."""

    @property
    def horizon(self) -> int:
        """How long is to be remembered."""
        value: int = getattr(self, self.horizon_key)
        return value

    def at(self, horizon: int) -> Self:
        """The same task with something else to be remembered for so long.

        Raises:
            TypeError: `horizon` is not an int.
            ValueError: it is out of the task's range.
        """
        return replace(self, **{self.horizon_key: horizon})


@dataclass(frozen=True, kw_only=True)
class Supervised(Task):
    """A task with inputs and targets.

    Attributes:
        score: how answers are scored.
        asked: the step that answers, or the steps.
        epochs: how many times training goes through the sequences.
        validation: the share of the sequences to train with that is kept to validate with, in (0, 1).
    """

    score: ClassVar[Score]
    asked: ClassVar[int | slice] = -1

    epochs: int = 50
    validation: float = 0.2

    def __post_init__(self) -> None:
        check_int("epochs", self.epochs)
        if check_fraction("validation", self.validation) == 1:
            raise ValueError("validation must be below 1, got 1.0")

    @property
    def metric(self) -> str:
        """What a test measures."""
        return self.score.metric

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the metric is better."""
        return self.score.higher_is_better

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Features of an answer."""

    @abstractmethod
    def training_set(self, generator: torch.Generator | int | None = None) -> TensorDataset:
        """The sequences to train and validate with, and their targets; in memory.

        Args:
            generator: draws them, unless they are given; as of the function that makes the task's data.
        """

    @abstractmethod
    def test_set(self, generator: torch.Generator | int | None = None) -> TensorDataset:
        """The sequences to test with; as `training_set`."""

    def held_out(self, samples: int) -> int:
        """How many of so many samples validate.

        Raises:
            ValueError: fewer than two are left on either side.
        """
        held = round(self.validation * samples)
        if min(held, samples - held) < 2:
            raise ValueError(
                f"validation must leave two or more of {samples} samples on either side, got {self.validation}"
            )
        return held


@dataclass(frozen=True, kw_only=True)
class Drawn(Supervised):
    """A task whose sequences are drawn at random, as many as are asked for.

    Attributes:
        length: T, steps in a sequence.
        samples: sequences to train and validate with.
        test_samples: sequences to test with.
    """

    horizon_key: ClassVar[str] = "length"
    score: ClassVar[Score] = MEAN_SQUARED_ERROR

    length: int
    samples: int = 60_000
    test_samples: int = 10_000

    def __post_init__(self) -> None:
        check_int("length", self.length)
        check_int("samples", self.samples, at_least=4)
        check_int("test_samples", self.test_samples)
        super().__post_init__()
        self.held_out(self.samples)

    @abstractmethod
    def draw(self, size: int, generator: torch.Generator | int | None = None) -> TensorDataset:
        """So many sequences and their targets."""

    @property
    def setting(self) -> str:
        """The length, such as `"T50"`."""
        return f"T{self.length}"

    @property
    def budget(self) -> str:
        """What there is to learn from, in words."""
        return f"{counted(self.epochs, 'epoch')} of {self.samples:,} sequences"

    def training_set(self, generator: torch.Generator | int | None = None) -> TensorDataset:
        """The sequences to train and validate with, and their targets; in memory."""
        return self.draw(self.samples, generator)

    def test_set(self, generator: torch.Generator | int | None = None) -> TensorDataset:
        """The sequences to test with, and their targets; in memory."""
        return self.draw(self.test_samples, generator)
