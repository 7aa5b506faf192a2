"""`prepare` and `execute` a run: from its settings to a folder with all that was found."""

import importlib.metadata
import importlib.util
import math
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from multistable._attractors import attractors
from multistable._measure import Multistability
from multistable._warmup import warmup
from multistable.experiments.config import Config
from multistable.experiments.data import seed_for
from multistable.experiments.folder import (
    CHECKPOINT,
    CONFIG,
    METRICS,
    START,
    SUMMARY,
    WARMUP,
    check_finite,
    claim,
    read_checkpoint,
    remove_leftovers,
    replacing,
    write_csv,
    write_json,
)
from multistable.experiments.loggers import LOGGERS
from multistable.experiments.measured import measured
from multistable.experiments.parallel import Team, check_devices
from multistable.experiments.subject import Subject, Trained
from multistable.experiments.written import finished

__all__ = ["Prepared", "execute", "prepare", "read_start", "run"]


@dataclass(frozen=True)
class Prepared:
    """A run that nothing stands in the way of any more.

    Attributes:
        config: its settings.
        folder: its folder, with its `config.yaml`.
        subject: what it trains.
        logger: `"none"`, `"tensorboard"` or `"wandb"`.
        progress: whether to show a progress bar.
        devices: how many to train on.
    """

    config: Config
    folder: Path
    subject: Subject
    logger: str
    progress: bool
    devices: int


def run(
    config: Config, runs: Path, *, logger: str = "none", progress: bool = False, devices: int = 1
) -> dict[str, Any]:
    """Run an experiment, or what is left of it, in its folder `runs / config.name`.

    A finished run is not run again. An interrupted one goes on from its last whole epoch, and comes to the same
    metrics, to the bit on the same CPU with as many threads, as if it had never been interrupted.

    On several devices of this machine, each has a process of its own and takes its share of every batch (distributed
    data parallel). The result is that of a single device up to rounding; on three or more, one that was interrupted is
    that of one that was not up to rounding, too.

    Args:
        config: the settings.
        runs: the folder of all runs.
        logger: where metrics go besides `metrics.csv`: `"none"`, `"tensorboard"` or `"wandb"`.
        progress: whether to show a progress bar.
        devices: how many GPUs, or with the device `"cpu"` processes, to train on; not in a T-Maze.

    Returns:
        What `summary.json` holds.

    Raises:
        ImportError: an extra is missing.
        OSError: the folder can't be written to, or the data can't be had.
        TypeError: `devices` is no int.
        ValueError: the folder is another experiment's, or what it holds is damaged; the device is not there, or not as
            often as asked for; there are more devices than sequences in a batch; `logger` is none of these.
        FloatingPointError: the loss or the states became NaN or infinite.
        RuntimeError: training on another device failed.
    """
    summary = finished(config, runs)
    if summary is not None:
        return summary
    return execute(prepare(config, runs, logger=logger, progress=progress, devices=devices))


def prepare(config: Config, runs: Path, *, logger: str = "none", progress: bool = False, devices: int = 1) -> Prepared:
    """Make sure of all that a run stands on: its folder and what is in it, its data and its device; as `run`."""
    if logger not in LOGGERS:
        raise ValueError(f"logger must be one of {', '.join(LOGGERS)}, got {logger!r}")
    _check_packages(logger, progress)
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, and torch finds no GPU to use")
    check_devices(devices, config)
    folder = runs / config.name
    if (folder / CONFIG).exists():
        claim(folder, config)
    subject = _subject(config, devices)
    claim(folder, config)
    for name in (METRICS, WARMUP):
        if (folder / name).is_dir():
            raise IsADirectoryError(f"{folder / name} is a folder, and must be a file")
    if (folder / START).exists():
        read_start(folder, config, subject)
    if (folder / CHECKPOINT).exists():
        if not (folder / START).exists():
            raise ValueError(f"{folder} holds a {CHECKPOINT} but no {START}, which comes before it")
        _check_checkpoint(folder, config, subject)
    return Prepared(config, folder, subject, logger, progress, devices)


def execute(prepared: Prepared) -> dict[str, Any]:
    """Run what is left of a run; as `run`."""
    config, folder, subject = prepared.config, prepared.folder, prepared.subject
    if not (folder / START).exists():
        _start(prepared)
    start = read_start(folder, config, subject)
    if start["warmup"]:
        write_json(folder / WARMUP, start["warmup"])
    trained = subject.train(start["rows"], folder, prepared.logger, prepared.progress)
    write_csv(folder / METRICS, trained.rows)
    summary = _summary(prepared, start, trained)
    write_json(folder / SUMMARY, summary)
    remove_leftovers(folder)
    return summary


def _subject(config: Config, devices: int) -> Subject:
    """What the run trains, as its seed draws it."""
    if config.task == "t_maze":
        from multistable.experiments.reinforcement import Reinforcement

        return Reinforcement(config)
    from multistable.experiments.supervised import Supervised

    return Supervised(config, Team(processes=devices))


def _start(prepared: Prepared) -> None:
    """Write down what training starts from: the weights, after the warmup if there is one."""
    config, subject = prepared.config, prepared.subject
    before = measured(config, subject.recurrent, subject.to_measure)
    result = None
    if config.warmup:
        result = warmup(
            subject.recurrent,
            subject.to_warm_up,
            steps=config.warmup_steps,
            lr=config.warmup_lr,
            target=config.warmup_target,
            horizon=config.warmup_horizon,
            batch_size=config.batch_size,
            max_prefix=config.warmup_max_prefix,
            generator=torch.Generator().manual_seed(seed_for(config.seed, "warmup")),
            progress=prepared.progress,
        )
    start = {
        "config": config.to_dict(),
        "warmup": result.to_dict() if result else None,
        "before": _trace(before),
        "start": _trace(measured(config, subject.recurrent, subject.to_measure) if result else before),
        "rows": [subject.first_row()],
    }
    with replacing(prepared.folder / START) as temporary:
        torch.save({"state_dict": subject.network.state_dict(), "run": start}, temporary)


def read_start(folder: Path, config: Config, subject: Subject) -> dict[str, Any]:
    """What training starts from; its weights go into the network."""

    def accept(found: dict[str, Any]) -> None:
        subject.network.load_state_dict(found["state_dict"])
        check_finite(found["state_dict"])
        for key in ("warmup", "before", "start", "rows"):
            if key not in found["run"]:
                raise ValueError(f"it lacks {key}")

    start: dict[str, Any] = read_checkpoint(folder / START, config, accept)["run"]
    return start


def _check_checkpoint(folder: Path, config: Config, subject: Subject) -> None:
    """Raise unless training can go on from the checkpoint."""

    def accept(found: dict[str, Any]) -> None:
        subject.accept(found)
        float(found["run"]["seconds"])
        epochs = [row["epoch"] for row in found["run"]["rows"]]
        if not epochs or epochs != list(range(len(epochs))):
            raise ValueError(f"its rows are of the epochs {epochs}")
        for key, value in ((key, value) for row in found["run"]["rows"] for key, value in row.items()):
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{key} is {value} in a row")

    read_checkpoint(folder / CHECKPOINT, config, accept)


def _summary(prepared: Prepared, start: dict[str, Any], trained: Trained) -> dict[str, Any]:
    config, subject = prepared.config, prepared.subject
    since = time.perf_counter()
    tested = subject.test(config)
    evaluation = [{"length": config.horizon, "metric": tested.metric, "chance": subject.chance(config)}]
    for length in config.evaluation_lengths:
        other = config.at(length)
        evaluation.append({"length": length, "metric": subject.test(other).metric, "chance": subject.chance(other)})
    last = measured(config, subject.recurrent, subject.to_measure)
    found = attractors(
        subject.recurrent,
        subject.to_measure,
        n=config.measure_n,
        horizon=config.attractors_horizon,
        generator=seed_for(config.seed, "measure"),
    )
    warmed = start["warmup"]
    return {
        "name": config.name,
        "metric": subject.metric,
        "higher_is_better": subject.higher_is_better,
        "chance": subject.chance(config),
        "test_metric": tested.metric,
        **{f"test_{name}": value for name, value in tested.others.items()},
        **subject.in_summary(trained.rows),
        "evaluation": sorted(evaluation, key=lambda one: one["length"]),
        "vaa": last.vaa,
        "residual": last.residual,
        "certified": found.certified,
        "traces": {"before": start["before"], "start": start["start"], "end": _trace(last)},
        "warmup": {key: warmed[key] for key in ("status", "message")} if warmed else None,
        "attractors": {"count": found.count, "shares": found.shares},
        "seconds": {
            "warmup": warmed["seconds"] if warmed else 0.0,
            "training": trained.seconds,
            "evaluation": time.perf_counter() - since,
        },
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("multistable", "torch", "lightning", "numpy")},
        },
    }


def _trace(found: Multistability) -> dict[str, Any]:
    trace: dict[str, Any] = found.to_dict()["trace"]
    return {key: list(values) for key, values in trace.items()}


def _check_packages(logger: str, progress: bool) -> None:
    """Raise if a package is missing that the run comes to need later."""
    wanted = {"rich": progress, "tqdm": progress, "tensorboard": logger == "tensorboard", "wandb": logger == "wandb"}
    for package, needed in wanted.items():
        if needed and importlib.util.find_spec(package) is None:
            asked = "a progress bar" if package in ("rich", "tqdm") else f"the logger {package}"
            extra = "experiments" if package in ("rich", "tqdm") else package
            raise ImportError(f"{asked} needs {package}: pip install 'multistable[{extra}]'")
