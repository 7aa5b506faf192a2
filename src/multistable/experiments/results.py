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
_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Config)}
# What decides nothing in a run without warmup, and in one without hard gates.
_OF_WARMUP = {key: value for key, value in _DEFAULTS.items() if key.startswith("warmup_")}
_OF_HARDENING = {key: value for key, value in _DEFAULTS.items() if key.startswith("hard")}

_Settings = frozenset[tuple[str, Any]]


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

    Settings of a warmup or of hard gates keep no runs apart that do without: those are compared to every warmup, and
    to all hard gates, that share the rest of their settings.
    """
    deciding = [_deciding(run.config) for run in runs]
    shared: list[_Settings] = []
    for settings in sorted(dict.fromkeys(deciding), key=len, reverse=True):
        fitting = [place for place, others in enumerate(shared) if _agree(settings, others)]
        for place in fitting:
            shared[place] |= settings
        if not fitting:
            shared.append(settings)
    whose = [[run for run, own in zip(runs, deciding, strict=True) if own <= settings] for settings in shared]
    found = [_section(dict(settings), alike) for settings, alike in zip(shared, whose, strict=True)]
    places = {id(run): place for place, run in enumerate(runs)}
    return [one for _, one in sorted(zip(whose, found, strict=True), key=lambda pair: places[id(pair[0][0])])]


def _deciding(config: Config) -> _Settings:
    """The settings that decide something, but for those that are compared."""
    keys = _DEFAULTS.keys() - _COMPARED.keys()
    if not config.warmup:
        keys -= _OF_WARMUP.keys()
    if not config.hardness:
        keys -= _OF_HARDENING.keys()
    return frozenset((key, getattr(config, key)) for key in keys)


def _agree(some: _Settings, others: _Settings) -> bool:
    """Whether no key has one value here and another one there."""
    values = dict(others)
    return all(values.get(key, value) == value for key, value in some)


def _section(settings: dict[str, Any], runs: Sequence[Run]) -> Section:
    """Runs that can be compared, with all settings that any of them has."""
    shared = replace(runs[0].config, **(_COMPARED | _OF_WARMUP | _OF_HARDENING | settings))
    groups: dict[tuple[str, str], dict[int, Run]] = {}
    for run in runs:
        # Runs that differ in nothing but what they do without have found the same: one stands for them.
        groups.setdefault((run.config.cell, run.config.variant), {}).setdefault(run.config.seed, run)
    return Section(shared, [Group(cell, variant, [*seeds.values()]) for (cell, variant), seeds in groups.items()])


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
