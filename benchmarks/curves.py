"""Learning curves of a section of results, a panel for each cell, with VAA below them."""

from collections.abc import Sequence
from itertools import groupby

from comparisons import VARIANTS, cell_of, variant_of
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from multistable.experiments.figures import colour_of
from multistable.experiments.results import Run, spread
from multistable.plot._style import tidy

COLUMNS = 3
WIDTH, HEIGHT = 8.0, 2.7  # inches: of a page's text, and of a row of cells


def curves(runs: Sequence[Run]) -> Figure:
    """The figure; the runs of a cell must follow each other."""
    cells = [list(group) for _, group in groupby(runs, lambda run: cell_of(run.config))]
    columns = min(COLUMNS, len(cells))
    rows = -(-len(cells) // columns)
    figure = Figure(figsize=(WIDTH, HEIGHT * rows + 0.4), layout="constrained")
    grid = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[3, 2] * rows)
    limits = _limits(runs)
    for place in range(rows * columns):
        row, column = divmod(place, columns)
        above, below = grid[2 * row][column], grid[2 * row + 1][column]
        if place < len(cells):
            _metric(above, cells[place], limits)
            _vaa(below, cells[place])
        else:
            above.set_axis_off()
            below.set_axis_off()
        if column:
            for axes in (above, below):
                axes.set_ylabel("")
                axes.tick_params(labelleft=False)
    _legend(figure, runs)
    return figure


def _limits(runs: Sequence[Run]) -> tuple[float, float]:
    """What the scale of all panels reaches over; for errors, which are on a logarithmic one, at least from 0.1."""
    if runs[0].summary["higher_is_better"]:
        return 0, 1.03
    values = [row["validation_metric"] for run in runs for row in run.rows if row["validation_metric"] is not None]
    return 0.8 * min(0.1, *values), 1.3 * max(values)


def _metric(axes: Axes, runs: Sequence[Run], limits: tuple[float, float]) -> None:
    summary = runs[0].summary
    better = summary["higher_is_better"]
    axes.set_title(cell_of(runs[0].config), fontsize=10, fontweight="bold", loc="left")
    axes.set(yscale="linear" if better else "log", ylim=limits)
    axes.set_ylabel(
        summary["metric"].replace("share of ", "").replace(" ", "\n")
        if _by_reward(runs)
        else f"validation\n{'accuracy' if better else 'error'}"
    )
    axes.axhline(summary["chance"], color="black", linewidth=0.8, linestyle=":")
    axes.tick_params(labelbottom=False)
    _draw(axes, runs, "validation_metric")


def _vaa(axes: Axes, runs: Sequence[Run]) -> None:
    axes.set(ylim=(-0.05, 1.05), yticks=(0, 1), ylabel="VAA", xlabel="episodes" if _by_reward(runs) else "epoch")
    _draw(axes, runs, "vaa")


def _draw(axes: Axes, runs: Sequence[Run], key: str) -> None:
    """For each variant the mean over seeds, and as a band their range."""
    for variant, group in groupby(runs, lambda run: variant_of(run.config)):
        tables = [_values(run, key) for run in group]
        epochs = [epoch for epoch in tables[0] if all(epoch in table for table in tables)]
        found = [spread([table[epoch] for table in tables]) for epoch in epochs]
        colour = colour_of(variant)
        least, most = [one.least for one in found], [one.most for one in found]
        axes.fill_between(epochs, least, most, color=colour, alpha=0.18, linewidth=0)
        axes.plot(epochs, [one.mean for one in found], color=colour, linewidth=1.6)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    tidy(axes)


def _values(run: Run, key: str) -> dict[float, float]:
    """Epochs, or episodes, and the values of those that have one."""
    rows = [(row.get("episodes", row["epoch"]), row[key]) for row in run.rows]
    return {epoch: value for epoch, value in rows if epoch is not None and value is not None}


def _by_reward(runs: Sequence[Run]) -> bool:
    """Whether the runs learned from reward, and so count episodes."""
    return runs[0].config.task == "t_maze"


def _legend(figure: Figure, runs: Sequence[Run]) -> None:
    there = {variant_of(run.config) for run in runs}
    lines = [
        Line2D([], [], color=colour_of(variant), linewidth=2, label=variant) for variant in VARIANTS if variant in there
    ]
    lines.append(Line2D([], [], color="black", linewidth=0.8, linestyle=":", label="chance"))
    figure.legend(handles=lines, loc="outside upper center", ncols=len(lines), frameon=False)
