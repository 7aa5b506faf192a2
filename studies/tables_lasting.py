"""The tables on memory that lasts; tables.py writes them."""

import json
from collections.abc import Sequence
from statistics import median
from typing import Any

from markdown_table import grid
from rows import ROOT, Row, findings, read

CELLS = {"gru": "GRU", "lstm": "LSTM", "mgu": "MGU", "brc": "BRC", "nbrc": "nBRC"}
VARIANTS = {
    ("plain", "soft"): "as it is",
    ("warmup", "soft"): "warmup",
    ("chrono", "soft"): "chrono",
    ("warmup", "hard"): "warmup, hard",
    ("chrono", "hard"): "chrono, hard",
    ("chrono", "margin"): "chrono, hard, margin",
}
"""How networks start and what their gates become, in the order of the table."""

ENOUGH = 0.999  # of signs
SIGN_LENGTHS = ("100", "1000", "100000", "1000000")
TASK_LENGTHS = ("50", "150", "1000", "10000", "100000")
LENGTHS = {"100": "100 steps", "1000": "1,000", "10000": "10,000", "100000": "100,000", "1000000": "1,000,000"}


def tables() -> dict[str, str]:
    """All of them, by name."""
    return {
        "hard-gates-copy": copies(),
        "hard-gates-sign": signs(),
        "hard-tasks": tasks(),
        "hard-variants": variants(),
        "hard-gates-held": proven(),
        "lasting-others": others(),
        "hard-t-maze": mazes(),
        "hard-gates-speed": speed(),
        "hard-gates-steps": steps(),
    }


def memory_rows(task: str) -> list[Row]:
    """The networks that were trained on a task, of all cells; with what they do after a million steps, if known."""
    found = [row for cell in CELLS for row in findings(f"hard_gates_{cell}") if row["task"] == task]
    return [row | {"test": row["test"] | after_a_million(row)} for row in found]


def after_a_million(row: Row) -> dict[str, float]:
    """The score of a network, by the length."""
    kind = {key: row[key] for key in ("cell", "task", "start", "gates")}
    for scores in findings("million_steps"):
        if kind.items() <= scores.items() and row["seed"] in scores["seeds"]:
            return {"1000000": scores["test"]["1000000"][scores["seeds"].index(row["seed"])]}
    return {}


def of_variant(rows: Sequence[Row], cell: str, variant: tuple[str, str]) -> list[Row]:
    """The seeds of one cell and variant."""
    return [row for row in rows if row["cell"] == cell and (row["start"], row["gates"]) == variant]


def copies() -> str:
    rows, body = memory_rows("copy"), []
    for cell, name in CELLS.items():
        for variant, what in VARIANTS.items():
            seeds = of_variant(rows, cell, variant)
            if seeds:
                body.append([f"{name}, {what}", len(seeds), *(summary(seeds, length) for length in LENGTHS)])
    return grid(["", "seeds", *LENGTHS.values()], body)


def signs() -> str:
    rows, body = memory_rows("sign"), []
    for cell, name in CELLS.items():
        for variant, what in VARIANTS.items():
            seeds = of_variant(rows, cell, variant)
            if seeds:
                enough = sum(row["test"]["1000"] >= ENOUGH for row in seeds)
                by_length = [[row["test"][one] for row in seeds if one in row["test"]] for one in SIGN_LENGTHS]
                shares = [percent(found) if found else "" for found in by_length]
                body.append([f"{name}, {what}", len(seeds), *shares, f"{enough} of {len(seeds)}"])
    head = ["", "seeds", *(LENGTHS[length] for length in SIGN_LENGTHS), "seeds with 99.9 % at 1,000"]
    return grid(head, body)


def percent(shares: Sequence[float]) -> str:
    """The median in percent, and the range."""
    return f"{100 * median(shares):.2f} % ({100 * min(shares):.2f}–{100 * max(shares):.2f})"


def tasks() -> str:
    rows, body = findings("hard_tasks"), []
    for task, what in (("denoising", "denoising, MSE"), ("rows", "digits row by row, right")):
        for hard, gates in ((False, "ordinary gates"), (True, "hard gates")):
            seeds = [row["test"] for row in rows if (row["task"], row["hard"]) == (task, hard)]
            values = [[one[length] for one in seeds] for length in TASK_LENGTHS]
            cells = [share(one) if task == "rows" else ranged(one) for one in values]
            body.append([f"{what}; {gates}", len(seeds), *cells])
    return grid(["", "seeds", *(f"{int(length):,} steps" for length in TASK_LENGTHS)], body)


def variants() -> str:
    rows = [row for row in findings("hard_variants") if row["task"] == "copy"]
    body = []
    for name in dict.fromkeys(row["variant"] for row in rows):
        seeds = [row for row in rows if row["variant"] == name]
        errors = [ranged([row["test"][length] for row in seeds]) for length in ("100", "100000")]
        body.append([name, len(seeds), *errors, ranged([row["disturbed"] for row in seeds])])
    return grid(["", "seeds", "100 steps", "100,000", "disturbed"], body)


def share(values: Sequence[float]) -> str:
    """The median in percent, and the range."""
    return f"{100 * median(values):.0f} % ({100 * min(values):.0f}–{100 * max(values):.0f})"


def ranged(values: Sequence[float]) -> str:
    """The median, and the range."""
    return f"{number(median(values))} ({number(min(values))}–{number(max(values))})"


def summary(rows: Sequence[Row], length: str) -> str:
    """The median, and the range of the seeds that were asked."""
    values = [row["test"][length] for row in rows if length in row["test"]]
    if not values:
        return ""
    return ranged(values)


def number(value: float) -> str:
    """An error in two digits."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def proven() -> str:
    rows, body = findings("hard_gates_held"), []
    for cell, gates in dict.fromkeys((row["cell"], row["gates"]) for row in rows):
        seeds = [row["bounds"] for row in rows if (row["cell"], row["gates"]) == (cell, gates)]
        for bound in seeds[0]:
            at = [row[bound] for row in seeds]
            shares = (f"{100 * median(one['share'][k] for one in at):.0f} %" for k in range(2))
            body.append(
                [
                    f"{CELLS[cell]}, {VARIANTS['chrono', gates]}",
                    len(seeds),
                    f"≤ {bound}",
                    ", ".join(shares),
                    f"{median(one['distinct'] for one in at):.0f} of {at[0]['n']}",
                    number(median(one["answer_width"] for one in at)),
                ]
            )
    return grid(["", "seeds", "inputs", "units held, two layers", "states distinct", "width of answers"], body)


def others() -> str:
    found: dict[str, Any] = json.loads((ROOT / "studies" / "results" / "lasting_others.json").read_text())["models"]
    body = []
    for name, model in found.items():
        cells = []
        for length in LENGTHS:
            values = [value for value in model["mse"].get(length, []) if value is not None]
            cells.append(number(median(values)) if values else "")
        body.append([name, f"{model['parameters']:,}", *cells])
    return grid(["", "parameters", *LENGTHS.values()], body)


def mazes() -> str:
    rows, body = findings("hard_t_maze"), []
    for hard, name in ((False, "ordinary gates"), (True, "hard gates")):
        seeds = [row for row in rows if row["hard"] == hard]
        lengths = seeds[0]["optimal"]
        body.append([name, *(f"{sum(row['optimal'][one] for row in seeds)} of {len(seeds)}" for one in lengths)])
    return grid(["", *(f"{int(length):,} steps" for length in rows[0]["optimal"])], body)


def timings() -> list[Row]:
    """What the benchmark measured."""
    return read(ROOT / "benchmarks" / "results" / "hard_layers.json")


def speed() -> str:
    rows = [row for row in timings() if "hidden" in row]
    body = [
        [
            f"{row['cell']}, H {row['hidden']}",
            f"`nn.{row['beside']}`",
            f"{row['ratio, hardness 0']:.2f}",
            f"{row['ratio, hardness 0.3']:.2f}",
        ]
        for row in rows
    ]
    return grid(["", "beside torch's", "γ = 0", "γ = 0.3"], body)


def steps() -> str:
    rows = [row for row in timings() if "margin_loss / training step" in row]
    body = [
        [
            f"2 × 64 {row['cell']}, 32 × 100 steps",
            f"{row['milliseconds, training step']:.0f} ms",
            f"{row['margin_loss / training step']:.2f}",
            f"{row['Hardening.step / training step']:.4f}",
        ]
        for row in rows
    ]
    return grid(["", "training step", "`margin_loss`, of it", "`Hardening.step`, of it"], body)
