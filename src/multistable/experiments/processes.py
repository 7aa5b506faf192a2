"""The processes for other devices: how they are started, how they meet, and how they end."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import torch

from multistable.experiments.parallel import Team

try:
    from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
    from lightning.fabric.plugins.environments.lightning import LightningEnvironment, find_free_network_port
except ImportError as error:
    raise ImportError("experiments need lightning: pip install 'multistable[experiments]'") from error

__all__ = ["helped"]

_HELPER = "multistable.experiments.helper"
_PATIENCE = 10  # seconds that a process which failed may take to say why


@contextmanager
def helped(team: Team, folder: Path) -> Iterator[ClusterEnvironment]:
    """In the block the other processes of the team train, too; the first one starts and ends them.

    Args:
        team: the team.
        folder: the run's folder, which says what to train.

    Yields:
        Where Lightning learns of the team.

    Raises:
        RuntimeError: one of the others failed.
    """
    if team.processes == 1:
        yield LightningEnvironment()
        return
    team = team._replace(port=team.port or find_free_network_port())
    environment, threads = dict(os.environ), torch.get_num_threads()
    others = range(1, team.processes) if team.process == 0 else ()
    with tempfile.TemporaryFile() as said:
        helpers = [_start(team._replace(process=process), folder, said, threads) for process in others]
        try:
            yield _OfTeam(team)
        except RuntimeError as error:
            if _failed(helpers):
                raise RuntimeError(f"training on another device failed: {_last_line(said)}") from error
            raise
        finally:
            for helper in helpers:
                helper.kill()
                helper.wait()
            if torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()
            os.environ.clear()
            os.environ.update(environment)


class _OfTeam(ClusterEnvironment):
    """What Lightning asks about a team; the environment, where a launcher may have left its own answers, is not read.

    Args:
        team: the team.
    """

    def __init__(self, team: Team) -> None:
        super().__init__()
        self._team = team

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return "127.0.0.1"

    @property
    def main_port(self) -> int:
        return self._team.port

    @staticmethod
    def detect() -> bool:
        return True

    def world_size(self) -> int:
        return self._team.processes

    def set_world_size(self, size: int) -> None:
        pass

    def global_rank(self) -> int:
        return self._team.process

    def set_global_rank(self, rank: int) -> None:
        pass

    def local_rank(self) -> int:
        return self._team.process

    def node_rank(self) -> int:
        return 0


def _start(team: Team, folder: Path, said: IO[bytes], threads: int) -> "subprocess.Popen[bytes]":
    words = [str(folder.resolve()), *map(str, team), str(os.getpid())]
    return subprocess.Popen(
        [sys.executable, "-m", _HELPER, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        env={**os.environ, "OMP_NUM_THREADS": str(max(1, threads // team.processes))},
    )


def _failed(helpers: Sequence["subprocess.Popen[bytes]"]) -> bool:
    """Whether one of them has failed, or is about to."""
    for helper in helpers:
        try:
            if helper.wait(_PATIENCE):
                return True
        except subprocess.TimeoutExpired:
            continue
    return False


def _last_line(said: IO[bytes]) -> str:
    said.seek(0)
    lines = said.read().decode(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "its process was killed")
