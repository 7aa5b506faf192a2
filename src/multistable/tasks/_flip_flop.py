"""Flip-flop: say at every step, for each channel, what its last pulse was."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from multistable._utils.checks import check_fraction, check_int
from multistable._utils.randomness import as_generator, draw_seed
from multistable.tasks.stream import Stream
from multistable.tasks.task import Drawn

__all__ = ["FlipFlop", "flip_flop", "flip_flop_stream"]


@dataclass(frozen=True, kw_only=True)
class FlipFlop(Drawn):
    """Flip-flop as a task of an experiment.

    Attributes:
        length: T, steps in a sequence.
        channels: K, independent of each other; 3 in every configuration.
        pulse_probability: p, of a channel at a step, in (0, 1]; 0.1 in every configuration.
        samples: sequences to train and validate with.
        test_samples: sequences to test with.
        epochs: how many times training goes through the sequences.
        validation: the share of `samples` to validate with, in (0, 1).

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is out of its range, or fewer than two samples are left to train or to validate with.

    Examples:
        >>> from multistable.tasks import FlipFlop
        >>> task = FlipFlop(length=50, pulse_probability=0.5)
        >>> task.setting, task.outputs, task.chance
        ('T50', 3, 0.49)
    """

    name: ClassVar[str] = "flip_flop"
    title: ClassVar[str] = "Flip-flop"
    asked: ClassVar[int | slice] = slice(None)

    channels: int = 3
    pulse_probability: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("channels", self.channels)
        check_fraction("pulse_probability", self.pulse_probability)

    @property
    def outputs(self) -> int:
        """Features of an answer, one for each channel."""
        return self.channels

    @property
    def chance(self) -> float:
        """The mean squared error of the best answer without memory, (1 - p) (T - 1) / T.

        Without memory the answer is a function of the present input. At a pulse, that input is the target, and the
        error is 0. Between pulses, the target is +1 or -1 with equal odds whatever the input: the best answer is 0, and
        the error is 1. A channel is between pulses with probability 0 at the first step and 1 - p at each of the T - 1
        others.
        """
        return (1 - self.pulse_probability) * (self.length - 1) / self.length

    def draw(self, size: int, generator: torch.Generator | int | None = None) -> TensorDataset:
        """So many sequences, as `flip_flop` draws them."""
        return flip_flop(
            self.length,
            size,
            channels=self.channels,
            pulse_probability=self.pulse_probability,
            generator=generator,
        )


def flip_flop(
    length: int,
    size: int,
    *,
    channels: int = 3,
    pulse_probability: float = 0.1,
    generator: torch.Generator | int | None = None,
) -> TensorDataset:
    """Sequences of pulses, +1 or -1, whose target at every step is the last pulse of each channel; in memory.

    At each step each channel has a pulse with probability `pulse_probability`, of either sign with equal odds, and is 0
    otherwise. At the first step every channel has a pulse, so that there always is a last one: targets are +1 or -1,
    never 0. K channels ask for 2^K states that are kept apart.

    The metric is the mean squared error over all steps; `FlipFlop.chance` says what it is without memory. Source:
    Sussillo and Barak 2013 (doi:10.1162/NECO_a_00409), with three channels.

    Args:
        length: T, steps in a sequence.
        size: how many sequences.
        channels: K, independent of each other.
        pulse_probability: of a channel at a step, in (0, 1].
        generator: a `torch.Generator`, or a seed; by default a new one with torch's initial seed.

    Returns:
        Pairs of inputs (T, K) and targets (T, K).

    Raises:
        TypeError: `length`, `size` or `channels` is not an int, `pulse_probability` is no number, `generator` is none
            of the types above.
        ValueError: `length`, `size` or `channels` is below 1, `pulse_probability` is not in (0, 1].

    Examples:
        >>> from multistable.tasks import flip_flop
        >>> inputs, targets = flip_flop(length=50, size=1000, generator=0)[7]
        >>> inputs.shape, bool((targets == inputs)[inputs != 0].all())
        (torch.Size([50, 3]), True)
    """
    check_int("length", length)
    check_int("size", size)
    check_int("channels", channels)
    pulse_probability = check_fraction("pulse_probability", pulse_probability)
    return TensorDataset(*_draw(length, channels, pulse_probability, size, as_generator(generator)))


def flip_flop_stream(
    length: int,
    batch_size: int,
    *,
    channels: int = 3,
    pulse_probability: float = 0.1,
    generator: torch.Generator | int | None = None,
) -> Stream:
    """Flip-flop as an endless stream of new batches; iterating again starts over.

    Args:
        length: T, steps in a sequence.
        batch_size: B, sequences in a batch.
        channels: K, independent of each other.
        pulse_probability: of a channel at a step, in (0, 1].
        generator: seeds the stream: a `torch.Generator`, or a seed; by default a new one with torch's initial seed.

    Returns:
        An iterable of pairs of inputs (B, T, K) and targets (B, T, K), for use as it is or in
        `DataLoader(..., batch_size=None)`.

    Raises:
        TypeError: `length`, `batch_size` or `channels` is not an int, `pulse_probability` is no number, `generator` is
            none of the types above.
        ValueError: `length`, `batch_size` or `channels` is below 1, `pulse_probability` is not in (0, 1].

    Examples:
        >>> from multistable.tasks import flip_flop_stream
        >>> inputs, targets = next(iter(flip_flop_stream(length=50, batch_size=32, channels=1, generator=0)))
        >>> inputs.shape, targets.unique()
        (torch.Size([32, 50, 1]), tensor([-1.,  1.]))
    """
    check_int("length", length)
    check_int("batch_size", batch_size)
    check_int("channels", channels)
    pulse_probability = check_fraction("pulse_probability", pulse_probability)
    return Stream(partial(_draw, length, channels, pulse_probability), batch_size, draw_seed(as_generator(generator)))


def _draw(
    length: int, channels: int, pulse_probability: float, size: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    shape, device = (size, length, channels), generator.device
    pulses = torch.rand(shape, generator=generator, device=device) < pulse_probability
    pulses[:, 0] = True
    signs = 2.0 * torch.randint(2, shape, generator=generator, device=device) - 1
    steps = torch.arange(length, device=device)[:, None].expand(shape)
    last = steps.where(pulses, 0).cummax(dim=1).values
    return signs.where(pulses, 0), signs.gather(1, last)
