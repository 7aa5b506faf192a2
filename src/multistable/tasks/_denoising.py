"""Denoising: say at the last five steps, in order, which five values were marked among the noise."""

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from multistable._utils.checks import check_int
from multistable._utils.randomness import as_generator, draw_seed
from multistable.tasks.stream import Stream
from multistable.tasks.task import Drawn

__all__ = ["Denoising", "denoising", "denoising_stream"]

_MARKED = 5


@dataclass(frozen=True, kw_only=True)
class Denoising(Drawn):
    """Denoising as a task of an experiment.

    Attributes:
        length: T, steps in a sequence, N + 5 or more.
        forgetting: N, steps at the end, none of which holds a value to remember; 5 or more.
        samples: sequences to train and validate with.
        test_samples: sequences to test with.
        epochs: how many times training goes through the sequences.
        validation: the share of `samples` to validate with, in (0, 1).

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is out of its range, or fewer than two samples are left to train or to validate with.

    Examples:
        >>> from multistable.tasks import Denoising
        >>> task = Denoising(length=200, forgetting=100)
        >>> task.setting, task.at(300).setting, task.asked
        ('T200-N100', 'T400-N300', slice(-5, None, None))
    """

    name: ClassVar[str] = "denoising"
    title: ClassVar[str] = "Denoising"
    horizon_key: ClassVar[str] = "forgetting"
    asked: ClassVar[int | slice] = slice(-_MARKED, None)

    forgetting: int

    def __post_init__(self) -> None:
        _check_lengths(self.length, self.forgetting)
        super().__post_init__()

    @property
    def outputs(self) -> int:
        """Features of an answer."""
        return 1

    @property
    def chance(self) -> float:
        """The mean squared error of the best answer without memory, 0: the variance of the targets.

        The inputs at the last five steps say nothing of them.
        """
        return 1.0

    @property
    def setting(self) -> str:
        """Both lengths, such as `"T400-N100"`."""
        return f"T{self.length}-N{self.forgetting}"

    def at(self, horizon: int) -> Self:
        """The same task with so long a forgetting period; what comes before it keeps its length."""
        check_int("forgetting", horizon, at_least=_MARKED)
        return replace(self, length=self.length - self.forgetting + horizon, forgetting=horizon)

    def draw(self, size: int, generator: torch.Generator | int | None = None) -> TensorDataset:
        """So many sequences, as `denoising` draws them."""
        return denoising(self.length, size, forgetting=self.forgetting, generator=generator)


def denoising(
    length: int, size: int, *, forgetting: int, generator: torch.Generator | int | None = None
) -> TensorDataset:
    """Sequences of noise in which five values are marked, and asked for in order at the last five steps; in memory.

    The first channel is x ~ N(0, 1) at every step, to the end. The second marks steps: with T steps counted from 0, it
    is 1 at five different ones drawn from 0..T - N - 1, -1 at step T - 5, and 0 at all others. The -1 thus stands at
    the first of the last five steps, where the first answer is due. From the last step that can be marked with 1
    to that one there are N - 4.

    The metric is the mean squared error over the last five steps; without memory it is 1. Source: Lambrechts et al.
    2023 (arXiv:2106.01001), section 4.1.

    Args:
        length: T, steps in a sequence, N + 5 or more.
        size: how many sequences.
        forgetting: N, steps at the end, none of which holds a value to remember; 5 or more.
        generator: a `torch.Generator`, or a seed; by default a new one with torch's initial seed.

    Returns:
        Pairs of inputs (T, 2) and targets (5, 1), which are the answers at the last five steps.

    Raises:
        TypeError: `length`, `size` or `forgetting` is not an int, `generator` is none of the types above.
        ValueError: `size` is below 1, `forgetting` is below 5, or `length` is below `forgetting` + 5.

    Examples:
        >>> from multistable.tasks import denoising
        >>> inputs, targets = denoising(length=200, size=1000, forgetting=100, generator=0)[7]
        >>> values, marks = inputs.T
        >>> bool((values[marks == 1] == targets[:, 0]).all()), marks.argmin()
        (True, tensor(195))
    """
    _check_lengths(length, forgetting)
    check_int("size", size)
    return TensorDataset(*_draw(length, forgetting, size, as_generator(generator)))


def denoising_stream(
    length: int, batch_size: int, *, forgetting: int, generator: torch.Generator | int | None = None
) -> Stream:
    """Denoising as an endless stream of new batches; iterating again starts over.

    Args:
        length: T, steps in a sequence, N + 5 or more.
        batch_size: B, sequences in a batch.
        forgetting: N, steps at the end, none of which holds a value to remember; 5 or more.
        generator: seeds the stream: a `torch.Generator`, or a seed; by default a new one with torch's initial seed.

    Returns:
        An iterable of pairs of inputs (B, T, 2) and targets (B, 5, 1), for use as it is or in
        `DataLoader(..., batch_size=None)`.

    Raises:
        TypeError: `length`, `batch_size` or `forgetting` is not an int, `generator` is none of the types above.
        ValueError: `batch_size` is below 1, `forgetting` is below 5, or `length` is below `forgetting` + 5.

    Examples:
        >>> from multistable.tasks import denoising_stream
        >>> inputs, targets = next(iter(denoising_stream(length=200, batch_size=32, forgetting=5, generator=0)))
        >>> inputs.shape, targets.shape
        (torch.Size([32, 200, 2]), torch.Size([32, 5, 1]))
    """
    _check_lengths(length, forgetting)
    check_int("batch_size", batch_size)
    return Stream(partial(_draw, length, forgetting), batch_size, draw_seed(as_generator(generator)))


def _check_lengths(length: int, forgetting: int) -> None:
    check_int("forgetting", forgetting, at_least=_MARKED)
    if check_int("length", length) < forgetting + _MARKED:
        raise ValueError(f"length must be at least forgetting + {_MARKED} = {forgetting + _MARKED}, got {length}")


def _draw(length: int, forgetting: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    device = generator.device
    values = torch.randn(size, length, generator=generator, device=device)
    # The places of the five largest of as many random numbers as there are places: each set of five is as likely.
    keys = torch.rand(size, length - forgetting, generator=generator, device=device)
    marked = keys.topk(_MARKED).indices.sort().values
    marks = torch.zeros_like(values).scatter(1, marked, 1.0)
    marks[:, -_MARKED] = -1
    return torch.stack([values, marks], -1), values.gather(1, marked)[..., None]
