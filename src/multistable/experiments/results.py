"""What runs have found, read from their folders and gathered over seeds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from multistable.experiments.config import Config
from multistable.experiments.places import is_there
from multistable.experiments.store import (
    CONFIG,
    METRICS,
    SUMMARY,
    DamagedError,
    read_metrics,
    read_settings,
    read_summary,
    restore_metrics,
)

__all__ = ["Group", "Results", "Run", "Section", "Spread", "collect", "sections", "spread"]

# What a comparison is about, at the values that stand for all others.
_COMPARED: dict[str, Any] = {"cell": "gru", "init": "default", "double": False, "warmup": False, "seed": 0}
# What decides nothing in a run without warmup.
_OF_WARMUP: dict[str, Any] = {field.name: field.default for field in fields(Config) if field.name.startswith("warmup_")}


@dataclass(frozen=True)
class Run:
    """A finished run: its settings, its summary, its metrics epoch by epoch, and its folder."""

    config: Config
    summary: dict[str, Any]
    rows: list[dict[str, float | None]]
    folder: Path


@dataclass(frozen=True)
class Results:
    """What lies in a folder of runs.

    Attributes:
        runs: those that have come to their end.
        unfinished: the folders of those that have not.
        damaged: the folders of finished ones that can't be read, with the reason.
    """

    runs: list[Run]
    unfinished: list[Path]
    damaged: dict[Path, str]


@dataclass(frozen=True)
class Spread:
    """A mean over seeds, and what lies around it: standard deviation (0 for one seed), least and largest value."""

    mean: float
    deviation: float
    least: float
    most: float


@dataclass(frozen=True)
class Group:
    """Runs of one cell and variant that differ in their seeds alone."""

    cell: str
    variant: str
    runs: list[Run]

    def over_seeds(self, value: Callable[[Run], float]) -> Spread:
        """A number of each run, gathered."""
        return spread([value(run) for run in self.runs])

    @property
    def test(self) -> Spread:
        """The test metric."""
        return self.over_seeds(lambda run: run.summary["test_metric"])


@dataclass(frozen=True)
class Section:
    """Groups that can be compared: they differ in cell and variant alone.

    Attributes:
        config: what they share; its cell, variant and seed stand for all.
        groups: the groups, cell by cell.
    """

    config: Config
    groups: list[Group]

    @property
    def summary(self) -> dict[str, Any]:
        """The summary of one of the runs, for what is the same in all: metric and chance."""
        return self.groups[0].runs[0].summary

    @property
    def cells(self) -> list[str]:
        """The cells, each once."""
        return list(dict.fromkeys(group.cell for group in self.groups))

    def best(self, groups: Iterable[Group]) -> Group:
        """The one with the best mean of the test metric."""
        sign = -1 if self.summary["higher_is_better"] else 1
        return min(groups, key=lambda group: sign * group.test.mean)


def collect(runs: Path) -> Results:
    """Read all runs below a folder.

    Raises:
        OSError: the folder is not there.
        ValueError: it holds no run, or the same run twice.
    """
    if not (is_there("runs", runs) and runs.is_dir()):
        raise NotADirectoryError(f"runs must be a folder that is there, got {runs}")
    folders = sorted(path.parent for path in runs.rglob(CONFIG))
    if not folders:
        raise ValueError(f"{runs} holds no run: there is no {CONFIG} anywhere in it")
    finished = [folder for folder in folders if (folder / SUMMARY).exists()]
    found = []
    damaged = {folder: f"{folder / CONFIG} is lost" for folder in _without_settings(runs)}
    for folder in finished:
        try:
            found.append(_read(folder))
        except (DamagedError, OSError) as error:
            damaged[folder] = str(error)
    _check_different(found)
    return Results(found, [folder for folder in folders if folder not in finished], damaged)


def sections(runs: Sequence[Run]) -> list[Section]:
    """Runs sorted into what can be compared, and gathered over seeds.

    Runs without warmup are compared to those of every warmup that shares the rest of their settings.
    """
    warmed: dict[Config, list[Config]] = {}  # by what the settings are without those of the warmup
    for run in runs:
        if run.config.warmup:
            shared = replace(run.config, **_COMPARED)
            warmed.setdefault(replace(shared, **_OF_WARMUP), []).append(shared)
    found: dict[Config, dict[Config, dict[int, Run]]] = {}
    for run in runs:
        shared = replace(run.config, **_COMPARED)
        alike = run.config
        places = [shared]
        if not run.config.warmup:
            alike, bare = replace(alike, **_OF_WARMUP), replace(shared, **_OF_WARMUP)
            places = list(dict.fromkeys(warmed.get(bare, [bare])))
        for place in places:
            seeds = found.setdefault(place, {}).setdefault(replace(alike, seed=0), {})
            # Of runs that differ in nothing but a warmup that they do not have, the one from beside the others.
            if run.config.seed not in seeds or shared == place:
                seeds[run.config.seed] = run
    return [
        Section(shared, [Group(config.cell, config.variant, [*seeds.values()]) for config, seeds in groups.items()])
        for shared, groups in found.items()
    ]


def spread(values: Sequence[float]) -> Spread:
    """Mean, standard deviation, least and largest of one value or more."""
    return Spread(fmean(values), stdev(values) if len(values) > 1 else 0.0, min(values), max(values))


def _without_settings(runs: Path) -> list[Path]:
    """The folders of finished runs whose settings are gone."""
    found = sorted(path.parent for path in runs.rglob(SUMMARY))
    return [folder for folder in found if (folder / METRICS).exists() and not (folder / CONFIG).exists()]


def _read(folder: Path) -> Run:
    config = read_settings(folder / CONFIG)
    restore_metrics(folder, config)
    return Run(config, read_summary(folder / SUMMARY, config), read_metrics(folder / METRICS, config), folder)


def _check_different(runs: Sequence[Run]) -> None:
    """Raise if a run is there twice, and would count as two seeds."""
    seen: dict[Config, Path] = {}
    for run in runs:
        if run.config in seen:
            raise ValueError(f"{seen[run.config]} and {run.folder} hold the same run; leave one of them out")
        seen[run.config] = run.folder
