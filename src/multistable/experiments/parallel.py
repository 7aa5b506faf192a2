"""Training on several devices at once, each with a process of its own and its share of every batch."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from multistable._checks import check_int
from multistable.experiments.config import Config
from multistable.experiments.data import Examples

__all__ = ["Share", "alone", "check_devices", "helps", "on_own_device", "share_of"]


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


def helps(devices: int) -> bool:
    """Whether this process was started by the first one, to train on another device."""
    return devices > 1 and _place() > 0


@contextmanager
def on_own_device(config: Config, devices: int) -> Iterator[None]:
    """In the block `"cuda"` is the GPU of this process."""
    if config.device == "cuda" and helps(devices):
        with torch.cuda.device(_place()):
            yield
    else:
        yield


@contextmanager
def alone(devices: int) -> Iterator[None]:
    """After the block nothing is left of the other processes, and a process that helps has ended."""
    if devices == 1:
        yield
        return
    environment, threads = dict(os.environ), torch.get_num_threads()
    try:
        yield
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        os.environ.clear()
        os.environ.update(environment)
        torch.set_num_threads(threads)
    if helps(devices):
        sys.exit()


def _place() -> int:
    """The number of this process among those that train together; the first is 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))
