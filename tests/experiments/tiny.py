"""Settings of runs that take a second."""

from pathlib import Path
from typing import Any

from multistable.experiments.config import Config

SIZES: dict[str, Any] = {
    "hidden": 4,
    "batch_size": 8,
    "epochs": 2,
    "warmup_steps": 2,
    "warmup_horizon": 5,
    "measure_n": 8,
    "measure_horizon": 20,
    "attractors_horizon": 128,
}
DRAWN: dict[str, Any] = {**SIZES, "samples": 50, "test_samples": 30}


def tiny(task: str = "copy_first_input", **changes: Any) -> Config:
    """A tiny run; of a task other than images, or of images where their keys are among the changes."""
    sizes = SIZES if task in ("pixels", "permuted_pixels", "permuted_rows") else {"length": 6, **DRAWN}
    return Config(**{"task": task, **sizes, **changes})


def words(runs: Path, path: Path, config: Config) -> list[str]:
    """The command line that runs it from a file, which is written to `path`."""
    import yaml

    path.write_text(yaml.safe_dump(config.to_dict()))
    return ["run", str(path), "--runs", str(runs)]
