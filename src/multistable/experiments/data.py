"""The sequences that a run trains, validates and tests with, and how its answers are scored."""

import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from multistable.experiments.config import Config, held_out
from multistable.tasks import copy_first_input, denoising, flip_flop, images
from multistable.tasks._copy_first_input import CHANCE as CHANCE_OF_COPYING
from multistable.tasks._denoising import CHANCE as CHANCE_OF_DENOISING
from multistable.tasks._flip_flop import chance as chance_of_flip_flop
from multistable.tasks._images import CHANCE as CHANCE_OF_IMAGES

__all__ = ["Data", "Examples", "Score", "examples_to_test", "examples_to_train", "score_of", "seed_for", "shuffled"]


class Examples(NamedTuple):
    """Inputs (n, T, I) and what is asked for."""

    inputs: Tensor
    targets: Tensor


class Data(NamedTuple):
    """What to train with, and what to validate with."""

    train: Examples
    validation: Examples


class Score(NamedTuple):
    """How a task's answers are scored.

    Attributes:
        metric: its name.
        higher_is_better: whether more of it is better.
        chance: what the best answer without memory gets.
        outputs: features of an answer.
        loss: of answers and targets, the mean over a batch.
        measure: the metric of answers and targets, the mean over a batch.
    """

    metric: str
    higher_is_better: bool
    chance: float
    outputs: int
    loss: Callable[[Tensor, Tensor], Tensor]
    measure: Callable[[Tensor, Tensor], Tensor]


def seed_for(seed: int, *purpose: str | int) -> int:
    """A seed for one purpose in a run, such as `("order", epoch)`, independent of those for others."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 2


def examples_to_train(config: Config) -> Data:
    """Draw or load the sequences to train and validate with, on the run's device.

    Raises:
        ImportError: images without the extra `images`.
        OSError: MNIST can't be fetched.
        ValueError: too few are left to train or to validate with.
    """
    if config.source is None:
        assert config.samples is not None
        examples = _draw(config, config.samples, "train")
    else:
        examples = _images(config)[0]
    order = torch.randperm(len(examples.inputs), generator=_generator(config, "split"))
    assert config.validation is not None
    held = held_out(len(order), config.validation)
    validation, train = (_take(examples, rows) for rows in (order[:held], order[held:]))
    return Data(_to(train, config.device), _to(validation, config.device))


def examples_to_test(config: Config) -> Examples:
    """Draw or load the sequences to test with, on the run's device; raises as `examples_to_train` does."""
    if config.source is None:
        assert config.test_samples is not None
        return _to(_draw(config, config.test_samples, "test"), config.device)
    return _to(_images(config)[1], config.device)


def score_of(config: Config) -> Score:
    """How the answers of the run's task are scored."""
    if config.source is not None:
        return Score("accuracy", True, CHANCE_OF_IMAGES, 10, F.cross_entropy, _accuracy)
    chance, outputs = CHANCE_OF_COPYING, 1
    if config.task == "denoising":
        chance = CHANCE_OF_DENOISING
    elif config.task == "flip_flop":
        assert config.length is not None
        chance, outputs = chance_of_flip_flop(config.length), 3
    return Score("mean squared error", False, chance, outputs, F.mse_loss, F.mse_loss)


def shuffled(examples: Examples, batch_size: int, seed: int) -> Iterator[Examples]:
    """The examples in batches, in the order that `seed` draws; the last batch may be smaller."""
    order = torch.randperm(len(examples.inputs), generator=torch.Generator().manual_seed(seed))
    for rows in order.to(examples.inputs.device).split(batch_size):
        yield _take(examples, rows)


def _draw(config: Config, size: int, purpose: str) -> Examples:
    generator = _generator(config, purpose)
    assert config.length is not None
    if config.task == "copy_first_input":
        drawn = copy_first_input(config.length, size, generator=generator)
    elif config.task == "denoising":
        assert config.forgetting is not None
        drawn = denoising(config.length, size, forgetting=config.forgetting, generator=generator)
    else:
        drawn = flip_flop(config.length, size, generator=generator)
    return Examples(*drawn.tensors)


def _images(config: Config) -> tuple[Examples, Examples]:
    """To train and to test; padded here, since MNIST takes a minute to read and runs ask for several paddings."""
    assert config.padding is not None and config.padding_value is not None
    padding, value = (0, 0, 0, config.padding), config.padding_value
    train, test = (
        Examples(F.pad(examples.inputs, padding, value=value), examples.targets)
        for examples in _unpadded_images(config.task, config.source, config.cache)
    )
    return train, test


@lru_cache(maxsize=1)
def _unpadded_images(task: Any, source: Any, cache: str | None) -> tuple[Examples, Examples]:
    train, test = images(task, source=source, cache=cache)
    return Examples(*train.tensors), Examples(*test.tensors)


def _generator(config: Config, purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(seed_for(config.seed, purpose))


def _take(examples: Examples, rows: Tensor) -> Examples:
    return Examples(examples.inputs[rows], examples.targets[rows])


def _to(examples: Examples, device: str) -> Examples:
    return Examples(examples.inputs.to(device), examples.targets.to(device))


def _accuracy(answers: Tensor, targets: Tensor) -> Tensor:
    return (answers.argmax(-1) == targets).float().mean()
