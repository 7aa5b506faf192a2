"""What the tables of both pages of results share: a column for each section, the cases of claims, VAA."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from comparisons import Claim, Tally, by_cell
from markdown_table import Column, grid, listed, percent, table
from rows import Row
from runs import planned, slug

from multistable.experiments.config import Config

Rows = Sequence[Row]
Claims = Mapping[str, Claim]

WARMED_UP = ("warmup", "double+warmup")

TITLES = {"copy_first_input": "Copy first input", "denoising": "Denoising", "permuted_rows": "Permuted rows"}

SETTINGS: dict[str, Column[Row]] = {
    "units": lambda rows: f"{config_of(rows).layers} × {config_of(rows).hidden}",
    "batch": lambda rows: config_of(rows).batch_size,
    "learning rate of Adam": lambda rows: f"{config_of(rows).lr:g}",
    "states that VAA is of": lambda rows: config_of(rows).measure_n,
    "steps to VAA": lambda rows: f"{config_of(rows).measure_horizon:,}",
    "steps to what is certified": lambda rows: f"{config_of(rows).attractors_horizon:,}",
}
"""How the networks of any section are made, trained and measured."""

LABEL = listed("", "{cell}, {variant}")


def config_of(rows: Rows) -> Config:
    """The settings of runs that can be compared; cell, variant and seed are those of the first."""
    config: Config = rows[0]["run"].config
    return config


def title(config: Config) -> str:
    """What a section is called."""
    if config.task not in TITLES:
        return f"L {config.horizon}"
    return f"{TITLES[config.task]}, {config.setting.replace('-', ', ')}"


def across(found: Sequence[Rows], lines: Mapping[str, Column[Row]]) -> str:
    """A table with a column for each section."""
    body = [[name, *(value(rows) for rows in found)] for name, value in lines.items()]
    return grid(["", *(title(config_of(rows)) for rows in found)], body)


def of_page(
    name: str,
    sweeps: Sequence[str],
    found: Sequence[Rows],
    settings: Mapping[str, Column[Row]],
    claims: Claims,
    asides: Claims,
    of_section: Mapping[str, Callable[[Rows], str]],
) -> dict[str, str]:
    """The tables that every page has, and those of each section alone, by name."""
    alone: dict[str, Callable[[Rows], str]] = {**of_section, "claims": lambda rows: cases(rows, claims, asides)}
    return {
        f"{name}-finished": finished(sweeps, found),
        f"{name}-claims": verdicts(found, claims),
        f"{name}-settings": across(found, {**SETTINGS, **settings}),
        **{f"{slug(config_of(rows))}-{table}": made(rows) for rows in found for table, made in alone.items()},
    }


def finished(sweeps: Sequence[str], found: Sequence[Rows]) -> str:
    """A table of how many runs the sweeps ask for, and which are there."""
    there = {row["run"].config for rows in found for row in rows}

    def seeds(configs: Sequence[Config]) -> str:
        return ", ".join(map(str, sorted({config.seed for config in configs if config in there})))

    columns: dict[str, Column[Config]] = {
        "": lambda configs: f"`{configs[0].task}`, {configs[0].setting}",
        "runs in the sweep": len,
        "finished": lambda configs: sum(config in there for config in configs),
        "seeds": seeds,
    }
    return table([config for sweep in sweeps for config in planned(sweep)], columns)


def verdicts(found: Sequence[Rows], claims: Claims) -> str:
    """The verdicts, section by section, with the cases for and against."""

    def shown(tally: Tally) -> str:
        numbers = f" {len(tally.support)}&nbsp;:&nbsp;{len(tally.against)}"
        return tally.verdict + (numbers if tally.verdict != "no cases" else "")

    def verdict(claim: Claim) -> Column[Row]:
        return lambda rows: shown(claim(rows))

    return across(found, {name: verdict(claim) for name, claim in claims.items()})


def cases(rows: Rows, claims: Claims, asides: Claims) -> str:
    """The cases of one section, cell by cell; asides are counted, too, and have no verdict."""
    body = []
    for name, claim in {**claims, **asides}.items():
        tally = claim(rows)
        ways = (tally.support, tally.against, tally.ties)
        body.append([name, tally.verdict if name in claims else "", *map(with_cells, ways)])
    return grid(["", "verdict", "for", "against", "ties"], body)


def with_cells(cells: Sequence[str]) -> str:
    """How many, and how many of each cell."""
    return f"{len(cells)} ({by_cell(cells)})" if cells else "0"


def plain(rows: Rows, learned: bool) -> list[Row]:
    """The `plain` runs that learned, or those that did not."""
    return [row for row in rows if row["variant"] == "plain" and (row["learned"] is not None) == learned]


def vaa_change(rows: Rows) -> str:
    """VAA before and after training, in the mean; nothing where there are no runs."""
    return f"{mean_of(rows, 'vaa before')}&nbsp;→&nbsp;{mean_of(rows, 'vaa')}" if rows else ""


def mean_of(rows: Rows, fact: str) -> str:
    """The mean of a number; nothing where there are no runs."""
    return f"{fmean(row[fact] for row in rows):.2f}" if rows else ""


def kinds_of_states(rows: Rows) -> str:
    """The shares of kinds that states are of, such as `"60 % at rest, 40 % slow"`; means over runs."""
    words = {"equilibrium": "at rest", "cycle": "in a cycle", "slow": "slow", "drift": "drifting", "chaos": "chaotic"}
    means = {kind: fmean(row["shares"].get(kind, 0.0) for row in rows) if rows else 0.0 for kind in words}
    return ", ".join(f"{percent(share)} {words[kind]}" for kind, share in means.items() if share > 0)


STATES: dict[str, Column[Row]] = {
    "VAA": vaa_change,
    "certified": lambda rows: mean_of(rows, "certified"),
}
