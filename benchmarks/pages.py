"""What pages of results share: the runs in results/, and how they are gathered and told of."""

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby
from pathlib import Path

from comparisons import Tally, cell_of, rank, variant_of
from matplotlib.figure import Figure
from tables import table
from words import Claim

from multistable.experiments.config import Config
from multistable.experiments.results import Run, collect, sections

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
DOCS = ROOT / "docs"


def found_runs(tasks: Collection[str]) -> list[list[Run]]:
    """The finished runs of some tasks: for each section of a page those that can be compared, cell by cell."""
    there = [run for task in tasks if (RESULTS / task).is_dir() for run in collect(RESULTS / task).runs]
    return [
        sorted((run for group in one.groups for run in group.runs), key=lambda run: rank(run.config))
        for one in sections(there)
    ]


def groups_of(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs that differ in their seeds alone, by cell and variant."""
    return {name: list(group) for name, group in groupby(runs, lambda run: _name(run.config))}


def overview(
    found: Sequence[Sequence[Run]],
    claims: Callable[[Sequence[Run]], list[Claim]],
    title: Callable[[Sequence[Run]], str],
) -> str:
    """The verdicts, section by section, with the cases for and against."""
    rows = zip(*map(claims, found), strict=True)
    body: list[list[object]] = [[row[0][0], *(_cases(tally) for _, tally, _ in row)] for row in rows]
    return table(["", *map(title, found)], body)


def still_missing(plan: Iterable[Config], runs: Iterable[Run]) -> str:
    """Which runs of a sweep are not there."""
    plan, there = list(plan), [run.config for run in runs]
    missing = sorted((config for config in plan if config not in there), key=rank)
    if not missing:
        return f"all {len(plan)} runs are there"
    if len(missing) == len(plan):
        return f"none of {len(plan)} runs is there yet"
    parts = []
    for cell, in_cell in groupby(missing, cell_of):
        lacking = list(in_cell)
        if len(lacking) == sum(cell_of(config) == cell for config in plan):
            parts.append(cell)
            continue
        for name, group in groupby(lacking, _name):
            seeds = [str(config.seed) for config in group]
            whole = len(seeds) == sum(_name(config) == name for config in plan)
            parts.append(name if whole else f"{name} (seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)})")
    return f"{len(plan) - len(missing)} of {len(plan)} runs are there. Missing: {'; '.join(parts)}"


def versions(runs: Sequence[Run]) -> str:
    """What the runs ran on."""
    found = [run.summary["versions"] for run in runs]
    return ", or ".join(sorted({f"Python {one['python']} and torch {one['torch']}" for one in found}))


def picture(runs: Sequence[Run]) -> str:
    """The name of the file with a section's learning curves."""
    return f"results-{runs[0].config.task}-{runs[0].config.setting}.png".lower().replace("_", "-")


def draw(found: Sequence[Sequence[Run]], curves: Callable[[Sequence[Run]], Figure]) -> None:
    """The curves of each section; the file says of how many runs they are."""
    for runs in found:
        curves(runs).savefig(DOCS / picture(runs), dpi=180, metadata={"Description": f"{len(runs)} runs"})


def _name(config: Config) -> str:
    return f"{cell_of(config)}, {variant_of(config)}"


def _cases(tally: Tally) -> str:
    """A verdict, and how many cases there are for and against."""
    numbers = f" {len(tally.support)}&nbsp;:&nbsp;{len(tally.against)}" if tally.cases else ""
    return f"{tally.verdict}{numbers}"
