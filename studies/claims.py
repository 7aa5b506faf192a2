"""The paper's claims as tables: the cases for and against each, and what is said of VAA beside them."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from comparisons import Claim, Tally, by_cell, vaa_before
from markdown_table import grid, percent
from runs import Runs, across

Claims = Mapping[str, Claim]

WARMED_UP = ("warmup", "double+warmup")


def verdicts(found: Sequence[Runs], claims: Claims) -> str:
    """The verdicts, section by section, with the cases for and against."""

    def verdict(claim: Claim) -> Callable[[Runs], str]:
        return lambda runs: _shown(claim(runs))

    return across(found, {name: verdict(claim) for name, claim in claims.items()})


def cases(runs: Runs, claims: Claims, asides: Claims) -> str:
    """The cases of one section, cell by cell; asides are counted, too, and have no verdict."""
    body = []
    for name, claim in {**claims, **asides}.items():
        tally = claim(runs)
        ways = (tally.support, tally.against, tally.ties)
        body.append([name, tally.verdict if name in claims else "", *(with_cells(cells) for cells in ways)])
    return grid(["", "verdict", "for", "against", "ties"], body)


def with_cells(cells: Sequence[str]) -> str:
    """How many, and how many of each cell."""
    return f"{len(cells)} ({by_cell(cells)})" if cells else "0"


def vaa_change(runs: Runs) -> str:
    """VAA before and after training, in the mean; nothing where there are no runs."""
    return f"{fmean(map(vaa_before, runs)):.2f}&nbsp;→&nbsp;{mean_of(runs, 'vaa')}" if runs else ""


def mean_of(runs: Runs, key: str) -> str:
    """The mean of a number in the summaries; nothing where there are no runs."""
    return f"{fmean(run.summary[key] for run in runs):.2f}" if runs else ""


def kinds_of_states(runs: Runs) -> str:
    """The shares of kinds that states are of, such as `"60 % at rest, 40 % slow"`; means over runs."""
    words = {"equilibrium": "at rest", "cycle": "in a cycle", "slow": "slow", "drift": "drifting", "chaos": "chaotic"}
    found = [run.summary["attractors"]["shares"] for run in runs]
    means = {kind: fmean(shares.get(kind, 0.0) for shares in found) for kind in words} if found else {}
    return ", ".join(f"{percent(share)} {words[kind]}" for kind, share in means.items() if share > 0)


def _shown(tally: Tally) -> str:
    """A verdict, and how many cases there are for and against."""
    numbers = f" {len(tally.support)}&nbsp;:&nbsp;{len(tally.against)}" if tally.cases else ""
    return f"{tally.verdict}{numbers}"
