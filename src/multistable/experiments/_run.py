"""`prepare` and `execute` a run: from its settings to a folder with all that was found."""

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from multistable._utils.wording import shown
from multistable._warmup import warmup
from multistable.experiments._summary import summary_of, trace_of
from multistable.experiments.config import Config
from multistable.experiments.data import seed_for
from multistable.experiments.experiment import Experiment, Trained, measured
from multistable.experiments.loggers import LOGGERS
from multistable.experiments.memory import asking, check_memory, of_config
from multistable.experiments.places import make_folder
from multistable.experiments.store import (
    CHECKPOINT,
    CONFIG,
    ERROR,
    METRICS,
    START,
    SUMMARY,
    WARMUP,
    check_finite,
    check_rows,
    claim,
    finished,
    read_checkpoint,
    read_summary,
    remove_leftovers,
    write_checkpoint,
    write_csv,
    write_error,
    write_json,
)
from multistable.experiments.team import Team

__all__ = ["Prepared", "execute", "prepare", "read_start", "run"]

_SIZES = "hidden, layers, batch_size, measure_n, and the number and length of the sequences"


@dataclass(frozen=True)
class Prepared:
    """A run that nothing stands in the way of any more.

    Attributes:
        config: its settings.
        folder: its folder, with its `config.yaml`.
        experiment: what it trains.
        logger: `"none"`, `"tensorboard"` or `"wandb"`.
        progress: whether to show a progress bar.
        team: the processes that train it.
    """

    config: Config
    folder: Path
    experiment: Experiment
    logger: str
    progress: bool
    team: Team


def run(config: Config, runs: Path, *, logger: str = "none", progress: bool = False) -> dict[str, Any]:
    """Run an experiment, or what is left of it, in its folder `runs / config.name`.

    A finished run is not run again. An interrupted one goes on from its last whole epoch, and comes to the same
    metrics, to the bit on the same CPU with as many threads, as if it had never been interrupted.

    Where `torchrun` has started several processes, each trains on its share of every batch (distributed data parallel),
    with the device `"cuda"` on a GPU of its own, and the first one writes. The result is that of a single process up to
    rounding, for any number of processes that divides the batch size.

    Args:
        config: the settings.
        runs: the folder of all runs.
        logger: where metrics go besides `metrics.csv`: `"none"`, `"tensorboard"` or `"wandb"`.
        progress: whether to show a progress bar.

    Returns:
        What `summary.json` holds.

    Raises:
        ImportError: an extra is missing.
        OSError: the folder can't be written to, or the data can't be had.
        ValueError: the folder is another experiment's, or what it holds is damaged; the device is not there, or not
            once for each process; the batch size is not a multiple of the number of processes; a T-Maze is to be
            trained by several; `logger` is none of these.
        FloatingPointError: the loss or the states became NaN or infinite.
        MemoryError: there is too little memory.
    """
    team = Team.of_environment()
    team.check(config)
    with team.joined(config.device):
        summary = finished(config, runs)
        if summary is not None:
            return summary
        return execute(prepare(config, runs, logger=logger, progress=progress))


def prepare(config: Config, runs: Path, *, logger: str = "none", progress: bool = False) -> Prepared:
    """Make sure of all that a run stands on: its folder and what is in it, its data and its device; as `run`.

    Of several processes the first goes before the others, which find the folder claimed.
    """
    if logger not in LOGGERS:
        raise ValueError(f"logger must be one of {', '.join(LOGGERS)}, got {shown(logger)}")
    _check_packages(logger, progress)
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, and torch finds no GPU to use")
    team = Team.of_environment()
    team.check(config)
    check_memory(of_config(config))
    if not team.is_first:
        team.wait()
    prepared = Prepared(config, runs / config.name, _ready(config, runs / config.name), logger, progress, team)
    if team.is_first:
        team.wait()
    return prepared


def _ready(config: Config, folder: Path) -> Experiment:
    """What the run trains; raise unless it can be trained in the folder."""
    if (folder / CONFIG).exists():
        claim(folder, config)
    with asking(_SIZES):
        experiment = _experiment(config)
    make_folder("runs (--runs)", folder)
    claim(folder, config)
    for name in (METRICS, WARMUP):
        if (folder / name).is_dir():
            raise IsADirectoryError(f"{folder / name} is a folder, and must be a file")
    if (folder / START).exists():
        read_start(folder, config, experiment)
    if (folder / CHECKPOINT).exists():
        if not (folder / START).exists():
            raise ValueError(f"{folder} holds a {CHECKPOINT} but no {START}, which comes before it")
        _check_checkpoint(folder, config, experiment)
    return experiment


def execute(prepared: Prepared) -> dict[str, Any]:
    """Run what is left of a run; as `run`."""
    try:
        with asking(_SIZES):
            summary = _execute(prepared)
    except Exception:
        if prepared.team.is_first:
            write_error(prepared.folder)
        raise
    if prepared.team.is_first:
        (prepared.folder / ERROR).unlink(missing_ok=True)
    return summary


def _execute(prepared: Prepared) -> dict[str, Any]:
    config, folder, experiment = prepared.config, prepared.folder, prepared.experiment
    team = prepared.team
    if team.is_first and not (folder / START).exists():
        _start(prepared)
    team.wait()
    start = read_start(folder, config, experiment)
    if team.is_first and start["warmup"]:
        write_json(folder / WARMUP, start["warmup"])
    trained = experiment.train(start["rows"], folder, prepared.logger, prepared.progress)
    if team.is_first:
        _finish(prepared, start, trained)
    team.wait()
    return read_summary(folder / SUMMARY, config)


def _experiment(config: Config) -> Experiment:
    """What the run trains, as its seed draws it."""
    if config.of_task.by_reward:
        from multistable.experiments.reinforcement import Reinforcement

        return Reinforcement(config)
    from multistable.experiments.supervised import Supervised

    return Supervised(config)


def _start(prepared: Prepared) -> None:
    """Write down what training starts from: the weights, after the warmup if there is one."""
    config, experiment = prepared.config, prepared.experiment
    before = measured(config, experiment.recurrent, experiment.to_measure)
    result = None
    if config.warmup:
        result = warmup(
            experiment.recurrent,
            experiment.to_warm_up,
            steps=config.warmup_steps,
            lr=config.warmup_lr,
            target=config.warmup_target,
            horizon=config.warmup_horizon,
            batch_size=config.batch_size,
            max_prefix=config.warmup_max_prefix,
            generator=torch.Generator().manual_seed(seed_for(config.seed, "warmup")),
            progress=prepared.progress,
            process_group="alone",  # the others wait
        )
    start = {
        "config": config.to_dict(),
        "warmup": result.to_dict() if result else None,
        "before": trace_of(before),
        "start": trace_of(measured(config, experiment.recurrent, experiment.to_measure) if result else before),
        "rows": [experiment.first_row()],
    }
    write_checkpoint(prepared.folder / START, {"state_dict": experiment.network.state_dict(), "run": start})


def read_start(folder: Path, config: Config, experiment: Experiment) -> dict[str, Any]:
    """What training starts from; its weights go into the network."""

    def accept(found: dict[str, Any]) -> None:
        experiment.network.load_state_dict(found["state_dict"])
        check_finite(found["state_dict"])
        for key in ("warmup", "before", "start", "rows"):
            if key not in found["run"]:
                raise ValueError(f"it lacks {key}")
        check_rows(found["run"])

    start: dict[str, Any] = read_checkpoint(folder / START, config, accept)["run"]
    return start


def _check_checkpoint(folder: Path, config: Config, experiment: Experiment) -> None:
    """Raise unless training can go on from the checkpoint."""

    def accept(found: dict[str, Any]) -> None:
        check_rows(found["run"])
        if not math.isfinite(found["run"]["seconds"]):
            raise ValueError(f"seconds is {found['run']['seconds']}")
        experiment.accept(found)

    read_checkpoint(folder / CHECKPOINT, config, accept)


def _finish(prepared: Prepared, start: dict[str, Any], trained: Trained) -> None:
    """Write what the run has found, its summary last."""
    folder = prepared.folder
    write_csv(folder / METRICS, trained.rows)
    write_json(folder / SUMMARY, summary_of(prepared.config, prepared.experiment, start, trained))
    remove_leftovers(folder)


def _check_packages(logger: str, progress: bool) -> None:
    """Raise if a package is missing that the run comes to need later."""
    needs = [("experiments need", "lightning", "experiments", True)]
    needs += [("a progress bar needs", package, "experiments", progress) for package in ("rich", "tqdm")]
    needs += [(f"the logger {package} needs", package, package, logger == package) for package in LOGGERS[1:]]
    for what, package, extra, needed in needs:
        if needed and importlib.util.find_spec(package) is None:
            raise ImportError(f"{what} {package}: pip install 'multistable[{extra}]'")
