"""Kill a run and a sweep five times each, and compare them with ones that were left alone.

Run: python studies/kills.py
"""

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rows import ROOT, Row, complete

from multistable.experiments._sweep import read_sweep
from multistable.experiments.config import Config
from multistable.experiments.read import read_config
from multistable.experiments.store import CONFIG, METRICS, START, SUMMARY, WARMUP

OF_RUN = "configs/small/copy-first-input.yaml"
RUN = ["run", str(ROOT / OF_RUN), "warmup=true", "samples=5_000"]
OF_SWEEP = "configs/sweeps/small/initialisers.yaml"
SWEEP = ["sweep", str(ROOT / OF_SWEEP), "epochs=3", "samples=1_000", "attractors_horizon=1_000"]
KILLS = 5


def argv(words: Sequence[str], runs: Path) -> list[str]:
    return [sys.executable, "-m", "multistable", *words, "--runs", str(runs)]


def to_its_end(words: Sequence[str], runs: Path) -> None:
    """Run the command and leave it alone."""
    subprocess.run(argv(words, runs), check=True, stdout=subprocess.DEVNULL)


def kill(words: Sequence[str], runs: Path, count: Callable[[], int], least: int, delay: float) -> None:
    """Start the command, and send SIGKILL so many seconds after the count is high enough."""
    with subprocess.Popen(argv(words, runs), stdout=subprocess.DEVNULL) as process:
        while count() < least and process.poll() is None:
            time.sleep(0.01)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        if process.wait() != -signal.SIGKILL:
            raise RuntimeError(f"{' '.join(words)} came to its end before it was killed")


def of_run(runs: Path, draw: random.Random) -> Row:
    """Kill a run in its warmup, and then at a random moment after epochs 1, 3, 5 and 7."""
    config = read_config(ROOT / OF_RUN, RUN[2:])
    whole, folder = runs / "whole", runs / "killed" / config.name
    to_its_end(RUN, whole)
    seconds = summary(whole, config)["seconds"]

    def started() -> int:
        return int((folder / CONFIG).exists())

    def trained() -> int:
        return len(epochs(folder))

    kills: list[dict[str, Any]] = []
    starts = set()
    for number in range(KILLS):
        if number == 0:
            kill(RUN, runs / "killed", started, 1, draw.random() * seconds["warmup"])
        else:
            in_epoch = draw.random() * seconds["training"] / len(epochs(whole / config.name))
            kill(RUN, runs / "killed", trained, 2 * number, in_epoch)
        if (folder / START).exists():
            starts.add((folder / START).stat().st_mtime_ns)
        kills.append({"warmed up": (folder / START).exists(), "epochs": len(epochs(folder))})
    before = epochs(folder)
    to_its_end(RUN, runs / "killed")
    starts.add((folder / START).stat().st_mtime_ns)
    return {
        "killed": kills,
        "times warmed up": len(starts),
        "epochs that changed": sum(one != other for one, other in zip(before, epochs(folder), strict=False)),
        "runs": 1,
        "runs that are the same to the bit": same(whole, runs / "killed", [config]),
    }


def of_sweep(runs: Path, draw: random.Random) -> Row:
    """Kill a sweep at a random moment after each of its first runs is finished."""
    configs = read_sweep(ROOT / OF_SWEEP, SWEEP[2:]).configs
    whole, folder = runs / "whole", runs / "killed"
    to_its_end(SWEEP, whole)
    seconds = sum(sum(summary(whole, config)["seconds"].values()) for config in configs) / len(configs)

    def count() -> int:
        return len(times(folder, configs))

    kills: list[dict[str, Any]] = []
    finished: dict[Path, int] = {}
    for _ in range(KILLS):
        kill(SWEEP, folder, count, count() + 1, draw.random() * seconds)
        finished = times(folder, configs)
        kills.append({"finished": len(finished)})
    to_its_end(SWEEP, folder)
    after = times(folder, configs)
    return {
        "killed": kills,
        "finished runs that were touched again": sum(after[path] != time for path, time in finished.items()),
        "runs": len(configs),
        "runs that are the same to the bit": same(whole, folder, configs),
    }


def summary(runs: Path, config: Config) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((runs / config.name / SUMMARY).read_text())
    return found


def epochs(folder: Path) -> list[str]:
    """The lines of a run's metrics, without the head."""
    path = folder / METRICS
    return path.read_text().splitlines()[1:] if path.exists() else []


def times(runs: Path, configs: Iterable[Config]) -> dict[Path, int]:
    """When the summary of each finished run was written."""
    paths = [runs / config.name / SUMMARY for config in configs]
    return {path: path.stat().st_mtime_ns for path in paths if path.exists()}


def same(whole: Path, killed: Path, configs: Iterable[Config]) -> int:
    """How many runs have the same metrics, and all the same in their summaries but times."""
    return sum(outcome(whole, config) == outcome(killed, config) for config in configs)


def outcome(runs: Path, config: Config) -> list[Any]:
    """What must not depend on interruptions."""
    found: list[Any] = [(runs / config.name / METRICS).read_bytes()]
    for name in (SUMMARY, WARMUP) if config.warmup else (SUMMARY,):
        held = json.loads((runs / config.name / name).read_text())
        del held["seconds"]
        found.append(held)
    return found


KILLED: dict[str, Callable[[Path, random.Random], Row]] = {
    f"multistable run {OF_RUN} {' '.join(RUN[2:])}": of_run,
    f"multistable sweep {OF_SWEEP} {' '.join(SWEEP[2:])}": of_sweep,
}


def study(command: str) -> Row:
    """Kill it in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return KILLED[command](Path(folder), random.Random(0))


if __name__ == "__main__":
    complete("kills", [{"command": command} for command in KILLED], study)
