"""Write docs/results.md, docs/results-t-maze.md and their figures from the runs in results/.

Run: python benchmarks/results.py
"""

from collections.abc import Sequence
from math import floor, log10
from statistics import fmean

import maze_curves
import maze_results
from claims import certified, claims, other_lengths
from comparisons import MOVED, halfway_of, learned_at, vaa_before
from curves import curves
from pages import DOCS, ROOT, draw, found_runs, groups_of, overview, picture, still_missing, versions
from tables import table

from multistable.experiments.config import TASKS, held_out
from multistable.experiments.results import Run, spread
from multistable.experiments.sweep import read_sweep

PAGE = DOCS / "results.md"

# Other tasks in results/ are skipped; the T-Maze has a page of its own.
SWEEPS = {
    "copy_first_input": "configs/sweeps/small/copy-first-input.yaml",
    "denoising": "configs/sweeps/small/denoising.yaml",
    "permuted_rows": "configs/sweeps/small/permuted-rows.yaml",
}
TITLES = {
    "copy_first_input": "Copy first input",
    "denoising": "Denoising",
    "permuted_rows": "Permuted rows",
}
ASKED = {
    "copy_first_input": "the first of {length} random numbers, after the last",
    "denoising": "five marked values among {length}, at the last five steps; none lies in the last {forgetting}",
    "permuted_rows": "the digit in an image of 8 × 8 permuted pixels, shown row by row, after {padding} black rows",
}


def setting(runs: Sequence[Run]) -> str:
    """What is asked, of which networks, trained and scored how."""
    config, summary = runs[0].config, runs[0].summary
    assert config.validation is not None
    if config.samples is None:
        split = f"all images but a fifth of each class, to test; of the others {100 * config.validation:.0f} % validate"
    else:
        held = held_out(config.samples, config.validation)
        split = f"{config.samples - held:,} sequences; {held:,} others validate, and {config.test_samples:,} test"
    return f"""Asked for: {ASKED[config.task].format(**config.to_dict())}. Networks of {config.layers} × {config.hidden}
units, {config.epochs} epochs of {split}. Batches of {config.batch_size}, Adam at {config.lr:g}.
The metric is the {summary["metric"]}; chance is {summary["chance"]:g}, halfway {halfway_of(runs[0]):g}. VAA is that of
{config.measure_n} states at {config.measure_horizon:,} steps, certified at {config.attractors_horizon:,};
{1 / config.measure_n:g} is a single attractor."""


def outcomes(runs: Sequence[Run]) -> str:
    """What came of each cell and variant."""
    body: list[list[object]] = [
        [
            name,
            len(group),
            plus_minus([run.summary["test_metric"] for run in group]),
            ", ".join("–" if epoch is None else str(epoch) for epoch in map(learned_at, group)),
            f"{fmean(map(vaa_before, group)):.2f}&nbsp;→&nbsp;{fmean(run.summary['vaa'] for run in group):.2f}",
            f"{fmean(run.summary['certified'] for run in group):.2f}",
        ]
        for name, group in groups_of(runs).items()
    ]
    return table(["", "seeds", _test(runs), "learned at", "VAA", "certified"], body)


def lengths(runs: Sequence[Run]) -> str:
    """The mean test metric at every evaluation length."""
    body: list[list[object]] = []
    for name, group in groups_of(runs).items():
        metrics = [[one["metric"] for one in run.summary["evaluation"]] for run in group]
        means = [fmean(values) for values in zip(*metrics, strict=True)]
        body.append([name, *(f"{mean:.{_places(mean)}f}" for mean in means)])
    key = TASKS[runs[0].config.task].horizon
    return table([_test(runs), *(f"{key} {one['length']}" for one in runs[0].summary["evaluation"])], body)


def plus_minus(values: Sequence[float]) -> str:
    """A mean, and where there is more than one value the standard deviation; in one line of a cell."""
    found = spread(values)
    places = _places(found.mean)
    deviation = f"&nbsp;±&nbsp;{found.deviation:.{places}f}" if len(values) > 1 else ""
    return f"{found.mean:.{places}f}{deviation}"


def section(runs: Sequence[Run]) -> str:
    """All about runs that can be compared."""
    said = "\n".join(f"- **{name}: {tally.verdict}.** {words}" for name, tally, words in claims(runs))
    return f"""## {title(runs)}

{setting(runs)}

![Validation metric and VAA over training, cell by cell]({picture(runs)})

{outcomes(runs)}

At all evaluation lengths, means over seeds:

{lengths(runs)}

{said}
- **Other lengths.** {other_lengths(runs)}
- **What is certified.** {certified(runs)}
"""


def title(runs: Sequence[Run]) -> str:
    """The heading of a section."""
    return f"{TITLES[runs[0].config.task]}, {runs[0].config.setting.replace('-', ', ')}"


def page(found: Sequence[Sequence[Run]]) -> str:
    """The whole page, section by section."""
    there = [run for runs in found for run in runs]
    commands = "\n".join(f"$ multistable sweep {path} --runs results" for path in SWEEPS.values())
    missing = "\n".join(
        f"- `{path}`: {still_missing(read_sweep(ROOT / path).configs, there)}." for path in SWEEPS.values()
    )
    all_sections = "\n".join(map(section, found))
    return f"""# Results

What the supervised [experiments](experiments.md) found in their small form: the paper's comparisons, with small
networks and little training; the T-Maze, which is learnt from reward, has [a page of its own](results-t-maze.md). All
numbers come from the runs in `results/`, which the first commands leave there; the last one writes this page.

```console
{commands}
$ python benchmarks/results.py
```

Each run had one thread of a CPU; {versions(there)}. `multistable report results -o report.html` shows the same runs in
more figures. What there is of the sweeps:

{missing}

How to read it:

- **±** is the standard deviation over seeds. In figures, lines are means, and bands reach from the least to the largest
  seed.
- **Learned at**: the first epoch at whose end the validation metric is halfway from chance to perfect, or better;
  – if there is none.
- **Pairs** are two runs of one cell and seed, and so with the same sequences. The chrono LSTM, the paper's LSTM whose
  gates are made for long memories, counts as a cell of its own.
- **VAA** is that before training, after the warmup where there is one, and that after training; certified is what
  [`attractors`](attractors.md) finds after training, and slow are the states of which it is not certain. Both are means
  over seeds. VAA **rose** or fell if it changed by more than {MOVED:g}.
- **Supported** or **contradicted**: more cases go that way than chance brings in 5 % of the time (two-sided sign test,
  without ties). **Open**: neither. Seeds of one cell resemble each other, so this is on the generous side.

## The paper's claims

{overview(found, claims, title)}

The numbers are cases for and against. That VAA rises as networks learn does not say which comes first.

{all_sections}"""


def _places(value: float) -> int:
    """Decimal places that show three digits."""
    return max(0, 2 - floor(log10(abs(value)))) if value else 2


def _test(runs: Sequence[Run]) -> str:
    return "accuracy" if runs[0].summary["higher_is_better"] else "test error"


if __name__ == "__main__":
    found = found_runs(SWEEPS)
    PAGE.write_text(page(found))
    draw(found, curves)
    mazes = found_runs([maze_results.TASK])
    maze_results.PAGE.write_text(maze_results.page(mazes))
    draw(mazes, maze_curves.curves)
