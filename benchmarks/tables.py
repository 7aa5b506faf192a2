"""Write docs/measurements.md from the results of the benchmarks.

Run: python benchmarks/tables.py
"""

import json
from operator import itemgetter
from pathlib import Path
from statistics import mean, median
from typing import Any

from lasting_memory import VARIANTS
from multistability import CELLS
from side_by_side import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "measurements.md"

Row = dict[str, Any]

BETTER = {"sign": "more", "copy": "less"}


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


def layers() -> str:
    """Time and memory of the layers beside `nn.GRU`."""
    body: list[list[object]] = [
        [
            f"{row['cell']}, H {row['hidden']}, I {row['inputs']}",
            f"{row['median milliseconds']:.0f} ms",
            f"{row['time / GRU']:.2f}",
            f"{row['matrix products alone, milliseconds']:.0f} ms",
            f"{row['peak megabytes']:.0f} MB",
            f"{row['loop / layer']:.1f} ×" if "loop / layer" in row else "",
        ]
        for row in rows_of("layers")
    ]
    head = ["", "forward and backward", "of `nn.GRU`'s time", "matrix products alone", "peak memory", "plain loop"]
    return table(head, body)


def multistability() -> str:
    """VAA of every cell before and after a warmup."""
    groups: dict[tuple[str, bool], list[Row]] = {}
    for row in rows_of("multistability"):
        groups.setdefault((row["cell"], row["doubled"]), []).append(row)
    body: list[list[object]] = []
    for (cell, doubled), group in groups.items():
        before, after = [row["before"] for row in group], [row["after"] for row in group]
        body.append(
            [
                f"{cell}{', doubled' if doubled else ''}",
                ", ".join(f"{one['vaa at 240 steps']:.2f}" for one in before),
                ", ".join(f"{one['vaa']:.2f}" for one in before),
                f"{max(one['residual'] for one in before):.0e}",
                ", ".join(f"{one['vaa at 240 steps']:.2f}" for one in after),
                ", ".join(f"{one['vaa']:.2f}" for one in after),
                f"{max(one['residual'] for one in after):.0e}",
            ]
        )
    new, warm = "new: VAA at 240 steps", "warmed up: VAA at 240 steps"
    head = ["", new, "at 10,000", "largest residual", warm, "at 10,000", "largest residual"]
    return table(head, body)


KINDS = ("equilibrium", "cycle", "slow", "drift", "chaos")


def certified() -> str:
    """VAA at a finite horizon beside what is certified, for every cell."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows_of("certified"):
        groups.setdefault((row["cell"], row["variant"]), []).append(row)
    body: list[list[object]] = []
    for (cell, variant), group in sorted(groups.items(), key=lambda item: list(CELLS).index(item[0][0])):
        constants = [row["time constant, median"] for row in group if row["time constant, median"] is not None]
        body.append(
            [
                f"{cell}, {variant}",
                ", ".join(f"{row['vaa at 2,000 steps']:.2f}" for row in group),
                ", ".join(f"{row['certified']:.2f}" for row in group),
                f"{median(constants):.0f}" if constants else "",
                *(percent(mean(row["shares"].get(kind, 0.0) for row in group)) for kind in KINDS),
            ]
        )
    head = ["", "VAA at 2,000 steps", "certified", "time constant", "at rest", "cycle", "slow", "drift", "chaos"]
    return table(head, body)


def span(name: str, key: str, variant: str, cells: tuple[str, ...]) -> str:
    """The smallest and the largest figure of some networks."""
    values = [row[key] for row in rows_of(name) if row["variant"] == variant and row["cell"] in cells]
    return f"{min(values):.2f}-{max(values):.2f}"


def certified_words() -> str:
    """What the table says, with its figures."""
    single, closed, many = ("LSTM", "chrono LSTM", "GRU", "MGU"), ("LSTM", "GRU", "MGU"), ("BRC", "nBRC")

    def found(variant: str, cells: tuple[str, ...], key: str = "certified") -> str:
        return span("certified", key, variant, cells)

    return f"""After the published warmup, networks that start with a single equilibrium show VAA
{found("warmup", single, "vaa at 2,000 steps")} at 2,000 steps, and {found("warmup", single)} is certified: nearly all
of what VAA counts is on its way to one or two equilibria, or drifts. `bistable_` has
{found("bistable_", closed)} certified without a gradient step, and a warmup that asks for contraction raises that to
{found("bistable_, contraction", closed)}, all of it at rest. A chrono LSTM has nothing to keep, and stays with its one
equilibrium under that objective. BRC and nBRC start with {found("new", many)}; the published warmup leaves
{found("warmup", many)}, the other {found("contraction", many)}."""


def memory_rows(task: str) -> list[Row]:
    """Single and double layers, seed by seed."""
    rows = rows_of("lasting_memory_single") + rows_of("lasting_memory_double")
    return sorted((row for row in rows if row["task"] == task), key=itemgetter("double", "seed"))


LEARNED = {"sign": lambda value: value > 0.95, "copy": lambda value: value < 0.01}


def memory_words() -> str:
    """What the tables say, with their figures."""
    signs, copies = (
        [row for row in memory_rows(task) if LEARNED[task](row["test"]["100"])] for task in ("sign", "copy")
    )
    plain = [row for row in signs + copies if row["variant"] == "none"]

    def said(rows: list[Row], length: str) -> str:
        values = [row["test"][length] for row in rows]
        task = rows[0]["task"]
        low, high, middle = (score(task, value) for value in (min(values), max(values), median(values)))
        return f"{low} to {high}, half of them {BETTER[task]} than {middle}"

    last = [row["test"]["100000"] for row in signs]
    groups: dict[str, list[float]] = {}
    for row in memory_rows("copy"):
        groups.setdefault(f"{row['variant']}{', double' if row['double'] else ''}", []).append(row["test"]["100000"])
    best = min(groups, key=lambda name: median(groups[name]))
    return f"""{len(signs)} of {len(memory_rows("sign"))} networks learned the sign, and {len(copies)} of
{len(memory_rows("copy"))} the copy; {len(plain)} of these without any help before training. Of those that learned it,
the sign is right in {said(signs, "100")}, after 100 steps; in {said(signs, "10000")}, after 10,000; and in
{said(signs, "100000")}, after 100,000. {sum(value >= 0.99 for value in last)} have it right in 99 % or more then,
{sum(value == 1 for value in last)} in all that were tested.

A continuous value is another matter. The errors of those that learned it are {said(copies, "100")}, after 100 steps;
{said(copies, "1000")}, after 1,000; and {said(copies, "10000")}, after 10,000. Best off at
100,000 is `{best}`: {", ".join(score("copy", value) for value in groups[best])}. Training on up to 200 steps finds
states that are slow enough for those, and not for many more, also in networks that start with wells. The contraction
objective, after which more is certified before training, does not lengthen what is kept after it."""


def percent(share: float) -> str:
    """A share, left out where it is zero."""
    return f"{100 * share:.0f} %" if share > 0 else ""


def cost() -> str:
    """The cost of `attractors`."""
    body: list[list[object]] = [
        [
            row["network"],
            f"{row['certified']:.2f}",
            f"{row['median seconds']['attractors']:.2f} s",
            f"{row['median seconds']['measure']:.2f} s",
            f"{row['attractors / measure']:.2f}",
            f"{row['attractors / all steps']:.2f}",
            f"{row['peak megabytes added']['attractors']} MB",
            f"{row['peak megabytes added']['measure']} MB",
        ]
        for row in rows_of("attractors")
    ]
    head = ["network", "certified", "`attractors`", "`measure`", "ratio", "to all steps", "memory", "of `measure`"]
    return table(head, body)


def lasting_memory(task: str) -> str:
    """Errors, or signs that are right, after sequences of several lengths, seed by seed."""
    rows = memory_rows(task)
    groups: dict[tuple[bool, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["double"], row["variant"]), []).append(row)
    lengths = list(rows[0]["test"])
    body: list[list[object]] = [
        [
            f"{variant}{', double' if double else ''}",
            *(", ".join(score(task, row["test"][length]) for row in group) for length in lengths),
        ]
        for (double, variant), group in sorted(
            groups.items(), key=lambda item: (item[0][0], list(VARIANTS).index(item[0][1]))
        )
    ]
    return table(["", *(f"{int(length):,} steps" for length in lengths)], body)


def score(task: str, value: float) -> str:
    """An error with two digits, or a share in percent."""
    if task == "sign":
        return f"{100 * value:.1f} %"
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def updates() -> str:
    """The cost of an update of a deep recurrent Q-network."""
    body: list[list[object]] = [
        [
            f"{row['cell']}, {row['threads']} thread{'s' if row['threads'] > 1 else ''}",
            f"{row['median milliseconds']['update']:.1f} ms",
            f"{row['median milliseconds']['transcription']:.0f} ms",
            f"{row['transcription / update']:.1f}",
        ]
        for row in rows_of("drqn")
        if "transcription / update" in row
    ]
    return table(["", "update", "transcription", "ratio"], body)


def acting_words() -> str:
    """How fast agents act, and how long a training takes."""
    (acting,) = (row["steps per second"] for row in rows_of("drqn") if "steps per second" in row)
    (whole,) = (row for row in rows_of("drqn") if "seconds for an episode more" in row)
    (name,) = (key for key in whole if key.endswith("extrapolated"))
    rates = ", ".join(f"{value:,} {agents}" for agents, value in acting.items())
    return f"""Steps per second of a GRU on one thread, the network's included: {rates}. A training episode with its ten
updates takes {1e3 * whole["seconds for an episode more"]:.0f} ms at first, so that 2,000 take {whole[name]} s; agents
that know the way need fewer steps."""


def proximal() -> str:
    """RecurrentPPO in the T-Maze."""
    groups: dict[tuple[int, str], list[Row]] = {}
    for row in rows_of("recurrent_ppo"):
        groups.setdefault((row["length"], row["variant"]), []).append(row)
    body: list[list[object]] = [
        [
            f"L {length}, {variant}",
            ", ".join(f"{row['vaa before']:.2f}" for row in group),
            f"{sum(row['solved after steps'] is not None for row in group)} of {len(group)}",
            ", ".join("–" if row["solved after steps"] is None else f"{row['solved after steps']:,}" for row in group),
        ]
        for (length, variant), group in groups.items()
    ]
    return table(["", "VAA before learning", "solved", "after environment steps"], body)


def proximal_words() -> str:
    """What the table says, with its figures."""
    after = {(row["seed"], row["variant"]): row["solved after steps"] for row in rows_of("recurrent_ppo")}
    ratios = [after[seed, "plain"] / steps for (seed, variant), steps in after.items() if variant == "warmup"]
    return f"Without the warmup it took {min(ratios):.1f} to {max(ratios):.1f} times as many steps, seed by seed."


def small_configs() -> str:
    """The wall time of each small experiment."""
    body: list[list[object]] = [
        [
            f"`{row['config']}`",
            f"{row['seconds']} s",
            *(f"{row['of which'][part]:.0f} s" for part in ("training", "evaluation")),
            f"{row['test']:.3f} ({row['chance']:.3g})",
            row["metric"],
        ]
        for row in rows_of("small_configs")
    ]
    return table(["", "wall time", "training", "evaluation", "test (chance)", "metric"], body)


def overhead_words() -> str:
    """A step through `multistable run` beside a bare loop."""
    (row,) = rows_of("training_step")
    return f"""{row["network"]}: {row["median milliseconds a step, bare loop"]:.1f} ms a step in the bare loop and
{row["median milliseconds a step, run"]:.1f} ms through `multistable run`; the median ratio of wall times is
{row["run / bare loop, wall time"]:.2f}. Both come to the same weights, to the bit."""


def kills_words() -> str:
    """What became of a run and a sweep that were killed."""
    run, sweep = rows_of("kills")
    epochs = ", ".join(str(one["epochs"] - 1) if one["epochs"] else "none" for one in run["killed"])
    return f"""`{run["command"]}`, killed {len(run["killed"])} times, when there were {epochs} epochs: it was warmed up
{run["times warmed up"]} time, {run["epochs that changed"]} of the epochs that there were came out otherwise in the
end, and metrics, warmup and summary are the same to the bit in {run["runs that are the same to the bit"]} of
{run["runs"]}, but for times. `{sweep["command"]}`, killed {len(sweep["killed"])} times, when
{", ".join(str(one["finished"]) for one in sweep["killed"])} of its runs were finished:
{sweep["finished runs that were touched again"]} of these were touched again, and
{sweep["runs that are the same to the bit"]} of {sweep["runs"]} are the same to the bit."""


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
100 steps, 2 × 64 units; the GRU with 100 steps of warmup and 1,000 of training, the LSTM with 200 and 2,000. The
error of an answer without memory is 1. VAA is that before training, at 2,000 steps unless it says otherwise; 0.01 is
one attractor for all 100 states.

{demonstration()}

The last two columns are the reason for care with VAA at a finite horizon: where the residual is not at the level of
rounding, states were still on their way.

## Multistability, cell by cell

`python benchmarks/multistability.py`: 2 × 64 units as the paper starts them, before and after a warmup with its
default settings on copy first input over 100 steps, three seeds. VAA of the whole network at 240 steps, just above
what the warmup trains on, and at 10,000 steps; 0.01 is one attractor for all 100 states. The residual is the farthest
that any state of the three networks still moves in a step there: about 1e-7 is rest, as far as single precision can
tell.

{multistability()}

What the paper says of new networks holds in all 36. The 24 LSTMs, GRUs and MGUs have a single equilibrium (a chrono
LSTM too, though at 240 steps it does not look so: its states are slow); the 12 BRCs and nBRCs have many, at rest.

A warmup makes the former multistable at the horizons that it trains on; at 10,000 steps some of that is gone again, and
what is left often still moves. **Of a BRC it leaves less than there was**, in all six networks, and of an nBRC in four
of six. Only states that have not yet come to rest give VAA* a gradient worth mentioning, since it is flat where two
states have merged and nearly flat where they are far apart: so the descent slows the cells down (VAA at 240 steps
rises in ten of the twelve, and was 1.00 before in another), and does not see the wells in which states rest. A BRC or
an nBRC is multistable without a warmup.

## Certified, cell by cell

`python benchmarks/certified.py`: the same networks, 64 states each, with what [`attractors`](attractors.md) finds
beside VAA at 2,000 steps; three seeds. Certified is the number of distinct stable equilibria and cycles over the
number of states, 0.02 for a single one. The time constant is that of the median attractor, in steps; the shares are
means. `warmup` is the published one; `bistable_` makes all units bistable; `contraction` is
`warmup(objective="contraction", lr=1e-3)` after it, or from the paper's start where the cell is bistable anyway.

{certified()}

{certified_words()}

## Memory that lasts

`python benchmarks/lasting_memory.py`: a 2 × 64 GRU learns to repeat its first input ("copy", mean squared error, 1 is
chance), or to say its sign (share that is right), after sequences of 5 to 200 steps of noise, in 3,000 steps of
training. Then it is asked after sequences of up to 100,000 steps: 256 sequences up to 10,000 steps, 128 at 100,000.
`warmup` is the published one; `bistable_` makes half of each layer's units bistable with a time constant of 20 steps,
in a double layer all units of the first part; `bistable_, contraction` warms that up with `objective="contraction"`,
`lr=1e-3`. A column holds a figure for each of three seeds. With `free gates`, which keep their recurrent weights, only
single layers were run.

The sign:

{lasting_memory("sign")}

Copy:

{lasting_memory("copy")}

{memory_words()}

## Experiments

`python benchmarks/small_configs.py`: each of the small [experiments](experiments.md) once, from the command to its
end, on two cores that did a little else. What is neither training nor evaluation is the start of Python and of torch,
the data, validation, and VAA after each epoch.

{small_configs()}

`python benchmarks/training_step.py`: a training step on the same network and batches, one thread, taking turns. The
loop is what one writes by hand: forward, backward, Adam. {overhead_words()}

`python benchmarks/kills.py` sends SIGKILL at random moments, and starts the same command again. {kills_words()}

## A deep recurrent Q-network

`python benchmarks/drqn.py`: an update on 32 transitions of a T-Maze with L = 20, 2 × 32 units, at the beginning of
training, when histories are longest; beside a transcription of the formula that takes each transition alone through
both networks. The target network's part is included.

{updates()}

{acting_words()}

## RecurrentPPO in a T-Maze

`python benchmarks/recurrent_ppo.py`: `RecurrentPPO` of Stable-Baselines3-contrib with LSTMs of 64 units and 32 mazes at
once, without and with the one line `warmup_policy(model)`, three seeds. Solved means that the agent without chance
reaches both goals in L + 1 steps after three updates in a row, of at most
200,000 steps; VAA is that of the actor's LSTM at 2,000 steps.

{proximal()}

{proximal_words()}

## The cost of `attractors`

`python benchmarks/attractors.py`: 256 states of a GRU with 128 units, beside `measure` at 10,000 steps, which leaves
out states that have come to rest, and beside 10,000 steps of all states, none left out; one thread. Memory is the peak
above what was there before the call.

{cost()}

## Layers beside `nn.GRU`

`python benchmarks/layers.py`: forward and backward of one layer on 32 sequences of 300 steps, one thread, beside
`nn.GRU` of the same size. I inputs: with I = H as above another layer, whose gradient is taken too. The matrix
products alone are the floor under any such layer; peak memory is what forward and backward take above the module and
its inputs. The last column says how much longer a loop over the formula takes that projects all inputs at once, too.

{layers()}

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
