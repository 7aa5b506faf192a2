"""Settings of runs that take a second."""

from pathlib import Path
from typing import Any

from multistable.experiments.config import Config

SIZES: dict[str, Any] = {
    "hidden": 4,
    "batch_size": 8,
    "warmup_steps": 2,
    "warmup_horizon": 5,
    "measure_n": 8,
    "measure_horizon": 20,
    "attractors_horizon": 128,
}
SHOWN: dict[str, Any] = {**SIZES, "epochs": 2}
DRAWN: dict[str, Any] = {**SHOWN, "length": 6, "samples": 50, "test_samples": 30}
OF_TASK = {"pixels": SHOWN, "permuted_pixels": SHOWN, "permuted_rows": SHOWN, "t_maze": SIZES}


def tiny(task: str = "copy_first_input", **changes: Any) -> Config:
    """A tiny run; of a task other than images, or of these and mazes where their keys are among the changes."""
    return Config(**{"task": task, **OF_TASK.get(task, DRAWN), **changes})


def words(runs: Path, path: Path, config: Config) -> list[str]:
    """The command line that runs it from a file, which is written to `path`."""
    import yaml

    path.write_text(yaml.safe_dump(config.to_dict()))
    return ["run", str(path), "--runs", str(runs)]
