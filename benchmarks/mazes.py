"""Write docs/results-t-maze.md and its figures from the T-Maze runs in results/.

Run: python benchmarks/mazes.py
"""

from collections.abc import Sequence
from math import inf
from statistics import fmean

from claims import in_words
from comparisons import (
    Pair,
    Tally,
    cell_of,
    compared,
    pairs,
    rank,
    risen,
    tallied,
    vaa_before,
    variant_of,
)
from curves import curves
from results import DOCS, RESULTS, ROOT, groups_of, still_missing, versions
from tables import table

from multistable.experiments.results import Run, collect, sections
from multistable.experiments.sweep import read_sweep

PAGE = DOCS / "results-t-maze.md"
SWEEP = "configs/sweeps/small/t-maze.yaml"
WARMED_UP = ("warmup", "double+warmup")


def found_runs() -> list[list[Run]]:
    """The finished runs: a list for each length, the shortest first, cell by cell."""
    there = collect(RESULTS / "t_maze").runs
    found = [[run for group in one.groups for run in group.runs] for one in sections(there)]
    return [
        sorted(runs, key=lambda run: rank(run.config)) for runs in sorted(found, key=lambda runs: length_of(runs[0]))
    ]


def length_of(run: Run) -> int:
    """L, in training."""
    assert run.config.length is not None
    return run.config.length


def first_optimal(run: Run) -> int | None:
    """Training episodes before the first evaluation all of whose rollouts were optimal."""
    episodes: int | None = run.summary["first_optimal"]
    return episodes


def stays(run: Run) -> float | None:
    """The share of later evaluations that were optimal again; None where there was no first or no later one."""
    first = first_optimal(run)
    later = [row["validation_metric"] for row in run.rows if first is not None and (row["episodes"] or 0) > first]
    return fmean(value == 1 for value in later) if later else None


def optimal_at(run: Run) -> dict[int, bool]:
    """Whether the policy at the end of training is optimal, by the length of the maze that it is put into."""
    return {one["length"]: one["metric"] == 1 for one in run.summary["evaluation"]}


def sooner(found: Sequence[Pair]) -> Tally:
    """Whether the first of each pair was optimal after fewer episodes; one that never was is later than any."""
    when = [tuple(inf if first_optimal(run) is None else first_optimal(run) or 0 for run in pair) for pair in found]
    known = [(pair, times) for pair, times in zip(found, when, strict=True) if min(times) < inf]
    return tallied((cell_of(run.config), compared(other, one)) for (run, _), (one, other) in known)


def farther(found: Sequence[Pair]) -> Tally:
    """Whether the first of each pair is optimal in more of the mazes that are longer than those of training."""
    counts = [(cell_of(run.config), _longer(run), _longer(other)) for run, other in found]
    return tallied((cell, one - other) for cell, one, other in counts if one or other)


def _longer(run: Run) -> int:
    """In how many of the mazes that are longer than those of training the policy is optimal."""
    return sum(optimal for length, optimal in optimal_at(run).items() if length > length_of(run))


def outcomes(runs: Sequence[Run]) -> str:
    """What came of each cell and variant."""
    body: list[list[object]] = []
    for name, group in groups_of(runs).items():
        first = [first_optimal(run) for run in group]
        shares = [share for share in map(stays, group) if share is not None]
        body.append(
            [
                name,
                f"{sum(episodes is not None for episodes in first)} of {len(group)}",
                ", ".join("–" if episodes is None else f"{episodes:,}" for episodes in first),
                f"{100 * fmean(shares):.0f} %" if shares else "",
                f"{fmean(map(vaa_before, group)):.2f}&nbsp;→&nbsp;{fmean(run.summary['vaa'] for run in group):.2f}",
                f"{fmean(run.summary['certified'] for run in group):.2f}",
            ]
        )
    return table(["", "seeds optimal", "first after episodes", "optimal later", "VAA", "certified"], body)


def lengths(runs: Sequence[Run]) -> str:
    """How the same policies do in longer mazes."""
    asked = [one["length"] for one in runs[0].summary["evaluation"]]
    body: list[list[object]] = []
    for name, group in groups_of(runs).items():
        cells = []
        for place, length in enumerate(asked):
            optimal = sum(optimal_at(run)[length] for run in group)
            share = fmean(run.summary["evaluation"][place]["metric"] for run in group)
            cells.append(f"{optimal} of {len(group)}; {100 * share:.0f} %")
        body.append([name, *cells])
    return table(["", *(f"L {length:,}" for length in asked)], body)


def who_lasts(runs: Sequence[Run]) -> str:
    """What is certified of the policies that are optimal in the longest maze, and of the others."""
    longest = max(one["length"] for one in runs[0].summary["evaluation"])
    those = [run for run in runs if optimal_at(run)[length_of(run)]]
    lasting = [run for run in those if optimal_at(run)[longest]]
    fading = [run for run in those if run not in lasting]
    return (
        f"Of {len(those)} policies that are optimal at the end of training, {len(lasting)} are at L {longest:,} as well"
        f"{_certified(lasting)}. {len(fading)} are not{_certified(fading)}."
    )


def _certified(runs: Sequence[Run]) -> str:
    """What is certified of them."""
    if not runs:
        return ""
    found = [run.summary["attractors"] for run in runs]
    many = sum(one["count"] > 1 for one in found)
    resting = 100 * fmean(one["shares"]["equilibrium"] for one in found)
    return f": more than one attractor is certified in {many} of them, and {resting:.0f} % of their states come to rest"


def claims(runs: Sequence[Run]) -> list[tuple[str, Tally, str]]:
    """What the runs say: each claim in a few words, the cases, and a sentence."""
    found = []
    for variant in WARMED_UP:
        tried = sooner(pairs(runs, variant, "plain"))
        said = in_words(tried, "Optimal after fewer episodes", "after more", "after as many")
        found.append((f"`{variant}` is optimal sooner than `plain`", tried, said))
    for variant in WARMED_UP:
        tried = farther(pairs(runs, variant, "plain"))
        said = in_words(
            tried, "Of the pairs of which one is optimal in a longer maze, in more of them", "in fewer", "in as many"
        )
        found.append((f"`{variant}` is optimal in more of the longer mazes than `plain`", tried, said))
    plain = [run for run in runs if variant_of(run.config) == "plain" and first_optimal(run) is not None]
    tried = risen(plain)
    said = in_words(tried, "In training that was optimal at some time VAA rose", "fell", "stayed", "runs")
    found.append(("VAA rises as `plain` networks learn", tried, said))
    return found


def picture(runs: Sequence[Run]) -> str:
    """The name of the file with a section's learning curves."""
    return f"results-t-maze-l{length_of(runs[0])}.png"


def section(runs: Sequence[Run]) -> str:
    """All about mazes of one length."""
    config = runs[0].config
    said = "\n".join(f"- **{name}: {tried.verdict}.** {words}" for name, tried, words in claims(runs))
    return f"""## L {length_of(runs[0])}

Networks of {config.layers} × {config.hidden} units, {config.episodes:,} training episodes, ten updates after each with
batches of {config.batch_size}, Adam at {config.lr:g}. VAA is that of {config.measure_n} states at
{config.measure_horizon:,} steps, certified at {config.attractors_horizon:,}; {1 / config.measure_n:g} is a single
attractor.

![Share of optimal rollouts and VAA over training, cell by cell]({picture(runs)})

{outcomes(runs)}

The policies at the end of training, in longer mazes too: the seeds whose 50 rollouts are all optimal; the share of
rollouts that are.

{lengths(runs)}

{said}
- **Who lasts.** {who_lasts(runs)}
"""


def page(found: Sequence[Sequence[Run]]) -> str:
    """The whole page."""
    there = [run for runs in found for run in runs]
    plan = read_sweep(ROOT / SWEEP).configs
    columns = [claims(runs) for runs in found]
    overview = table(
        ["", *(f"L {length_of(runs[0])}" for runs in found)],
        [
            [
                row[0][0],
                *(f"{tried.verdict} {len(tried.support)}&nbsp;:&nbsp;{len(tried.against)}" for _, tried, _ in row),
            ]
            for row in zip(*columns, strict=True)
        ],
    )
    missing = "; ".join(
        f"of L {length}, {still_missing([one for one in plan if one.length == length], there)}"
        for length in sorted({one.length or 0 for one in plan})
    )
    all_sections = "\n".join(map(section, found))
    return f"""# Results in the T-Maze

What [deep recurrent Q-networks](reinforcement-learning.md) found in the [T-Maze](t-maze.md). All numbers come from the
runs in `results/`, which the first command leaves there; the second writes this page.

```console
$ multistable sweep {SWEEP} --runs results
$ python benchmarks/mazes.py
```

Each run had one thread of a CPU; {versions(there)}. What there is of the sweep: {missing}.

- **Optimal** is an evaluation, every 20 episodes, all of whose 50 rollouts reach the goal in L + 1 steps. Without
  memory, half of the rollouts can be optimal, and no more.
- **Optimal later** is the share of the evaluations after the first optimal one that were optimal again: policies come
  and go.
- **Pairs** are two runs of one cell and seed. **Supported**, **contradicted** and **open** are meant as in
  [the other results](results.md); so is VAA. The numbers are cases for and against.

## In short

{overview}

{all_sections}"""


def draw(found: Sequence[Sequence[Run]]) -> None:
    """The learning curves of each length; the file says of how many runs they are."""
    for runs in found:
        curves(runs).savefig(DOCS / picture(runs), dpi=180, metadata={"Description": f"{len(runs)} runs"})


if __name__ == "__main__":
    found = found_runs()
    PAGE.write_text(page(found))
    draw(found)
