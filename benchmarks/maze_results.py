"""The page docs/results-t-maze.md and its figures, from the runs in results/; results.py writes them."""

from collections.abc import Callable, Sequence
from statistics import fmean

from comparisons import MOVED, vaa_before
from maze_claims import certified, claims, lasting, stability
from mazes import corridors, ends_optimal, first_optimal, is_optimal, lasts, many_certified, optimal_again
from pages import DOCS, ROOT, groups_of, overview, picture, still_missing, versions
from tables import table
from words import kinds_of_states

from multistable.experiments.config import Config
from multistable.experiments.results import Run
from multistable.experiments.sweep import read_sweep

TASK = "t_maze"
SWEEP = "configs/sweeps/small/t-maze.yaml"
PAGE = DOCS / "results-t-maze.md"


def setting(runs: Sequence[Run]) -> str:
    """What is asked, of which networks, trained and scored how."""
    config, between = runs[0].config, int(runs[0].rows[1]["episodes"] or 0)
    return f"""A corridor of {config.length} steps. Networks of {config.layers} × {config.hidden} units learn from
{config.episodes:,} training episodes, in batches of {config.batch_size} with Adam at {config.lr:g}, and are evaluated
on 50 rollouts before and every {between} episodes. VAA is that of {config.measure_n} states at
{config.measure_horizon:,} steps, certified at {config.attractors_horizon:,}; {1 / config.measure_n:g} is a single
attractor."""


def outcomes(runs: Sequence[Run]) -> str:
    """What came of each cell and variant."""
    body: list[list[object]] = []
    for name, group in groups_of(runs).items():
        firsts = [first_optimal(run) for run in group]
        again = [again for run in group for again in optimal_again(run)]
        body.append(
            [
                name,
                f"{sum(first is not None for first in firsts)} of {len(group)}",
                ", ".join("–" if first is None else f"{first:,}" for first in firsts),
                f"{100 * fmean(again):.0f}&nbsp;%" if again else "",
                f"{fmean(map(vaa_before, group)):.2f}&nbsp;→&nbsp;{fmean(run.summary['vaa'] for run in group):.2f}",
                f"{fmean(run.summary['certified'] for run in group):.2f}",
            ]
        )
    return table(["", "ever optimal", "first after", "again", "VAA", "certified"], body)


def lengths(runs: Sequence[Run]) -> str:
    """How many networks are optimal after training, and their mean share of optimal rollouts, in each corridor."""
    body: list[list[object]] = []
    for name, group in groups_of(runs).items():
        shares = zip(*(corridors(run).values() for run in group), strict=True)
        body.append(
            [name, *(f"{sum(map(is_optimal, one))} of {len(one)}, {100 * fmean(one):.0f}&nbsp;%" for one in shares)]
        )
    return table(["", *(f"L {length:,}" for length in corridors(runs[0]))], body)


def who_lasts(runs: Sequence[Run]) -> str:
    """What is certified in networks that are still optimal in the longest corridor, and in those that are not."""
    shortest, longest = runs[0].config.length, f"{max(corridors(runs[0])):,}"
    kinds: dict[str, Callable[[Run], bool]] = {
        f"optimal at {shortest} and {longest}": lambda run: ends_optimal(run) and lasts(run),
        f"optimal at {shortest}, not at {longest}": lambda run: ends_optimal(run) and not lasts(run),
        f"not optimal at {shortest}": lambda run: not ends_optimal(run),
    }
    body: list[list[object]] = []
    for kind, is_one in kinds.items():
        group = [run for run in runs if is_one(run)]
        body.append([kind, len(group), *(_found(group) if group else [""] * 4)])
    head = ["after training", "networks", "VAA", "certified", "two attractors or more", "states"]
    return table(head, body)


def section(runs: Sequence[Run]) -> str:
    """All about runs that can be compared."""
    said = "\n".join(f"- **{name}: {tally.verdict}.** {words}" for name, tally, words in claims(runs))
    verdict, counts = certified(runs)
    return f"""## {title(runs)}

{setting(runs)}

![Share of seeds that are optimal, and VAA, over training, cell by cell]({picture(runs)})

{outcomes(runs)}

The same networks in longer corridors, without further training: how many are optimal, and the mean share of optimal
rollouts.

{lengths(runs)}

What [`attractors`](attractors.md) certifies in those that last, and in those that do not:

{who_lasts(runs)}

{said}
- **Lost and regained.** {stability(runs)}
- **Longer corridors.** {lasting(runs)}
- **What is certified tells who lasts: {verdict}.** {counts}
"""


def title(runs: Sequence[Run]) -> str:
    """The heading of a section."""
    return f"L {runs[0].config.length}"


def missing(plan: Sequence[Config], there: Sequence[Run]) -> str:
    """Which runs of the sweep are not there, corridor by corridor."""
    settings = dict.fromkeys(config.length for config in plan)
    return "\n".join(
        f"- L {length}: {still_missing([config for config in plan if config.length == length], there)}."
        for length in settings
    )


def page(found: Sequence[Sequence[Run]]) -> str:
    """The whole page, section by section."""
    there = [run for runs in found for run in runs]
    all_sections = "\n".join(map(section, found))
    return f"""# Results in the T-Maze

What a [deep recurrent Q-network](reinforcement-learning.md) learned from reward in the [T-Maze](t-maze.md), in the
small form of the [experiment](experiments.md#the-t-maze). As for the [other results](results.md), all numbers come from
the runs in `results/`, which the first command leaves there; the last one writes this page.

```console
$ multistable sweep {SWEEP} --runs results
$ python benchmarks/results.py
```

Each run had one thread of a CPU; {versions(there)}. What there is of the sweep:

{missing(read_sweep(ROOT / SWEEP).configs, there)}

How to read it:

- **Optimal** is a policy all 50 rollouts of whose evaluation reach the goal in L + 1 steps. A single rollout without
  memory does so with probability one half at most.
- **Ever optimal**: of how many seeds the policy was optimal at some evaluation. **First after**: the training episodes
  before the first such evaluation, seed by seed; – if there is none. **Again**: of the evaluations after that, all
  seeds together, the share that were optimal, too.
- **VAA** is that before training, after the warmup where there is one, and that after training; certified is what
  [`attractors`](attractors.md) finds after training, and slow are the states of which it is not certain. Both are means
  over networks, and said of one constant input, which is drawn at random and is not what an agent sees in the corridor.
  VAA **rose** or fell if it changed by more than {MOVED:g}.
- **In the figures** thick lines are the share of seeds that have been optimal by then, thin ones of those that are
  optimal just then; of VAA, lines are means and bands reach from the least to the largest seed.
- **Pairs** are two runs of one cell and seed. One that was never optimal counts as later than any.
- **Supported** or **contradicted**: more cases go that way than chance brings in 5 % of the time (two-sided sign test,
  without ties; for what is certified an exact test of the counts, cell by cell). **Open**: neither. Seeds of one cell
  resemble each other, so this is on the generous side.

## The paper's claims

{overview(found, claims, title)}

The numbers are cases for and against. That VAA rises as networks learn does not say which comes first.

{all_sections}"""


def _found(runs: Sequence[Run]) -> list[object]:
    """What is measured in some networks."""
    return [
        f"{fmean(run.summary['vaa'] for run in runs):.2f}",
        f"{fmean(run.summary['certified'] for run in runs):.2f}",
        sum(map(many_certified, runs)),
        kinds_of_states(runs),
    ]
