"""The runs of the paper's experiments in results/, gathered for tables and figures, and what pages call them."""

from collections.abc import Callable, Mapping, Sequence

from comparisons import cell_of, rank, variant_of
from markdown_table import Column, grid, table
from rows import ROOT

from multistable.experiments.config import Config
from multistable.experiments.results import Run, collect, sections
from multistable.experiments.sweep import read_sweep

SUPERVISED = ("copy-first-input", "denoising", "permuted-rows")
T_MAZE = ("t-maze",)
"""The sweeps behind the two pages, as their files in configs/sweeps/small/ are called."""

TITLES = {"copy_first_input": "Copy first input", "denoising": "Denoising", "permuted_rows": "Permuted rows"}

Runs = Sequence[Run]

SETTINGS: dict[str, Column[Run]] = {
    "units": lambda runs: f"{runs[0].config.layers} × {runs[0].config.hidden}",
    "batch": lambda runs: runs[0].config.batch_size,
    "learning rate of Adam": lambda runs: f"{runs[0].config.lr:g}",
    "states that VAA is of": lambda runs: runs[0].config.measure_n,
    "steps to VAA": lambda runs: f"{runs[0].config.measure_horizon:,}",
    "steps to what is certified": lambda runs: f"{runs[0].config.attractors_horizon:,}",
}
"""How the networks of any section are made, trained and measured."""


def planned(sweep: str) -> list[Config]:
    """The runs that a sweep asks for."""
    return read_sweep(ROOT / "configs" / "sweeps" / "small" / f"{sweep}.yaml").configs


def found_runs(sweeps: Sequence[str]) -> list[list[Run]]:
    """The finished runs of some sweeps: for each section of a page those that can be compared, cell by cell."""
    folders = [ROOT / "results" / sweep.replace("-", "_") for sweep in sweeps]
    there = [run for folder in folders for run in collect(folder).runs]
    return [
        sorted((run for group in section.groups for run in group.runs), key=lambda run: rank(run.config))
        for section in sections(there)
    ]


def slug(runs: Runs) -> str:
    """What the files of a section begin with."""
    return f"results-{runs[0].config.task}-{runs[0].config.setting}".lower().replace("_", "-")


def title(runs: Runs) -> str:
    """What a section is called."""
    config = runs[0].config
    if config.task not in TITLES:
        return f"L {config.horizon}"
    return f"{TITLES[config.task]}, {config.setting.replace('-', ', ')}"


def label(runs: Runs) -> str:
    """The cell and the variant of runs that differ in their seeds alone."""
    return f"{cell_of(runs[0].config)}, {variant_of(runs[0].config)}"


def across(found: Sequence[Runs], rows: Mapping[str, Column[Run]]) -> str:
    """A table with a column for each section."""
    body = [[name, *(value(runs) for runs in found)] for name, value in rows.items()]
    return grid(["", *map(title, found)], body)


def by_section(found: Sequence[Runs], tables: Mapping[str, Callable[[Runs], str]]) -> dict[str, str]:
    """Tables of each section alone, by name."""
    return {f"{slug(runs)}-{name}": made(runs) for runs in found for name, made in tables.items()}


def finished(sweeps: Sequence[str], found: Sequence[Runs]) -> str:
    """A table of how many runs the sweeps ask for, and which are there."""
    there = {run.config for runs in found for run in runs}

    def seeds(configs: Sequence[Config]) -> str:
        return ", ".join(map(str, sorted({config.seed for config in configs if config in there})))

    columns: dict[str, Column[Config]] = {
        "": lambda configs: f"`{configs[0].task}`, {configs[0].setting}",
        "runs in the sweep": len,
        "finished": lambda configs: sum(config in there for config in configs),
        "seeds": seeds,
    }
    return table([config for sweep in sweeps for config in planned(sweep)], columns)
