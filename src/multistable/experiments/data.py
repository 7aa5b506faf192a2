"""The sequences that a run trains, validates and tests with."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from multistable.experiments.config import Config
from multistable.tasks import Supervised

__all__ = ["Data", "Examples", "examples_to_test", "examples_to_train", "seed_for", "shuffled", "task_of"]


class Examples(NamedTuple):
    """Inputs (n, T, I) and what is asked for."""

    inputs: Tensor
    targets: Tensor


class Data(NamedTuple):
    """What to train with, and what to validate with."""

    train: Examples
    validation: Examples


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
    task = task_of(config)
    examples = _examples(task.training_set(_generator(config, "train")))
    order = torch.randperm(len(examples.inputs), generator=_generator(config, "split"))
    held = task.held_out(len(order))
    validation, train = (_take(examples, rows) for rows in (order[:held], order[held:]))
    return Data(_to(train, config.device), _to(validation, config.device))


def examples_to_test(config: Config) -> Examples:
    """Draw or load the sequences to test with, on the run's device; raises as `examples_to_train` does."""
    return _to(_examples(task_of(config).test_set(_generator(config, "test"))), config.device)


def task_of(config: Config) -> Supervised:
    """The task of a run that learns from examples."""
    assert isinstance(config.of_task, Supervised)
    return config.of_task


def shuffled(examples: Examples, batch_size: int, seed: int) -> Iterator[Examples]:
    """The examples in batches, in the order that `seed` draws; the last batch may be smaller."""
    order = torch.randperm(len(examples.inputs), generator=torch.Generator().manual_seed(seed))
    for rows in order.to(examples.inputs.device).split(batch_size):
        yield _take(examples, rows)


def _examples(data: TensorDataset) -> Examples:
    return Examples(*data.tensors)


def _generator(config: Config, purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(seed_for(config.seed, purpose))


def _take(examples: Examples, rows: Tensor) -> Examples:
    return Examples(examples.inputs[rows], examples.targets[rows])


def _to(examples: Examples, device: str) -> Examples:
    return Examples(examples.inputs.to(device), examples.targets.to(device))
