"""The runs of the paper's experiments in results/, gathered for tables and figures, and what pages call them."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf

from rows import ROOT, Row

from multistable.experiments._sweep import read_sweep
from multistable.experiments.config import CELLS, INITS, Config
from multistable.experiments.figures import name_of
from multistable.experiments.results import Run, collect, sections

SUPERVISED = ("copy-first-input", "denoising", "permuted-rows")
T_MAZE = ("t-maze",)
"""The sweeps behind the two pages, as their files in configs/sweeps/small/ are called."""

VARIANTS = ("plain", "warmup", "double", "double+warmup")


def planned(sweep: str) -> list[Config]:
    """The runs that a sweep asks for."""
    return read_sweep(ROOT / "configs" / "sweeps" / "small" / f"{sweep}.yaml").configs


def found_runs(sweeps: Sequence[str]) -> list[list[Run]]:
    """The finished runs of some sweeps: for each section of a page those that can be compared, cell by cell."""
    folders = [ROOT / "results" / sweep.replace("-", "_") for sweep in sweeps]
    found = [collect(folder) for folder in folders]
    for results in found:
        if results.damaged:
            raise ValueError("; ".join(results.damaged.values()))
    there = [run for results in found for run in results.runs]
    return [
        sorted((run for group in section.groups for run in group.runs), key=lambda run: rank(run.config))
        for section in sections(there)
    ]


def cell_of(config: Config) -> str:
    """The cell's name; one that starts with other gates, such as the chrono LSTM, is a cell of its own."""
    name = name_of(config.cell)
    return name if config.init == "default" else f"{config.init} {name}"


def variant_of(config: Config) -> str:
    """The variant but for how the gates start, which `cell_of` says."""
    return replace(config, init="default").variant


def rank(config: Config) -> tuple[int, int, int, int]:
    """Where a run stands among others."""
    place = list(INITS).index(config.init)
    return CELLS.index(config.cell), place, VARIANTS.index(variant_of(config)), config.seed


def slug(config: Config) -> str:
    """What the files of a section begin with."""
    return f"results-{config.task}-{config.setting}".lower().replace("_", "-")


def facts(run: Run, learned: int | None) -> Row:
    """What is known of any run, as a row; `soon` is the larger, the earlier it learned, if ever."""
    return {
        "run": run,
        "cell": cell_of(run.config),
        "variant": variant_of(run.config),
        "seed": run.config.seed,
        "learned": learned,
        "soon": -inf if learned is None else -learned,
        "vaa before": run.summary["traces"]["start"]["vaa"][-1],
        "vaa": run.summary["vaa"],
        "certified": run.summary["certified"],
        "many": run.summary["attractors"]["count"] > 1,
        "shares": run.summary["attractors"]["shares"],
        "tested": {one["length"]: one["metric"] for one in run.summary["evaluation"]},
    }
