"""A sweep: runs over a grid of cells, variants, lengths and seeds, on Ray Tune."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from multistable._utils.checks import check_int
from multistable._utils.choices import check_choice, nearest
from multistable._utils.wording import shown
from multistable.experiments._ray import started
from multistable.experiments.config import CELLS, Config, is_possible, variant_keys
from multistable.experiments.places import check_folder, is_there, make_folder
from multistable.experiments.read import parse_overrides, read_experiment, read_text
from multistable.experiments.shipped import locate, mistaken
from multistable.experiments.store import CONFIG, ERROR, DamagedError, claim, finished, write_error
from multistable.experiments.team import Team

__all__ = ["Outcome", "Plan", "read_sweep", "sweep"]

_KEYS = ("config", "cells", "variants", "lengths", "seeds")
_RETRIES = 3  # of a run whose process was killed; each goes on where the last one was


@dataclass(frozen=True)
class Plan:
    """The runs of a sweep.

    Attributes:
        configs: their settings.
        left_out: combinations of cell and variant that have no meaning, such as `"bistable brc"`.
    """

    configs: list[Config]
    left_out: list[str]


@dataclass(frozen=True)
class Outcome:
    """What became of the runs of a sweep, by their names.

    Attributes:
        skipped: those that were finished before.
        done: those that came to their end.
        failed: those that did not, with the reason.
    """

    skipped: list[str]
    done: list[str]
    failed: dict[str, str]


def read_sweep(path: str | Path, overrides: Sequence[str] = ()) -> Plan:
    """The runs that a sweep's YAML file asks for.

    The file holds one grid or a list of them. A grid has the keys `config` (a file with settings, its path relative to
    the sweep's, or the name of an experiment that comes with the package), `cells`, `variants` (as `Config.variant`
    names them), `lengths` (values of the task's `length`, `forgetting` or `padding`) and `seeds`, each a list. All
    combinations are run but those of a cell and an initialiser that has no meaning for it.

    Args:
        path: the file, or the name of a sweep that comes with the package, such as `"small/copy-first-input"`.
        overrides: `key=value` words for all runs, which come after those of the grid's file; none for what the grid
            itself says.

    Raises:
        ImportError: PyYAML is missing.
        OSError: a file can't be read.
        TypeError: a value has the wrong type, or the file holds one experiment.
        ValueError: a key is unknown or missing, a value is out of its range, or two runs would share a folder.
    """
    path = locate(Path(path), sweep=True)
    loaded = read_text(path)
    if isinstance(loaded, dict) and "task" in loaded and "config" not in loaded:
        raise TypeError(f"{path} is {mistaken(path, sweep=False)}")
    grids = loaded if isinstance(loaded, list) else [loaded]
    configs: dict[str, Config] = {}
    left_out: list[str] = []
    for grid in grids:
        for config in _configs(_checked(grid, path), path, overrides, left_out):
            if configs.setdefault(config.name, config) != config:
                raise ValueError(f"{path} asks for two different runs of the name {config.name}")
    if not configs:
        raise ValueError(f"{path} asks for no run")
    return Plan(list(configs.values()), list(dict.fromkeys(left_out)))


def sweep(
    plan: Plan,
    runs: Path,
    *,
    workers: int | None = None,
    address: str | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Run all that is not finished, several at a time; one that fails does not keep the others from going on.

    Each run has a folder of its own, as `multistable.experiments.run` leaves it. A run whose process is killed goes
    on where it was, up to three times; when the sweep itself is killed, the same call goes on with what is left.

    Args:
        plan: the runs.
        runs: the folder of all runs, which all machines of a cluster must share.
        workers: how many run at a time: two by default, or with `address` as many as the cluster has processors for.
        address: the address of a Ray cluster; by default Ray is started on this machine for as long as the sweep lasts.
        report: is called with a line for each run that has come to its end.

    Returns:
        What became of each run.

    Raises:
        ImportError: Ray is missing.
        OSError: the folder can't be made.
        ConnectionError: Ray can't be started, or there is no cluster at `address`.
        ValueError: `workers` is below 1, a folder holds another experiment, or `torchrun` has started this
            process beside others.
    """
    if (processes := Team.of_environment().processes) > 1:
        raise ValueError(f"a sweep is started by one process, got {processes}; Ray starts others")
    workers = 2 if workers is None and address is None else workers
    if workers is not None:
        check_int("workers", workers)
    try:
        import ray
        from ray import tune
    except ImportError as error:
        raise ImportError("a sweep needs ray: pip install 'multistable[sweep]'") from error
    check_folder("runs (--runs)", runs)
    runs = runs.resolve()
    skipped, damaged = _looked_through(plan, runs)
    left = [config for config in plan.configs if config.name not in skipped and config.name not in damaged]
    if not left:
        return Outcome(skipped, [], damaged)

    make_folder("runs (--runs)", runs)
    progress = _progress(len(left), report)
    scratch = runs / ".ray"
    with started(ray, workers, address):
        try:
            shutil.rmtree(scratch, ignore_errors=True)
            grid = _tuner(tune, left, runs, scratch, workers, progress).fit()
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    failed = _failed([grid[place] for place in range(len(grid))])
    return Outcome(skipped, [config.name for config in left if config.name not in failed], damaged | failed)


def _looked_through(plan: Plan, runs: Path) -> tuple[list[str], dict[str, str]]:
    """The names of the runs that are finished, and of those that are damaged with the reason; as `sweep`."""
    skipped, damaged = [], {}
    for config in plan.configs:
        try:
            if (runs / config.name / CONFIG).exists():
                claim(runs / config.name, config)
            if finished(config, runs) is not None:
                skipped.append(config.name)
        except (DamagedError, OSError) as error:
            damaged[config.name] = str(error)
    return skipped, damaged


def _tuner(tune: Any, left: Sequence[Config], runs: Path, scratch: Path, workers: int | None, progress: Any) -> Any:
    """What runs all that is left."""
    needs = {"cpu": 1.0, "gpu": float(any(config.device == "cuda" for config in left))}
    return tune.Tuner(
        tune.with_resources(_run_one, needs),
        param_space={
            "config": tune.grid_search([config.to_dict() for config in left]),
            "runs": str(runs),
            "from": str(Path.cwd()),
        },
        tune_config=tune.TuneConfig(
            max_concurrent_trials=workers,
            reuse_actors=True,  # which import torch once
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            storage_path=str(scratch),
            name="sweep",
            verbose=0,
            callbacks=[progress],
            failure_config=tune.FailureConfig(max_failures=_RETRIES),
        ),
    )


def _failed(results: Sequence[Any]) -> dict[str, str]:
    """The names of the runs that did not come to their end, with the reason."""
    failed = {}
    for result in results:
        name = Config.from_dict(result.config["config"]).name
        if result.error is not None:
            failed[name] = f"its process ended {_RETRIES + 1} times"
        elif result.metrics["failed"]:
            failed[name] = result.metrics["failed"]
    return failed


def _checked(grid: Any, path: Path) -> dict[str, Any]:
    """A grid with all its keys."""
    if not isinstance(grid, dict):
        raise TypeError(f"{path} must hold grids, which are mappings, got {type(grid).__name__}")
    for key in grid:
        if key not in _KEYS:
            raise ValueError(f"unknown key {shown(key)} in {path}{nearest(str(key), _KEYS)}")
    for key in _KEYS:
        if key not in grid:
            raise ValueError(f"{key} is missing in {path}: a grid has {', '.join(_KEYS)}")
        if key != "config" and not (isinstance(grid[key], list) and grid[key]):
            raise TypeError(f"{key} in {path} must be a list of one or more, got {shown(grid[key])}")
    if not isinstance(grid["config"], str):
        raise TypeError(f"config in {path} must be the path of a file, got {shown(grid['config'])}")
    return grid


def _settings_of(asked: str, path: Path) -> Path:
    """The file with a grid's settings."""
    beside = path.parent / asked
    return beside if is_there(f"config in {path}", beside) and beside.is_file() else locate(Path(asked))


def _configs(grid: dict[str, Any], path: Path, overrides: Sequence[str], left_out: list[str]) -> Iterator[Config]:
    """The settings of a grid's runs; combinations without a meaning are added to `left_out` instead."""
    for_all = parse_overrides(overrides)
    refusal = f"config in {path} must be one experiment, got {grid['config']}, which is a sweep"
    values = {**read_experiment(_settings_of(grid["config"], path), refusal), **for_all}
    base = Config.from_dict({**values, "cell": "gru", **variant_keys("plain")})
    key = base.of_task.horizon_key
    by_grid = {"cell": "cells", **dict.fromkeys(variant_keys("plain"), "variants"), key: "lengths", "seed": "seeds"}
    for word in for_all.keys() & by_grid.keys():
        raise ValueError(f"{word} can't be given for all runs: {by_grid[word]} in {path} say it")
    variants = {variant: variant_keys(variant) for variant in grid["variants"]}
    for cell in grid["cells"]:
        check_choice("cells", cell, CELLS)
    for cell, (variant, keys), length, seed in product(grid["cells"], variants.items(), grid["lengths"], grid["seeds"]):
        if is_possible(cell, keys["init"]):
            yield replace(base, cell=cell, **keys, **{key: length}, seed=seed)
        else:
            left_out.append(f"{variant} {cell}")


def _run_one(parameters: dict[str, Any]) -> dict[str, str]:
    """One run, in a process of its own; what it raises is told, and written to its folder."""
    os.chdir(parameters["from"])  # Ray has changed it; a cache may be relative
    from multistable.experiments._run import run

    config, runs = Config.from_dict(parameters["config"]), Path(parameters["runs"])
    try:
        summary = run(config, runs)
    except Exception as error:
        write_error(runs / config.name)
        return {"name": config.name, "failed": f"{type(error).__name__}: {error}", "message": ""}
    (runs / config.name / ERROR).unlink(missing_ok=True)
    return {"name": config.name, "failed": "", "message": f"{summary['metric']} {summary['test_metric']:.4g}"}


def _progress(count: int, report: Callable[[str], None]) -> Any:
    """What Ray Tune calls at the end of each run."""
    from ray import tune

    class Progress(tune.Callback):
        """Counts runs."""

        ended = 0

        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            self.ended += 1
            result = trial.last_result
            message = f"failed: {result['failed']}" if result["failed"] else result["message"]
            report(f"{self.ended}/{count} {result['name']}: {message}")

        def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            self.ended += 1
            report(f"{self.ended}/{count} {Config.from_dict(trial.config['config']).name}: its process ended")

    return Progress()
