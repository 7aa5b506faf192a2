"""Several processes train a run together: shares of batches, and runs that come to what one process comes to."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from experiments.tiny import tiny, words
from hypothesis import given
from hypothesis import strategies as st

from multistable.experiments import Config, Plan, run, sweep
from multistable.experiments.data import Examples
from multistable.experiments.team import Team, share_of


@given(size=st.integers(1, 20), processes=st.integers(1, 8))
def test_shares_make_up_the_batch(size: int, processes: int) -> None:
    batch = Examples(torch.arange(size), -torch.arange(size))
    shares = [share_of(batch, process, processes) for process in range(processes)]
    assert torch.equal(torch.cat([share.inputs[: share.counted] for share in shares]), batch.inputs)
    for share in shares:
        assert size // processes <= share.counted <= -(-size // processes)
        assert len(share.inputs) == max(1, share.counted)
        assert torch.equal(share.targets, -share.inputs)
        assert share.batch_size == size


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")
def test_killed_two_processes_leave_none_behind_and_come_to_what_one_comes_to(tmp_path: Path) -> None:
    """Up to rounding, with a last batch that has too few for both, though one was killed, and then their launcher."""
    config = tiny(samples=46, batch_size=12, warmup=True, epochs=30, measure_every=1000)
    assert (46 - round(0.2 * 46)) % 12 == 1
    arguments = words(tmp_path / "two", tmp_path / "a.yaml", config)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "multistable", *arguments]
    path = tmp_path / "two" / config.name / "metrics.csv"
    for least, whole in ((3, False), (6, True)):
        launcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not path.exists() or len(metrics(path)) < least:
            assert launcher.poll() is None
            time.sleep(0.01)
        processes = children_of(launcher.pid)
        assert len(processes) == 2
        os.kill(launcher.pid if whole else processes[1], signal.SIGKILL)
        assert launcher.wait() != 0
        while any(map(is_there, processes)):
            time.sleep(0.1)
        assert len(metrics(path)) < 31

    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.count("mean squared error") == 1
    run(config, tmp_path / "one")
    one, two = (metrics(tmp_path / runs / config.name / "metrics.csv") for runs in ("one", "two"))
    assert len(one) == len(two) == 31
    for alone, together in zip(one, two, strict=True):
        assert together == pytest.approx(alone, rel=1e-5)


def children_of(process: int) -> list[int]:
    """The numbers of the processes that it has started."""
    numbers = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    return [number for number in numbers if status_of(number)[1:2] == [str(process)]]


def is_there(process: int) -> bool:
    """Whether a process of that number is at work; one that has ended may stay in the table until somebody asks."""
    return status_of(process)[:1] not in ([], ["Z"])


def status_of(process: int) -> list[str]:
    """What the system says of a process, its state and its parent's number first; nothing if there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def metrics(path: Path) -> list[dict[str, float]]:
    """Losses and metrics, epoch by epoch."""
    rows = list(csv.DictReader(path.read_text().splitlines()))
    return [{key: float(value) for key, value in row.items() if value and "_" in key} for row in rows]


@pytest.mark.parametrize(("config", "message"), [
    (tiny(batch_size=9), "batch_size must be a multiple of the number of processes, got 9 for 2 processes"),
    (tiny("t_maze", length=6, episodes=20), "the task t_maze is trained by one process, got 2"),
    (tiny(device="cuda"), "there must be a GPU for each process on a machine, got 0 for 2 processes"),
])  # fmt: skip
def test_what_two_processes_can_not_train(config: Config, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match=f"^{message}$"):
        Team(0, 2, 0, 2).check(config)


def test_a_sweep_is_no_work_for_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RUN_ID"):
        monkeypatch.setenv(key, "2")
    with pytest.raises(ValueError, match="^a sweep is started by one process, got 2; Ray starts others$"):
        sweep(Plan([tiny()], []), tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_other_launchers_left_in_the_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {"RANK": "1", "WORLD_SIZE": "3", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "3"}.items():
        monkeypatch.setenv(key, value)
    assert Team.of_environment() == Team()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert Team.of_environment() == Team(1, 3, 1, 3)
