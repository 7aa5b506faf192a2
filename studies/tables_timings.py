"""The tables of what benchmarks measured; tables.py writes them."""

from markdown_table import grid, listed, table
from rows import ROOT, Row, read

SHOWN = {
    "small_configs": (
        "| wall time | training | evaluation | test (chance) | metric",
        "`{config}` | {seconds} s | {of which[training]:.0f} s | {of which[evaluation]:.0f} s "
        "| {test:.3f} ({chance:.3g}) | {metric}",
    ),
    "training_step": (
        "| bare loop | `multistable run` | ratio of wall times",
        "{network} | {median milliseconds a step, bare loop:.1f} ms | {median milliseconds a step, run:.1f} ms "
        "| {run / bare loop, wall time:.2f}",
    ),
    "attractors": (
        "network | certified | `attractors` | `measure` | ratio | to all steps | memory | of `measure`",
        "{network} | {certified:.2f} | {median seconds[attractors]:.2f} s | {median seconds[measure]:.2f} s "
        "| {attractors / measure:.2f} | {attractors / all steps:.2f} "
        "| {peak megabytes added[attractors]} MB | {peak megabytes added[measure]} MB",
    ),
    "layers": (
        "| forward and backward | of `nn.GRU`'s time | matrix products alone | peak memory | plain loop",
        "{cell}, H {hidden}, I {inputs} | {median milliseconds:.0f} ms | {time / GRU:.2f} "
        "| {matrix products alone, milliseconds:.0f} ms | {peak megabytes:.0f} MB | {plain loop}",
    ),
    "warmup_step": (
        "| training step | warmup, whole prefixes | warmup, default cap | transcription, whole | … default cap",
        "{cell} | {median milliseconds[training step]:.0f} ms "
        "| {warmup / training, whole prefixes} | {warmup / training, default cap} "
        "| {transcription / warmup, whole prefixes} × | {transcription / warmup, default cap} ×",
    ),
    "warmup_cost": (
        "| epoch | warmup | in epochs | the measures, in epochs",
        "{cell}, 2 × {hidden}, {sequences:,} sequences of {steps} steps | {epoch seconds:.1f} s "
        "| {warmup seconds:.1f} s | {warmup / epoch:.2f} | {measures / epoch:.3f}",
    ),
    "measure": (
        "| `measure` | one call of the module | ratio",
        "{cell}, {network} | {median seconds[measure]:.2f} s | {median seconds[expanded call]:.2f} s "
        "| {measure / expanded call}",
    ),
    "measure_memory": (
        "| `measure` | one call of the module",
        "{cell} | {megabytes added from 120 to 10,000 steps[measure]:.0f} MB "
        "| {megabytes added from 120 to 10,000 steps[expanded call]:.0f} MB",
    ),
    "drqn_update": (
        "| update | transcription | ratio",
        "{cell}, {threads} thread{s} | {median milliseconds[update]:.1f} ms "
        "| {median milliseconds[transcription]:.0f} ms | {transcription / update:.1f}",
    ),
}
"""Of each table the heads, and how a row of the benchmark is shown."""


def tables() -> dict[str, str]:
    """All of them, by name."""
    drqn, measure = timings("drqn"), timings("measure")
    rows = {
        name: timings(name) for name in ("small_configs", "training_step", "attractors", "warmup_step", "warmup_cost")
    }
    rows["layers"] = [row | {"plain loop": plain_loop(row)} for row in timings("layers")]
    rows["measure"] = [row for row in measure if "measure / expanded call" in row]
    rows["measure_memory"] = [row for row in measure if row not in rows["measure"]]
    rows["drqn_update"] = [
        row | {"s": "s" if row["threads"] > 1 else ""} for row in drqn if "transcription / update" in row
    ]
    made = {name.replace("_", "-"): table(rows[name], listed(*shown)) for name, shown in SHOWN.items()}
    return made | {"drqn-pace": drqn_pace(drqn)}


def timings(name: str) -> list[Row]:
    """The rows that a benchmark wrote."""
    return read(ROOT / "benchmarks" / "results" / f"{name}.json")


def plain_loop(row: Row) -> str:
    """How much longer a plain loop takes; there is none for torch's own layer."""
    return f"{row['loop / layer']:.1f} ×" if "loop / layer" in row else ""


def drqn_pace(rows: list[Row]) -> str:
    """How many steps agents take in a second, and how long a training takes."""
    found = {key: value for row in rows for key, value in row.items()}
    rates = found["steps per second"]
    head = [*(f"steps per second, {agents}" for agents in rates), "an episode", "2,000 episodes"]
    episode = f"{1e3 * found['seconds for an episode more']:.0f} ms"
    whole = f"{found['seconds for 2,000 episodes, extrapolated']} s"
    return grid(head, [[*(f"{rate:,}" for rate in rates.values()), episode, whole]])
