"""Write docs/measurements.md from the results of the benchmarks.

Run: python benchmarks/tables.py
"""

import json
from pathlib import Path
from statistics import mean
from typing import Any

from side_by_side import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "measurements.md"

Row = dict[str, Any]


def rows_of(name: str) -> list[Row]:
    """The rows that the benchmark of that name wrote."""
    rows: list[Row] = json.loads((RESULTS / f"{name}.json").read_text())["rows"]
    return rows


def table(head: list[str], body: list[list[object]]) -> str:
    """A table in Markdown, numbers to the right."""
    lines: list[list[Any]] = [head, ["---"] + ["---:"] * (len(head) - 1), *body]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def demonstration() -> str:
    """The demonstration, seed by seed."""
    body: list[list[object]] = [
        [
            f"{row['settings']['cell'].upper()}, seed {row['settings']['seed']}",
            f"{row['loss_plain']:.3f}",
            f"{row['loss_warmup']:.4f}",
            f"{row['vaa_before']:.2f}",
            f"{row['vaa_after']:.2f}",
            f"{row['vaa_after_at_10000']:.2f}",
            f"{row['residual_after_at_10000']:.0e}",
        ]
        for row in sorted(rows_of("demo_seeds"), key=lambda row: row["settings"]["cell"])
    ]
    head = ["", "error without", "error with", "VAA before", "VAA after", "VAA after, 10,000 steps", "residual there"]
    return table(head, body)


def warmup_step() -> str:
    """The cost of a step of warmup."""
    body: list[list[object]] = [
        [
            row["cell"],
            f"{row['median milliseconds']['training step']:.0f} ms",
            row["warmup / training, whole prefixes"],
            row["warmup / training, default cap"],
            f"{row['transcription / warmup, whole prefixes']} ×",
            f"{row['transcription / warmup, default cap']} ×",
        ]
        for row in rows_of("warmup_step")
    ]
    head = [
        "",
        "training step",
        "warmup, whole prefixes",
        "warmup, default cap",
        "transcription, whole",
        "… default cap",
    ]
    return table(head, body)


def measuring() -> str:
    """The cost of `measure`."""
    rows = rows_of("measure")
    body: list[list[object]] = [
        [
            f"{row['cell']}, {row['network']}",
            f"{row['median seconds']['measure']:.2f} s",
            f"{row['median seconds']['expanded call']:.2f} s",
            row["measure / expanded call"],
        ]
        for row in rows
        if "measure / expanded call" in row
    ]
    memory: list[list[object]] = [
        [row["cell"], *(f"{value:.0f} MB" for value in row["megabytes added from 120 to 10,000 steps"].values())]
        for row in rows
        if "megabytes added from 120 to 10,000 steps" in row
    ]
    return (
        table(["", "`measure`", "one call of the module", "ratio"], body)
        + "\n\nPeak memory that 10,000 steps take above 120 steps:\n\n"
        + table(["", "`measure`", "one call of the module"], memory)
    )


def prefixes() -> str:
    """What the cap on prefixes brings and costs."""
    groups: dict[tuple[str, int | None], list[Row]] = {}
    for row in rows_of("max_prefix"):
        groups.setdefault((row["cell"], row["max_prefix"]), []).append(row)
    body: list[list[object]] = [
        [
            f"{cell.upper()}, {'whole sequences' if cap is None else f'at most {cap} steps'}",
            f"{mean(row['warmup seconds'] for row in group):.1f} s",
            f"{mean(row['vaa at 2,000 steps'] for row in group):.2f}",
            ", ".join(f"{row['test error']:.3f}" for row in group),
        ]
        for (cell, cap), group in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or 10**9))
    ]
    return table(["prefixes", "warmup", "VAA after", "test error, seed by seed"], body)


def page() -> str:
    """The whole page."""
    versions = json.loads((RESULTS / "warmup_step.json").read_text())["versions"]
    return f"""# Measurements

Each table comes from a file in `benchmarks/results/`, which the command above it writes; `python
benchmarks/tables.py` writes this page from the files. Measured on two cores of a shared server
({versions["machine"]}) with Python {versions["python"]} and torch {versions["torch"]}. Times depend on the machine
and on what else it does; ratios are taken side by side in one process.

## The demonstration

`python benchmarks/demo_seeds.py`: what `multistable demo` does, for five seeds and two cells. Copy first input over
100 steps, 2 × 64 units; the GRU with 100 steps of warmup and 1,000 of training, the LSTM with 200 and 2,000. The error
of an answer without memory is 1. VAA is that before training, at 2,000 steps unless it says otherwise; 0.01 is one
attractor for all 100 states.

{demonstration()}

The last two columns are the reason for care with VAA at a finite horizon: where the residual is not at the level of
rounding, states were still on their way.

## A step of warmup

`python benchmarks/warmup_step.py`: 2 × 128 units, 32 sequences of 300 steps, one thread, constant inputs held for 100
steps, which is the mean of what a warmup draws. The second and third columns are ratios to one ordinary training step
(forward, backward and Adam on the same batch); the last two say how much longer a plain transcription takes that runs
each sequence alone.

{warmup_step()}

## Measuring over 10,000 steps

`python benchmarks/measure.py`: 2 × 128 units, 32 states, one thread, beside one call of the module on the constant
input expanded to 10,000 steps. `measure` drives the whole network and each layer alone; where states settle to the
last bit, it leaves out what would only repeat.

{measuring()}

## The cap on prefixes

`python benchmarks/max_prefix.py`: 100 steps of warmup of 2 × 64 units on copy first input over 200 steps, then 500
steps of training, three seeds. The training is cut short so that differences in learning show.

{prefixes()}
"""


if __name__ == "__main__":
    PAGE.write_text(page())
