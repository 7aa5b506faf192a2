"""Training on several devices at once, each with a process of its own and its share of every batch."""

from typing import NamedTuple

import torch
from torch import Tensor

from multistable._utils.checks import check_int
from multistable.experiments.config import Config
from multistable.experiments.data import Examples

__all__ = ["Share", "Team", "check_devices", "share_of"]


class Team(NamedTuple):
    """The processes that train a network together, each on a device of its own.

    Attributes:
        process: which of them this is; the first one starts the others, and alone writes.
        processes: how many there are.
        port: where they meet; any that is free where it is 0.
    """

    process: int = 0
    processes: int = 1
    port: int = 0


class Share(NamedTuple):
    """What one process takes of a batch.

    Attributes:
        inputs: (n, T, I).
        targets: what is asked for.
        counted: how many of these sequences count: all n; or none, where the batch has fewer than there are processes
            and this one has been given a sequence of another's to stay in step.
        batch_size: sequences in the whole batch.
    """

    inputs: Tensor
    targets: Tensor
    counted: int
    batch_size: int


def share_of(batch: Examples, process: int, processes: int) -> Share:
    """What one of several processes takes of a batch; shares differ by one sequence at most."""
    inputs, targets = (values.tensor_split(processes)[process] for values in batch)
    counted, batch_size = len(inputs), len(batch.inputs)
    if not counted:
        inputs, targets = batch.inputs[:1], batch.targets[:1]
    return Share(inputs, targets, counted, batch_size)


def check_devices(devices: int, config: Config) -> None:
    """Raise unless the run can be trained on as many devices."""
    check_int("devices", devices)
    if devices > 1 and config.task == "t_maze":
        raise ValueError(f"devices must be 1 for the task t_maze, got {devices}")
    if devices > config.batch_size:
        raise ValueError(f"devices must be at most batch_size = {config.batch_size}, got {devices}")
    if config.device == "cuda" and devices > (there := torch.cuda.device_count()):
        raise ValueError(f"devices must be at most the {there} GPUs that torch finds, got {devices}")
