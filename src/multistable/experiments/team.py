"""`Team`: the processes that train a run together, as `torchrun` starts them."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import NamedTuple

import torch
from torch import Tensor, distributed

from multistable.experiments.config import Config
from multistable.experiments.data import Examples

__all__ = ["Share", "Team", "share_of"]

_LONGEST_WAIT = timedelta(days=7)  # the others wait while the first warms up and evaluates


class Team(NamedTuple):
    """The processes that train a run together; a process that `torchrun` has not started is a team of its own.

    Attributes:
        process: which of them this is; the first one alone writes.
        processes: how many there are.
        local_process: which of those on this machine this is.
        local_processes: how many there are on this machine.
    """

    process: int = 0
    processes: int = 1
    local_process: int = 0
    local_processes: int = 1

    @staticmethod
    def of_environment() -> "Team":
        """The team that `torchrun` says this process is in."""
        if not distributed.is_torchelastic_launched():
            return Team()
        return Team(*(int(os.environ[key]) for key in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")))

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.process == 0

    def check(self, config: Config) -> None:
        """Raise unless the run can be trained by so many processes."""
        if self.processes == 1:
            return
        if config.of_task.by_reward:
            raise ValueError(f"the task {config.task} is trained by one process, got {self.processes}")
        if config.batch_size % self.processes:
            raise ValueError(
                f"batch_size must be a multiple of the number of processes, got {config.batch_size} for "
                f"{self.processes} processes"
            )
        if config.device == "cuda" and self.local_processes > (there := torch.cuda.device_count()):
            raise ValueError(
                f"there must be a GPU for each process on a machine, got {there} for {self.local_processes} processes"
            )

    @contextmanager
    def joined(self, device: str) -> Iterator[None]:
        """In the block the processes can wait for each other; with the device `"cuda"` each has a GPU of its own."""
        if self.processes == 1:
            yield
            return
        # Killed, `torchrun` leaves its processes at work, which would meet those of a new call in the run's folder.
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
        backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
        with torch.cuda.device(self.local_process) if device == "cuda" else nullcontext():
            distributed.init_process_group(backend, timeout=_LONGEST_WAIT)
            try:
                yield
            finally:
                distributed.destroy_process_group()

    def wait(self) -> None:
        """Wait until every process has come here; end quietly if one has failed, which says why itself."""
        if self.processes == 1:
            return
        try:
            distributed.all_reduce(torch.zeros(1))
        except RuntimeError:
            raise SystemExit(1) from None


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


class Share(NamedTuple):
    """What one process takes of a batch.

    Attributes:
        inputs: (n, T, I).
        targets: what is asked for.
        counted: how many of these sequences count: all n; or none, where the last batch of an epoch has fewer than
            there are processes, and this one has been given a sequence of another's to stay in step.
        batch_size: sequences in the whole batch.
    """

    inputs: Tensor
    targets: Tensor
    counted: int
    batch_size: int


def share_of(batch: Examples, process: int, processes: int) -> Share:
    """What one of several processes takes of a batch: equal shares, but for the last batch of an epoch."""
    inputs, targets = (values.tensor_split(processes)[process] for values in batch)
    counted, batch_size = len(inputs), len(batch.inputs)
    if not counted:
        inputs, targets = batch.inputs[:1], batch.targets[:1]
    return Share(inputs, targets, counted, batch_size)
