"""Learning curves of a section of results, a panel for each cell, with VAA below them."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from runs import VARIANTS, cell_of, variant_of

from multistable.experiments.figures import colour_of
from multistable.experiments.results import Run, spread
from multistable.plot._style import tidy

COLUMNS = 3
WIDTH, HEIGHT = 8.0, 2.7  # inches: of a page's text, and of a row of cells

Panel = Callable[[Axes, Sequence[Run]], None]
"""Draws what there is to show of a cell."""


def curves(runs: Sequence[Run]) -> Figure:
    """The figure; the runs of a cell must follow each other."""
    limits = _limits(runs)
    figure = panels(runs, lambda axes, cell: _metric(axes, cell, limits), partial(vaa, over="epoch"))
    legend(figure, runs, [Line2D([], [], color="black", linewidth=0.8, linestyle=":", label="chance")])
    return figure


def panels(runs: Sequence[Run], above: Panel, below: Panel) -> Figure:
    """A figure with two panels for each cell, one above the other, as two functions draw them."""
    cells = [list(group) for _, group in groupby(runs, lambda run: cell_of(run.config))]
    columns = min(COLUMNS, len(cells))
    rows = -(-len(cells) // columns)
    figure = Figure(figsize=(WIDTH, HEIGHT * rows + 0.4), layout="constrained")
    grid = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[3, 2] * rows)
    for place in range(rows * columns):
        row, column = divmod(place, columns)
        both = grid[2 * row][column], grid[2 * row + 1][column]
        if place < len(cells):
            both[0].set_title(cell_of(cells[place][0].config), fontsize=10, fontweight="bold", loc="left")
            both[0].tick_params(labelbottom=False)
            above(both[0], cells[place])
            below(both[1], cells[place])
        for axes in both:
            if place >= len(cells):
                axes.set_axis_off()
            elif column:
                axes.set_ylabel("")
                axes.tick_params(labelleft=False)
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
    axes.set(yscale="linear" if better else "log", ylim=limits)
    axes.set_ylabel(f"validation\n{'accuracy' if better else 'error'}")
    axes.axhline(summary["chance"], color="black", linewidth=0.8, linestyle=":")
    _draw(axes, runs, "epoch", "validation_metric")


def vaa(axes: Axes, runs: Sequence[Run], over: str) -> None:
    """VAA over the column `over`."""
    axes.set(ylim=(-0.05, 1.05), yticks=(0, 1), ylabel="VAA", xlabel=over)
    _draw(axes, runs, over, "vaa")


def _draw(axes: Axes, runs: Sequence[Run], over: str, key: str) -> None:
    """For each variant the mean over seeds, and as a band their range."""
    for variant, group in groupby(runs, lambda run: variant_of(run.config)):
        tables = [_values(run, over, key) for run in group]
        places = [place for place in tables[0] if all(place in table for table in tables)]
        found = [spread([table[place] for table in tables]) for place in places]
        colour = colour_of(variant)
        least, most = [one.least for one in found], [one.most for one in found]
        axes.fill_between(places, least, most, color=colour, alpha=0.18, linewidth=0)
        axes.plot(places, [one.mean for one in found], color=colour, linewidth=1.6)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    tidy(axes)


def _values(run: Run, over: str, key: str) -> dict[float, float]:
    """The values of a column over another, in the rows that have both."""
    rows = [(row[over], row[key]) for row in run.rows]
    return {place: value for place, value in rows if place is not None and value is not None}


def legend(figure: Figure, runs: Sequence[Run], others: Sequence[Line2D]) -> None:
    """The variants that are there and their colours, above all panels, and other lines after them."""
    there = {variant_of(run.config) for run in runs}
    lines = [
        Line2D([], [], color=colour_of(variant), linewidth=2, label=variant) for variant in VARIANTS if variant in there
    ]
    lines += others
    figure.legend(handles=lines, loc="outside upper center", ncols=len(lines), frameon=False)
