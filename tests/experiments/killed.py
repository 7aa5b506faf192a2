"""Kill runs at every moment that matters, go on with each, and say which do not come to the same end.

Run as a program of its own, which forks a child for each run: `killed.py RUNS TASK`. Prints one line of JSON for each
moment.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from multistable.experiments import reinforcement
from multistable.experiments._run import run
from multistable.experiments.config import Config
from multistable.experiments.training import Training
from multistable.rl._learner import Learner
from multistable.rl._settings import DRQNSettings

SHARED: dict[str, Any] = {
    "length": 6,
    "hidden": 4,
    "double": True,
    "warmup": True,
    "warmup_steps": 2,
    "warmup_horizon": 5,
    "batch_size": 8,
    "measure_n": 8,
    "measure_horizon": 20,
    "attractors_horizon": 128,
    "evaluation_lengths": (3, 12),
    "hardness": 0.25,
    "hardening_start": 0.3,
    "hardening_end": 0.9,
}
TASKS: dict[str, dict[str, Any]] = {
    "copy_first_input": {"samples": 40, "test_samples": 10, "epochs": 2},
    "t_maze": {"episodes": 30, "layers": 1},
}
FILES = (
    "config.yaml",
    "start.ckpt",
    "warmup.json",
    *["checkpoint.ckpt", "metrics.csv"] * 2,
    "metrics.csv",
    "summary.json",
)
"""What a run writes, one after the other."""


@dataclass(frozen=True, kw_only=True)
class QuickSettings(DRQNSettings):
    """Fewer transitions to fill the buffer with than in the paper, and fewer updates."""

    capacity: int = 400
    updates_per_episode: int = 1


def in_child(function: Callable[[], object]) -> int:
    """The exit status of a child that calls `function`; negative if it was killed."""
    child = os.fork()
    if child == 0:
        function()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at_file(config: Config, number: int, runs: Path) -> None:
    """Run, and be killed when the file of that number is written and about to come to its place."""
    replace, left = Path.replace, number

    def counting(self: Path, target: Any) -> Path:
        nonlocal left
        if left == 0:
            die()
        left -= 1
        return replace(self, target)

    Path.replace = counting  # type: ignore[method-assign, assignment]
    run(config, runs)


def killed_at_step(config: Config, number: int, runs: Path) -> None:
    """Run, and be killed in the middle of an epoch."""
    kind, name = (Learner, "play") if config.task == "t_maze" else (Training, "training_step")
    step, left = getattr(kind, name), number

    def counting(self: Any, given: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            die()
        return step(self, given)

    setattr(kind, name, counting)
    run(config, runs)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def outcome(config: Config, runs: Path) -> dict[str, Any]:
    """All that must not depend on interruptions; times do."""
    folder = runs / config.name
    summary = json.loads((folder / "summary.json").read_text())
    del summary["seconds"]
    warmup = json.loads((folder / "warmup.json").read_text())
    del warmup["seconds"]
    checkpoint = torch.load(folder / "checkpoint.ckpt", weights_only=True)
    held = checkpoint["learner"]["network"] if config.task == "t_maze" else checkpoint["state_dict"]
    weights = {key: value.tolist() for key, value in held.items()}
    metrics = (folder / "metrics.csv").read_text()
    files = sorted(one.name for one in folder.iterdir() if one.suffix != ".tmp")
    return {"summary": summary, "warmup": warmup, "weights": weights, "metrics": metrics, "files": files}


def times(config: Config, runs: Path) -> dict[str, int]:
    """When each file was last written."""
    return {one.name: one.stat().st_mtime_ns for one in (runs / config.name).iterdir()}


def main(runs: Path, task: str) -> None:
    config = Config(task=task, **SHARED, **TASKS[task])
    torch.set_num_threads(1)
    reinforcement.DRQNSettings = QuickSettings  # type: ignore[attr-defined]
    moments: dict[str, Callable[[Path], None]] = {}
    for number, name in enumerate(FILES):
        moments[f"file {number}, {name}"] = partial(killed_at_file, config, number)
    for number in (1, 22 if config.task == "t_maze" else 6):
        moments[f"step {number}"] = partial(killed_at_step, config, number)
    in_child(partial(run, config, runs / "whole"))
    whole = outcome(config, runs / "whole")
    for place, (moment, interrupted) in enumerate(moments.items()):
        of_moment = runs / str(place)
        killed = in_child(partial(interrupted, of_moment))
        before = times(config, of_moment)
        resumed = in_child(partial(run, config, of_moment))
        again = times(config, of_moment)
        in_child(partial(run, config, of_moment))
        found = {
            "moment": moment,
            "killed": killed == -signal.SIGKILL,
            "resumed": resumed == 0,
            "same": outcome(config, of_moment) == whole,
            "warmed up once": before.get("start.ckpt", again["start.ckpt"]) == again["start.ckpt"],
            "finished once": times(config, of_moment) == again,
        }
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
