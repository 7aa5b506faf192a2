"""The tables on attractors: the shelf, random networks, and trained flip-flops; tables.py writes them."""

from collections import Counter
from collections.abc import Iterable
from statistics import median

from markdown_table import grid
from rows import Row, findings

SAID = ("equilibrium", "cycle", "oscillation", "drift", "unbounded", "chaos", "slow")


def tables() -> dict[str, str]:
    """All of them, by name."""
    return {"shelf": shelf(), "random-networks": random_networks(), "flip-flop": flip_flop()}


def total(counts: Iterable[dict[str, int]]) -> Counter[str]:
    """The sum of what was counted."""
    found: Counter[str] = Counter()
    for one in counts:
        found.update(one)
    return found


def shelf() -> str:
    rows = findings("shelf")
    body = []
    for system in dict.fromkeys(row["system"] for row in rows):
        seeds = [row for row in rows if row["system"] == system]
        kinds = total(row["kinds"] for row in seeds)
        missed = sum(bool(row["missed"]) for row in seeds)
        body.append(
            [
                system,
                len(seeds),
                ", ".join(f"{kinds[kind]} {kind}" for kind in SAID if kinds[kind]),
                sum(len(row["false"]) for row in seeds),
                f"{missed} of {len(seeds)}" if missed else "",
            ]
        )
    return grid(["system", "seeds", "what is said of its states", "false", "seeds in which it is missed"], body)


def random_networks() -> str:
    rows = findings("random_networks")
    body = []
    for cell in dict.fromkeys(row["cell"] for row in rows):
        networks = [row for row in rows if row["cell"] == cell]
        kinds = total(row["kinds"] for row in networks)
        changed = total(row["asked again"] for row in networks)
        body.append(
            [
                cell,
                len(networks),
                sum(row["certificates"] + row["oscillations"] for row in networks),
                ", ".join(f"{kinds[kind]} {kind}" for kind in SAID if kinds[kind]),
                sum(len(row["false"]) for row in networks),
                ", ".join(f"{count} {what}" for what, count in changed.most_common()),
            ]
        )
    return grid(["cell", "networks", "attractors", "what is said of states", "false", "when asked again"], body)


def flip_flop() -> str:
    rows = findings("flip_flop")
    body = []
    for cell in dict.fromkeys(row["cell"] for row in rows):
        seeds: list[Row] = [row for row in rows if row["cell"] == cell]
        agree = sum(
            [row["attractors without input"], *row["attractors under each pulse"]] == row["by brute force"]
            for row in seeds
        )
        body.append(
            [
                cell,
                len(seeds),
                listed(row["attractors without input"] for row in seeds),
                f"{agree} of {len(seeds)}",
                listed(row["fixed points"] for row in seeds),
                listed(row["by gradient descent"]["count"] for row in seeds),
                f"{median(row['seconds'] for row in seeds):.1f} s",
                f"{median(row['by gradient descent']['seconds'] for row in seeds):.0f} s",
            ]
        )
    head = [
        "",
        "seeds",
        "attractors at u = 0",
        "as by brute force",
        "fixed points",
        "by gradient descent",
        "time",
        "its",
    ]
    return grid(head, body)


def listed(counts: Iterable[int]) -> str:
    """Counts of several seeds, in a line."""
    return ", ".join(map(str, counts))
