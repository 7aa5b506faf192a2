"""Several devices at once: shares of batches, and runs that come to what one device comes to."""

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

from multistable.experiments.data import Examples
from multistable.experiments.parallel import share_of
from multistable.experiments.run import run


@given(size=st.integers(1, 20), processes=st.integers(1, 8))
def test_shares_make_up_the_batch(size: int, processes: int) -> None:
    batch = Examples(torch.arange(size), -torch.arange(size))
    shares = [share_of(batch, process, processes) for process in range(processes)]
    assert torch.equal(torch.cat([share.inputs[: share.counted] for share in shares]), batch.inputs)
    for share in shares:
        assert size // processes <= share.counted <= size // processes + 1
        assert len(share.inputs) == max(1, share.counted)
        assert torch.equal(share.targets, -share.inputs)
        assert share.batch_size == size


@pytest.mark.slow
def test_two_processes_come_to_what_one_comes_to(tmp_path: Path) -> None:
    """Up to rounding, with batches of odd size and a last one that has too few for both; whoever started the first."""
    config = tiny(samples=46, batch_size=9, warmup=True)
    assert (46 - round(0.2 * 46)) % 9 == 1
    command = [sys.executable, "-m", "multistable", *words(tmp_path / "two", tmp_path / "a.yaml", config)]
    environment = {**os.environ, "LOCAL_RANK": "1", "WORLD_SIZE": "3"}
    done = subprocess.run([*command, "--devices", "2"], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.count("mean squared error") == 1
    assert done.stderr == ""
    run(config, tmp_path / "one")
    one, two = (metrics(tmp_path / runs / config.name / "metrics.csv") for runs in ("one", "two"))
    assert len(one) == len(two) == 3
    for alone, together in zip(one, two, strict=True):
        assert together == pytest.approx(alone, rel=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")
def test_killed_two_processes_leave_none_behind_and_go_on(tmp_path: Path) -> None:
    """Killed, the other one ends by itself; without the other one, the first one says so."""
    config = tiny(epochs=40, measure_every=1000)
    command = [sys.executable, "-m", "multistable", *words(tmp_path, tmp_path / "a.yaml", config), "--devices", "2"]
    path = tmp_path / config.name / "metrics.csv"
    for least, of_other in ((3, False), (20, True)):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not path.exists() or len(metrics(path)) < least:
            assert process.poll() is None
            time.sleep(0.01)
        (other,) = children_of(process.pid)
        os.kill(other if of_other else process.pid, signal.SIGKILL)
        said = process.communicate()[1]
        while is_there(other):
            time.sleep(0.1)
        assert ("RuntimeError: training on another device failed: its process was killed" in said) == of_other
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    elsewhere = [tmp_path / "whole" if word == str(tmp_path) else word for word in command]
    subprocess.run(elsewhere, check=True, stdout=subprocess.DEVNULL)
    assert path.read_bytes() == (tmp_path / "whole" / config.name / "metrics.csv").read_bytes()


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


def test_bad_devices(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="devices must be an int, got float"):
        run(tiny(), tmp_path, devices=2.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="devices must be at least 1, got 0"):
        run(tiny(), tmp_path, devices=0)
    with pytest.raises(ValueError, match="devices must be at most batch_size = 8, got 9"):
        run(tiny(), tmp_path, devices=9)
    with pytest.raises(ValueError, match="devices must be 1 for the task t_maze, got 2"):
        run(tiny("t_maze", length=6, episodes=20), tmp_path, devices=2)
    assert not list(tmp_path.iterdir())
