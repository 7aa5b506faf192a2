"""How agents in a T-Maze learn, a panel for each cell, with VAA below them."""

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from statistics import fmean

from curves import legend, panels, vaa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mazes import is_optimal
from runs import variant_of

from multistable.experiments.figures import colour_of
from multistable.experiments.results import Run
from multistable.plot._style import tidy


def curves(runs: Sequence[Run]) -> Figure:
    """The figure; the runs of a cell must follow each other."""
    figure = panels(runs, _optimal, partial(vaa, over="episodes"))
    legend(figure, runs, [Line2D([], [], color="black", linewidth=0.8, alpha=0.5, label="thin: optimal just then")])
    return figure


def _optimal(axes: Axes, runs: Sequence[Run]) -> None:
    """The share of seeds that were ever optimal until then, and, thin, of those that are."""
    axes.set(ylim=(-0.04, 1.04), yticks=(0, 0.5, 1), ylabel="share of seeds\noptimal by then")
    for variant, group in groupby(runs, lambda run: variant_of(run.config)):
        seeds = list(group)
        episodes = [row["episodes"] or 0.0 for row in seeds[0].rows]
        colour = colour_of(variant)
        now = [fmean(is_optimal(row["validation_metric"]) for row in rows) for rows in _side_by_side(seeds)]
        ever = [fmean(_was_optimal(run, count) for run in seeds) for count in episodes]
        axes.plot(episodes, now, color=colour, linewidth=0.8, alpha=0.5)
        axes.plot(episodes, ever, color=colour, linewidth=1.6, drawstyle="steps-post")
    tidy(axes)


def _side_by_side(runs: Sequence[Run]) -> list[tuple[dict[str, float | None], ...]]:
    """The rows of all runs, evaluation by evaluation."""
    return list(zip(*(run.rows for run in runs), strict=True))


def _was_optimal(run: Run, episodes: float) -> bool:
    """Whether the run was optimal after that many episodes, or before."""
    first: int | None = run.summary["first_optimal"]
    return first is not None and first <= episodes
