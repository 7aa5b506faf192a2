"""Timing of alternatives in one process."""

import json
import multiprocessing
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"


def median_seconds(tasks: Mapping[str, Callable[[int], object]], repeats: int) -> dict[str, float]:
    """Median wall time of each task. The tasks take turns; each is given the number of the round."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task(0)
    for turn in range(repeats):
        for name, task in tasks.items():
            start = time.perf_counter()
            task(turn)
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def in_own_process(task: Callable[..., float], *arguments: object) -> float:
    """What the task returns where nothing else has run before, so that peak memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(task, arguments)


def peak_megabytes() -> float:
    """Of this process alone; what `resource` says may stem from the one that started it."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def write(name: str, rows: list[dict[str, Any]], others: Mapping[str, Any] | None = None) -> None:
    """Print the rows and write them to `results/<name>.json`, with the versions, and others, of what they ran on."""
    RESULTS.mkdir(exist_ok=True)
    versions = {"python": platform.python_version(), "torch": torch.__version__, "machine": platform.machine()}
    versions |= others or {}
    text = json.dumps({"versions": versions, "rows": rows}, indent=2)
    (RESULTS / f"{name}.json").write_text(text + "\n")
    print(text)
