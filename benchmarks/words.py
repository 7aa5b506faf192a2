"""Sentences on runs, with their numbers."""

from collections.abc import Sequence
from statistics import fmean

from comparisons import Tally, by_cell, vaa_before
from tables import percent

from multistable.experiments.results import Run

Claim = tuple[str, Tally, str]
"""A claim in a few words, the cases for and against it, and a sentence on them."""


def which_way(tally: Tally, support: str, against: str, tie: str, what: str = "pairs") -> str:
    """How many cases went which way, with their cells."""
    if not tally.cases:
        return f"{support}: no such {what}."
    ways = [(against, tally.against), (tie, tally.ties)]
    rest = "".join(f", {word} in {len(cells)}{in_cells(cells)}" for word, cells in ways if cells)
    return f"{support} in {len(tally.support)} of {tally.cases} {what}{in_cells(tally.support)}{rest}."


def in_cells(cells: Sequence[str]) -> str:
    """How many of each cell, in brackets; nothing where there are none."""
    return f" ({by_cell(cells)})" if cells else ""


def mean_change(runs: Sequence[Run]) -> str:
    """VAA before and after training, in the mean; nothing where there are no runs."""
    if not runs:
        return ""
    before, after = fmean(map(vaa_before, runs)), fmean(run.summary["vaa"] for run in runs)
    return f"In the mean from {before:.2f} to {after:.2f}."


def kinds_of_states(runs: Sequence[Run]) -> str:
    """The shares of kinds that states are of, such as `"60 % at rest, 40 % slow"`; means over runs."""
    found = [run.summary["attractors"]["shares"] for run in runs]
    means = {kind: fmean(shares[kind] for shares in found) for kind in found[0]}
    words = {"equilibrium": "at rest", "cycle": "in a cycle", "slow": "slow", "drift": "drifting", "chaos": "chaotic"}
    return ", ".join(f"{percent(share)} {words[kind]}" for kind, share in means.items() if share > 0)


def joined(*sentences: str) -> str:
    """The sentences that say something, as one text."""
    return " ".join(filter(None, sentences))
