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

__all__ = ["Share", "check_devices", "on_own_device", "share_of", "together"]

_MARK = "MULTISTABLE_DEVICES"  # in the environment of the processes that the first one of a run starts
_OF_A_LAUNCHER = ("LOCAL_RANK", "RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""With these in it, Lightning would wait for processes that somebody else starts."""


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


@contextmanager
def on_own_device(config: Config) -> Iterator[None]:
    """In the block `"cuda"` is the GPU of this process."""
    if config.device == "cuda" and _helps():
        with torch.cuda.device(int(os.environ["LOCAL_RANK"])):
            yield
    else:
        yield


@contextmanager
def together(devices: int) -> Iterator[None]:
    """In the block Lightning may start processes for other devices; they end with it, and nothing is left of them."""
    if devices == 1:
        yield
        return
    helping, environment, threads = _helps(), dict(os.environ), torch.get_num_threads()
    if not helping:
        for name in _OF_A_LAUNCHER:
            os.environ.pop(name, None)
        os.environ[_MARK] = str(devices)
    try:
        yield
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        os.environ.clear()
        os.environ.update(environment)
        torch.set_num_threads(threads)
    if helping:
        sys.exit()


def _helps() -> bool:
    """Whether this process was started by the first one of a run, to train on another device."""
    return _MARK in os.environ
