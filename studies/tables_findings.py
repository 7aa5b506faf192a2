"""The tables of what studies found that have raw results of their own; tables.py writes them."""

from collections.abc import Callable, Sequence
from statistics import mean, median

from markdown_table import Column, grid, listed, percent, table
from rows import Row, findings

LEARNED: dict[str, Callable[[float], bool]] = {"sign": lambda share: share > 0.95, "copy": lambda error: error < 0.01}
"""Whether a network has learned a task that it is asked for after 100 steps; none is between this and chance."""

KINDS = {"equilibrium": "at rest", "cycle": "cycle", "slow": "slow", "drift": "drift", "chaos": "chaos"}

SINGLE, CLOSED, MANY = ("LSTM", "chrono LSTM", "GRU", "MGU"), ("LSTM", "GRU", "MGU"), ("BRC", "nBRC")
RANGES = [
    (SINGLE, "warmup"),
    (CLOSED, "bistable_"),
    (CLOSED, "bistable_, contraction"),
    (MANY, "new"),
    (MANY, "warmup"),
    (MANY, "contraction"),
]
"""Cells that are told of together, and what was done to them."""


def tables() -> dict[str, str]:
    """All of them, by name."""
    return {
        "demonstration": demonstration(),
        "multistability": multistability(),
        "certified": certified(),
        "certified-ranges": certified_ranges(),
        "lasting-memory-sign": lasting_memory("sign"),
        "lasting-memory-copy": lasting_memory("copy"),
        "lasting-memory-ranges": lasting_memory_ranges(),
        "kills": kills(),
        "kills-anywhere": kills_anywhere(),
        "recurrent-ppo": recurrent_ppo(),
        "max-prefix": max_prefix(),
        "processes": processes(),
        "third-party": third_party(),
    }


def demonstration() -> str:
    rows = [row | {"cell": row["cell"].upper()} for row in findings("demo_seeds")]
    columns = listed(
        "| error without | error with | VAA before | VAA after | VAA after, 10,000 steps | residual there",
        "{cell}, seed {seed} | {loss_plain:.3f} | {loss_warmup:.4f} | {vaa_before:.2f} | {vaa_after:.2f} "
        "| {vaa_after_at_10000:.2f} | {residual_after_at_10000:.0e}",
    )
    return table(sorted(rows, key=lambda row: str(row["cell"])), columns)


def multistability() -> str:
    def largest_residual(when: str) -> Column[Row]:
        return lambda rows: f"{max(row[when]['residual'] for row in rows):.0e}"

    columns: dict[str, Column[Row]] = {"": lambda rows: rows[0]["cell"] + ", doubled" * rows[0]["doubled"]}
    for name, when in {"new": "before", "warmed up": "after"}.items():
        columns |= listed(
            f"{name}: VAA at 240 steps | {name}: VAA at 10,000",
            f"{{{when}[vaa at 240 steps]:.2f}} | {{{when}[vaa]:.2f}}",
        )
        columns[f"{name}: largest residual"] = largest_residual(when)
    return table(findings("multistability"), columns)


def certified() -> str:
    def time_constant(rows: Sequence[Row]) -> str:
        known = [row["time constant, median"] for row in rows if row["time constant, median"] is not None]
        return f"{median(known):.0f}" if known else ""

    def share(kind: str) -> Column[Row]:
        return lambda rows: percent(mean(row["shares"].get(kind, 0.0) for row in rows))

    columns: dict[str, Column[Row]] = {
        **listed(
            "| VAA at 2,000 steps | certified",
            "{cell}, {variant} | {vaa at 2,000 steps:.2f} | {certified:.2f}",
        ),
        "time constant": time_constant,
        **{head: share(kind) for kind, head in KINDS.items()},
    }
    return table(findings("certified"), columns)


def certified_ranges() -> str:
    """The smallest and the largest figure of some cells, all seeds together."""
    body = []
    for cells, variant in RANGES:
        rows = [row for row in findings("certified") if row["cell"] in cells and row["variant"] == variant]
        values = ([row[key] for row in rows] for key in ("vaa at 2,000 steps", "certified"))
        body.append([f"{', '.join(cells)}: {variant}", *(f"{min(some):.2f}-{max(some):.2f}" for some in values)])
    return grid(["", "VAA at 2,000 steps", "certified"], body)


def memory_rows(task: str) -> list[Row]:
    """Single and then double layers, seed by seed."""
    rows = findings("lasting_memory_single") + findings("lasting_memory_double")
    return sorted((row for row in rows if row["task"] == task), key=lambda row: (row["double"], row["seed"]))


def score(task: str, value: float) -> str:
    """An error with two digits, or a share in percent."""
    if task == "sign":
        return f"{100 * value:.1f} %"
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def lasting_memory(task: str) -> str:
    """Errors, or signs that are right, after sequences of several lengths, seed by seed."""

    def after(length: str) -> Column[Row]:
        return lambda rows: ", ".join(score(task, row["test"][length]) for row in rows)

    rows = memory_rows(task)
    columns: dict[str, Column[Row]] = {"": lambda rows: rows[0]["variant"] + ", double" * rows[0]["double"]}
    return table(rows, columns | {f"{int(length):,} steps": after(length) for length in rows[0]["test"]})


def lasting_memory_ranges() -> str:
    """What lies around the middle of the networks that have learned a task."""
    middles: dict[str, Callable[[list[float]], float]] = {"least": min, "median": median, "most": max}
    body = []
    lengths = list(memory_rows("sign")[0]["test"])
    for task, has_learned in LEARNED.items():
        tests = [row["test"] for row in memory_rows(task) if has_learned(row["test"]["100"])]
        for name, middle in middles.items():
            scores = [score(task, middle([test[length] for test in tests])) for length in lengths]
            body.append([f"{task}, {name}", *scores])
    return grid(["", *(f"{int(length):,} steps" for length in lengths)], body)


def kills_anywhere() -> str:
    """Kills of a command, and what it left, at random moments."""
    body = []
    for row in findings("kills_anywhere"):
        alike, runs = row["runs that are the same to the bit"], row["runs"]
        body.append([f"`multistable {row['command']}`", f"{row['kills']} times", f"{alike} of {runs}"])
    return grid(["", "killed", "runs the same to the bit in the end"], body)


def kills() -> str:
    run, sweep = findings("kills")
    moments = [[max(0, one["epochs"] - 1) for one in run["killed"]], [one["finished"] for one in sweep["killed"]]]
    run, sweep = (
        row | {"times": len(row["killed"]), "moments": ", ".join(map(str, some))}
        for row, some in zip((run, sweep), moments, strict=True)
    )
    run |= {"what": "epochs", "changed": run["epochs that changed"]}
    sweep |= {"what": "runs", "changed": sweep["finished runs that were touched again"]}
    columns = listed(
        "| killed | after | of these changed or touched again | the same to the bit in the end",
        "`{command}` | {times} times | {moments} {what} | {changed} | {runs that are the same to the bit} of {runs}",
    )
    return table([run, sweep], columns)


def recurrent_ppo() -> str:
    def solved(rows: Sequence[Row]) -> str:
        return f"{sum(row['solved after steps'] is not None for row in rows)} of {len(rows)}"

    rows = findings("recurrent_ppo")
    after = [row["solved after steps"] for row in rows]
    shown = [row | {"after": "–" if steps is None else f"{steps:,}"} for row, steps in zip(rows, after, strict=True)]
    columns: dict[str, Column[Row]] = {
        **listed("| VAA before learning", "L {length}, {variant} | {vaa before:.2f}"),
        "solved": solved,
        **listed("after environment steps", "{after}"),
    }
    return table(shown, columns)


def max_prefix() -> str:
    def label(rows: Sequence[Row]) -> str:
        cap = rows[0]["max_prefix"]
        return f"{rows[0]['cell'].upper()}, {'whole sequences' if cap is None else f'at most {cap} steps'}"

    columns: dict[str, Column[Row]] = {
        "prefixes": label,
        "warmup": lambda rows: f"{mean(row['warmup seconds'] for row in rows):.1f} s",
        "VAA after": lambda rows: f"{mean(row['vaa at 2,000 steps'] for row in rows):.2f}",
        **listed("test error, seed by seed", "{test error:.3f}"),
    }
    return table(sorted(findings("max_prefix"), key=lambda row: str(row["cell"])), columns)


def processes() -> str:
    def apart(steps: int) -> Column[Row]:
        return lambda rows: f"{rows[0]['largest difference to one process'][f'{steps} steps']:.0e}"

    columns: dict[str, Column[Row]] = {
        **listed("processes", "{processes}, {how}"),
        **{f"apart after {steps} steps": apart(steps) for steps in (10, 30, 100)},
        "replicas equal to the bit": lambda rows: "yes" if rows[0]["replicas equal to the bit"] else "no",
        **listed("moved by | seconds", "{largest change:.2f} | {seconds:.1f}"),
    }
    return table(findings("processes"), columns)


def third_party() -> str:
    """Modules of other packages, new and after a warmup, seed by seed."""

    def at_rest(when: str) -> Column[Row]:
        return lambda rows: ", ".join(percent(row[when]["shares"].get("equilibrium", 0.0)) or "0 %" for row in rows)

    columns: dict[str, Column[Row]] = {"": lambda rows: rows[0]["cell"], "state": lambda rows: rows[0]["states"]}
    for name, when in {"new": "new", "warmed up": "after"}.items():
        columns |= listed(f"{name}: VAA | {name}: certified", f"{{{when}[vaa]:.2f}} | {{{when}[certified]:.2f}}")
        columns[f"{name}: at rest"] = at_rest(when)
    return table(findings("third_party"), columns)
