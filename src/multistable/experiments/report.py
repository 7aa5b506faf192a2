"""One page, in one file, of what runs have found, for people who look rather than read."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from multistable.experiments import figures
from multistable.experiments.drawing import Plot
from multistable.experiments.places import is_there
from multistable.experiments.results import Group, Results, Run, Section, Spread, collect, sections, spread
from multistable.experiments.store import CONFIG, is_run, replacing

try:
    from jinja2 import Environment, PackageLoader, StrictUndefined
except ImportError as error:
    raise ImportError("a report needs jinja2: pip install 'multistable[experiments]'") from error

__all__ = ["page", "write_report"]


def write_report(runs: Path, out: Path) -> Results:
    """Write the report of all finished runs below a folder; it needs no other file, and no network.

    Runs that are damaged are named in it, and left out.

    Args:
        runs: the folder.
        out: the page to write, a new file or one to replace; where it is a link, what that leads to. Its folder must be
            there, and be no run's.

    Returns:
        What lies in the folder.

    Raises:
        ImportError: Jinja is missing.
        OSError: the folder is not there, or the page can't be written.
        ValueError: `out` is no ordinary file, a checkpoint or in the folder of a run; `runs` holds no run, no finished
            one that can be read.
    """
    out = _checked(out)
    results = collect(runs)
    if not results.runs:
        damaged = "".join(f"; {reason}" for reason in results.damaged.values())
        raise ValueError(f"{runs} holds no finished run, and {len(results.unfinished)} unfinished{damaged}")
    text = page(results, runs)
    try:
        with replacing(out) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OSError(f"out (-o) can't be written: {error.strerror}: {out}") from error
    return results


def _checked(out: Path) -> Path:
    """Where `out` leads to; raise unless a page may take the place of what is there."""
    try:
        place = out.resolve()
    except RuntimeError as error:  # before Python 3.13
        raise OSError(f"out (-o) must not be a link that leads to itself, got {out}") from error
    if is_there("out (-o)", place) and not place.is_file():
        raise ValueError(f"out (-o) must be a new file or an ordinary one to replace, got {out}")
    if ".ckpt" in (out.suffix, place.suffix):
        raise ValueError(f"out (-o) must not be a checkpoint, got {out}")
    if not place.parent.is_dir():
        raise NotADirectoryError(f"out (-o) must be in a folder that is there, got {out}")
    for folder in place.parents:
        if is_run(folder):
            raise ValueError(f"out (-o) must be outside of the folders of runs, got {out} in {folder}")
    return place


def page(results: Results, runs: Path) -> str:
    """The page.

    Args:
        results: what it shows.
        runs: the folder that run names are shown relative to.
    """
    environment = Environment(
        loader=PackageLoader("multistable.experiments", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["name"] = figures.name_of
    environment.globals["zip"] = zip
    found = sections(results.runs)
    titles = _titles(found)
    groups = [group for section in found for group in section.groups]
    shown = {run.folder for group in groups for run in group.runs}
    return environment.get_template("report.html.jinja").render(
        count=len(shown),
        doubles=[_below(run.folder, runs) for run in results.runs if run.folder not in shown],
        damaged=list(results.damaged.values()),
        unfinished=[_below(folder, runs) for folder in results.unfinished],
        tasks={section.config.task: section.config.of_task.title for section in found},
        cells=list(dict.fromkeys(group.cell for group in groups)),
        variants={group.variant: figures.colour_of(group.variant) for group in sorted(groups, key=_rank)},
        sections=[_shown(section, titles[place], place, runs) for place, section in enumerate(found)],
    )


def _below(folder: Path, runs: Path) -> str:
    """Where a run lies, seen from the folder of all runs."""
    return folder.relative_to(runs).as_posix()


def _titles(found: Sequence[Section]) -> list[str]:
    """What each section is about: its task and setting, and what sets it apart from others of the same."""
    titles = [f"{one.config.of_task.title}, {one.config.setting.replace('-', ', ')}" for one in found]
    alike: dict[str, list[Section]] = {}
    for title, section in zip(titles, found, strict=True):
        alike.setdefault(title, []).append(section)
    return [", ".join([title, *_apart(one, alike[title])]) for title, one in zip(titles, found, strict=True)]


def _apart(section: Section, alike: Sequence[Section]) -> list[str]:
    """The keys that are not the same in all of some sections, with the section's values; for a warmup its own too."""
    here = asdict(section.config)
    warmed = [asdict(other.config) for other in alike if _has_warmup(other)]
    others = [asdict(other.config) for other in alike]

    def differs(key: str) -> bool:
        if key.startswith("warmup_"):
            return _has_warmup(section) and any(other[key] != here[key] for other in warmed)
        if key.startswith("hard") and not section.config.hardness:
            return False
        return any(other[key] != here[key] for other in others)

    return [f"{key} {_written(value)}" for key, value in here.items() if differs(key)]


def _written(value: object) -> str:
    """A setting in a title."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _has_warmup(section: Section) -> bool:
    return any(run.config.warmup for group in section.groups for run in group.runs)


def _shown(section: Section, title: str, place: int, runs: Path) -> dict[str, Any]:
    """A section as the template takes it; `place` is its place among all."""
    config = section.config
    groups = sorted(section.groups, key=lambda group: (section.cells.index(group.cell), _rank(group)))
    section = Section(config, groups)
    best = section.best(groups)
    best_of_cells = [section.best(group for group in groups if group.cell == cell) for cell in section.cells]
    return {
        "key": f"section-{place}",
        "task": config.task,
        "title": title,
        "about": _about(section),
        "metric": section.summary["metric"],
        "chance": f"{section.summary['chance']:.3g}",
        "overview": figures.overview(section),
        "time": figures.time_spent(section),
        "cells": [
            {"name": cell, "open": cell == best.cell, "figures": _figures(section, cell)} for cell in section.cells
        ],
        "by_reward": config.of_task.by_reward,
        "rows": [
            {
                "cell": group.cell,
                "variant": group.variant,
                "colour": figures.colour_of(group.variant),
                "best": group is best,
                "best_of_cell": group in best_of_cells,
                **_numbers(group),
            }
            for group in groups
        ],
        "runs": [_run(run, runs) for group in groups for run in group.runs],
    }


def _about(section: Section) -> str:
    config = section.config
    better = "higher" if section.summary["higher_is_better"] else "lower"
    return (
        f"{config.layers} × {config.hidden} units, {config.of_task.budget}, batches of {config.batch_size}, "
        f"Adam at {config.lr:g}. "
        f"{section.summary['metric'].capitalize()}: {better} is better."
    )


def _numbers(group: Group) -> dict[str, Any]:
    """The numbers of a row of the table."""

    def shown(value: Callable[[Run], float], digits: str = ".2f") -> str:
        return _plus_minus(group.over_seeds(value), len(group.runs), digits)

    return {
        "test": shown(lambda run: run.summary["test_metric"], ".3g"),
        "vaa_before": shown(lambda run: run.summary["traces"]["start"]["vaa"][-1]),
        "vaa_after": shown(lambda run: run.summary["vaa"]),
        "residual": f"{group.over_seeds(lambda run: run.summary['residual']).most:.0e}",
        "certified": shown(lambda run: run.summary["certified"]),
        "seconds": f"{group.over_seeds(lambda run: sum(run.summary['seconds'].values())).mean:,.0f}",
        **(_optimality(group) if "first_optimal" in group.runs[0].summary else {}),
        "runs": [{"seed": run.config.seed, "name": run.config.name} for run in group.runs],
    }


def _optimality(group: Group) -> dict[str, str]:
    """How many seeds came to an optimal policy, and after how many episodes."""
    first = [run.summary["first_optimal"] for run in group.runs if run.summary["first_optimal"] is not None]
    return {
        "optimal": f"{len(first)} of {len(group.runs)}",
        "first_optimal": _plus_minus(spread(first), len(first), ",.0f") if first else "",
    }


def _figures(section: Section, cell: str) -> list[Plot]:
    learning = figures.rewarded if section.config.of_task.by_reward else figures.learning
    return [learning(section, cell), figures.horizons(section, cell), figures.evaluation(section, cell)]


def _run(run: Run, runs: Path) -> dict[str, Any]:
    return {
        "name": run.config.name,
        "folder": _below(run.folder, runs),
        "config": (run.folder / CONFIG).read_text(encoding="utf-8"),
        "warmup": (run.summary["warmup"] or {}).get("message"),
        "versions": ", ".join(f"{name} {version}" for name, version in run.summary["versions"].items()),
    }


def _rank(group: Group) -> tuple[int, str]:
    """Variants in the order of their colours, others after them."""
    known = list(figures.COLOURS)
    return (known.index(group.variant) if group.variant in known else len(known), group.variant)


def _plus_minus(value: Spread, runs: int, digits: str) -> str:
    """A mean, and where there is more than one run its standard deviation."""
    return f"{value.mean:{digits}} ± {value.deviation:{digits}}" if runs > 1 else f"{value.mean:{digits}}"
