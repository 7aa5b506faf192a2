"""What can be said of runs side by side, each of which is a row of facts: which is better, and whether VAA rose."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from math import comb

from rows import Row

MOVED = 0.05
"""By how much VAA must change for it to have risen or fallen."""


@dataclass(frozen=True)
class Tally:
    """Which way cases went: the cell of each that is for a claim, of each that is against it, and of each tie."""

    support: list[str]
    against: list[str]
    ties: list[str]

    @property
    def verdict(self) -> str:
        """Which way the cases go, if more go there than chance brings in one of twenty: a sign test without ties."""
        most, untied = max(len(self.support), len(self.against)), len(self.support) + len(self.against)
        if not untied + len(self.ties):
            return "no cases"
        if sign_test(most, untied) >= 0.05:
            return "open"
        return "supported" if len(self.support) == most else "contradicted"


Claim = Callable[[Sequence[Row]], Tally]
"""What some runs say of it."""


def pairs(rows: Sequence[Row], one: str, other: str) -> list[tuple[Row, Row]]:
    """Runs of a variant, each with that of another which has the same cell and seed, and so the same sequences."""
    others = {(row["cell"], row["seed"]): row for row in rows if row["variant"] == other}
    found = [(row, others.get((row["cell"], row["seed"]))) for row in rows if row["variant"] == one]
    return [(row, match) for row, match in found if match is not None]


def learned(found: Iterable[tuple[Row, Row]], count: Collection[int]) -> list[tuple[Row, Row]]:
    """The pairs of which so many have learned."""
    return [pair for pair in found if sum(row["learned"] is not None for row in pair) in count]


def beside(one: str, other: str, fact: str, count: Collection[int] = (0, 1, 2)) -> Claim:
    """Whether a fact is larger of a variant than of another, in the pairs of which so many have learned."""

    def tally(rows: Sequence[Row]) -> Tally:
        found = [(row["cell"], row[fact], match[fact]) for row, match in learned(pairs(rows, one, other), count)]
        return _tally((cell, (value > its) - (value < its)) for cell, value, its in found)

    return tally


def risen(rows: Iterable[Row]) -> Tally:
    """Whether VAA rose in training, by more than `MOVED`; a smaller change either way is a tie."""
    changes = [(row["cell"], row["vaa"] - row["vaa before"]) for row in rows]
    return _tally((cell, 0 if abs(change) <= MOVED else change) for cell, change in changes)


def sign_test(most: int, cases: int) -> float:
    """The probability that a fair coin falls on one of its sides `most` times or more often; at most 1."""
    sides = 2 * sum(comb(cases, count) for count in range(most, cases + 1))
    return min(1.0, float(sides / 2**cases))


def by_cell(cells: Iterable[str]) -> str:
    """How many of each cell, such as `"GRU 3, LSTM 2"`."""
    return ", ".join(f"{cell} {count}" for cell, count in Counter(cells).items())


def _tally(signed: Iterable[tuple[str, float]]) -> Tally:
    """Cells sorted by the sign of a number: above zero is for the claim."""
    tally = Tally([], [], [])
    for cell, value in signed:
        (tally.support if value > 0 else tally.against if value < 0 else tally.ties).append(cell)
    return tally
