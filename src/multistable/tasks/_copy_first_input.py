"""Copy first input: say at the last step what the first was."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from multistable._utils.checks import check_int
from multistable._utils.randomness import as_generator, draw_seed
from multistable.tasks.stream import Stream
from multistable.tasks.task import Drawn

__all__ = ["CopyFirstInput", "copy_first_input", "copy_first_input_stream"]


@dataclass(frozen=True, kw_only=True)
class CopyFirstInput(Drawn):
    """Copy first input as a task of an experiment.

    Attributes:
        length: T, steps in a sequence.
        samples: sequences to train and validate with.
        test_samples: sequences to test with.
        epochs: how many times training goes through the sequences.
        validation: the share of `samples` to validate with, in (0, 1).

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is out of its range, or fewer than two samples are left to train or to validate with.

    Examples:
        >>> from multistable.tasks import CopyFirstInput
        >>> task = CopyFirstInput(length=50)
        >>> task.setting, task.score.metric, task.chance, len(task.draw(100, generator=0))
        ('T50', 'mean squared error', 1.0, 100)
    """

    name: ClassVar[str] = "copy_first_input"
    title: ClassVar[str] = "Copy first input"

    @property
    def outputs(self) -> int:
        """Features of an answer."""
        return 1

    @property
    def chance(self) -> float:
        """The mean squared error of the best answer without memory, 0: the variance of the target."""
        return 1.0

    def draw(self, size: int, generator: torch.Generator | int | None = None) -> TensorDataset:
        """So many sequences, as `copy_first_input` draws them."""
        return copy_first_input(self.length, size, generator=generator)


def copy_first_input(length: int, size: int, *, generator: torch.Generator | int | None = None) -> TensorDataset:
    """Sequences x ~ N(0, 1) whose target is their first input, asked for at the last step; in memory.

    The metric is the mean squared error; without memory it is 1. Source: Lambrechts et al. 2023 (arXiv:2106.01001),
    section 4.1.

    Args:
        length: T, steps in a sequence.
        size: how many sequences.
        generator: a `torch.Generator`, or a seed; by default a new one with torch's initial seed.

    Returns:
        Pairs of a sequence (T, 1) and its target (1,).

    Raises:
        TypeError: `length` or `size` is not an int, `generator` is none of the types above.
        ValueError: `length` or `size` is below 1.

    Examples:
        >>> from multistable.tasks import copy_first_input
        >>> sequence, target = copy_first_input(length=50, size=1000, generator=0)[7]
        >>> sequence.shape, bool(target == sequence[0])
        (torch.Size([50, 1]), True)
    """
    check_int("length", length)
    check_int("size", size)
    return TensorDataset(*_draw(length, size, as_generator(generator)))


def copy_first_input_stream(length: int, batch_size: int, *, generator: torch.Generator | int | None = None) -> Stream:
    """Copy first input as an endless stream of new batches; iterating again starts over.

    Args:
        length: T, steps in a sequence.
        batch_size: B, sequences in a batch.
        generator: seeds the stream: a `torch.Generator`, or a seed; by default a new one with torch's initial seed.

    Returns:
        An iterable of pairs of sequences (B, T, 1) and targets (B, 1), for use as it is or in
        `DataLoader(..., batch_size=None)`.

    Raises:
        TypeError: `length` or `batch_size` is not an int, `generator` is none of the types above.
        ValueError: `length` or `batch_size` is below 1.

    Examples:
        >>> from multistable.tasks import copy_first_input_stream
        >>> sequences, targets = next(iter(copy_first_input_stream(length=50, batch_size=32, generator=0)))
        >>> sequences.shape, bool((targets == sequences[:, 0]).all())
        (torch.Size([32, 50, 1]), True)
    """
    check_int("length", length)
    check_int("batch_size", batch_size)
    return Stream(partial(_draw, length), batch_size, draw_seed(as_generator(generator)))


def _draw(length: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    sequences = torch.randn(size, length, 1, generator=generator, device=generator.device)
    return sequences, sequences[:, 0].clone()
