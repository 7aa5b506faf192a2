"""The figures of a report: what they show, of which runs."""

from collections.abc import Iterable
from statistics import fmean

from multistable.experiments.drawing import Axis, Curve, Panel, Plot, Row, Rows, Whose
from multistable.experiments.results import Group, Run, Section, spread

__all__ = [
    "COLOURS",
    "colour_of",
    "evaluation",
    "horizons",
    "learning",
    "name_of",
    "overview",
    "rewarded",
    "time_spent",
]

COLOURS = {
    "plain": "#7f7f7f",
    "warmup": "#d55e00",
    "double+warmup": "#0072b2",
    "double": "#56b4e9",
    "chrono": "#009e73",
    "chrono+warmup": "#e69f00",
    "chrono+double+warmup": "#004d40",
    "bistable": "#cc79a7",
}
"""Okabe and Ito's colours, safe for colour-blind eyes, one for each variant."""

_OTHERS = "#000000"
_ALONE, _HIGH, _MIDDLE, _LOW = 318, 190, 120, 90  # pixels


def colour_of(variant: str) -> str:
    """The colour of a variant in every figure."""
    return COLOURS.get(variant, _OTHERS)


def name_of(cell: str) -> str:
    """A cell's name as it is written."""
    return "nBRC" if cell == "nbrc" else cell.upper()


def overview(section: Section) -> Rows:
    """The test metric of each cell and variant: the mean, and the seeds behind it with their range."""
    rows = [
        Row(_whose(group), group.test.mean, [run.summary["test_metric"] for run in group.runs])
        for group in section.groups
    ]
    chance = section.summary["chance"]
    axis = _metric_axis(section, "test", [chance, *(point for row in rows for point in row.points)])
    return Rows(axis, rows, f"Test {section.summary['metric']}", chance)


def learning(section: Section, cell: str) -> Plot:
    """The validation metric over training, and VAA below it: means and, as bands, the range over seeds."""
    groups = _of(section, cell)
    shown = [_band(group, "epoch", "validation_metric") for group in groups]
    measured = [_band(group, "epoch", "vaa") for group in groups]
    x = Axis.around("epoch", _xs(shown))
    chance = section.summary["chance"]
    y = _metric_axis(section, "validation", [chance, *_values(shown)])
    panels = [Panel(x, y, shown, _HIGH, chance), Panel(x, _share_axis("VAA"), measured, _LOW)]
    return Plot(panels, f"Learning: validation {section.summary['metric']}, and VAA below it.")


def rewarded(section: Section, cell: str) -> Plot:
    """The agent's return over training, the share of seeds whose policy is optimal, and VAA."""
    groups = _of(section, cell)
    shown = [_band(group, "episodes", "validation_return") for group in groups]
    measured = [_band(group, "episodes", "vaa") for group in groups]
    x = Axis.around("episodes", _xs(shown))
    panels = [
        Panel(x, Axis("return", -1, 4.2, values=[0, 2, 4]), shown, _MIDDLE),
        Panel(x, _share_axis("share optimal"), [_share_optimal(group) for group in groups], _LOW),
        Panel(x, _share_axis("VAA"), measured, _LOW),
    ]
    return Plot(panels, "Learning: the agent's return, the share of seeds all of whose rollouts are optimal, and VAA.")


def horizons(section: Section, cell: str) -> Plot:
    """VAA against the steps that a constant input is held: before training dotted, after it solid."""
    curves = []
    for group in _of(section, cell):
        for moment, note in (("start", "before training"), ("end", "after training")):
            traces = [run.summary["traces"][moment] for run in group.runs]
            means = [fmean(values) for values in zip(*(trace["vaa"] for trace in traces), strict=True)]
            curves.append(Curve(_whose(group), traces[0]["horizons"], means, note=note, dotted=moment == "start"))
    x = Axis.around("steps under a constant input", _xs(curves), log=True)
    caption = "Distinct states under a constant input, before and after training. What falls was fading."
    return Plot([Panel(x, _share_axis("VAA"), curves, _ALONE)], caption)


def evaluation(section: Section, cell: str) -> Plot:
    """The test metric against the evaluation length: means, and bars from the least to the largest seed."""
    curves = []
    for group in _of(section, cell):
        lengths = [one["length"] for one in group.runs[0].summary["evaluation"]]
        found = [
            spread([run.summary["evaluation"][place]["metric"] for run in group.runs]) for place in range(len(lengths))
        ]
        ends = ([one.least for one in found], [one.most for one in found])
        curves.append(Curve(_whose(group), lengths, [one.mean for one in found], *ends, marked=True))
    config = section.config
    # At lengths that are decades apart.
    tested = sorted({config.horizon, *config.evaluation_lengths}) if config.of_task.by_reward else None
    x = Axis.around(config.of_task.horizon_key, [config.horizon, *_xs(curves)], config.of_task.by_reward, tested)
    chance = section.summary["chance"]
    y = _metric_axis(section, "test", [chance, *_values(curves)])
    caption = "Tested at other lengths; the grey line is the one trained at."
    return Plot([Panel(x, y, curves, _ALONE, chance)], caption, config.horizon)


def time_spent(section: Section) -> Rows:
    """Seconds of warmup, training and evaluation, the mean over seeds."""

    def seconds(group: Group, part: str) -> float:
        def of_run(run: Run) -> float:
            return float(run.summary["seconds"][part])

        return group.over_seeds(of_run).mean

    rows = []
    for group in section.groups:
        parts = {part: seconds(group, part) for part in ("warmup", "training", "evaluation")}
        rows.append(Row(_whose(group), sum(parts.values()), parts=parts))
    axis = Axis("seconds", 0, 1.02 * max(row.mean for row in rows) or 1)
    return Rows(axis, rows, "Time spent; evaluation holds the search for attractors")


def _band(group: Group, over: str, key: str) -> Curve:
    """Means and the range over seeds, over the column `over` where all runs have a value."""
    tables = [{row[over]: row[key] for row in run.rows if row[key] is not None} for run in group.runs]
    places = [place for place in tables[0] if place is not None and all(place in table for table in tables)]
    found = [spread([table[place] for table in tables]) for place in places]  # type: ignore[misc]
    ends = ([one.least for one in found], [one.most for one in found]) if len(tables) > 1 else ((), ())
    return Curve(_whose(group), places, [one.mean for one in found], *ends)


def _share_optimal(group: Group) -> Curve:
    """The share of seeds all of whose rollouts are optimal."""
    rows = zip(*(run.rows for run in group.runs), strict=True)
    shares = [fmean(row["validation_metric"] == 1 for row in of_seeds) for of_seeds in rows]
    return Curve(_whose(group), [row["episodes"] or 0 for row in group.runs[0].rows], shares)


def _whose(group: Group) -> Whose:
    name = f"{name_of(group.cell)} {group.variant}"
    return Whose(group.cell, group.variant, name, colour_of(group.variant))


def _of(section: Section, cell: str) -> list[Group]:
    return [group for group in section.groups if group.cell == cell]


def _xs(curves: Iterable[Curve]) -> list[float]:
    return [place for curve in curves for place in curve.xs]


def _values(curves: Iterable[Curve]) -> list[float]:
    return [value for curve in curves for value in (*curve.means, *curve.least, *curve.most)]


def _metric_axis(section: Section, which: str, values: Iterable[float]) -> Axis:
    """Errors on a logarithmic scale, shares from 0 to 1."""
    metric = section.summary["metric"]
    if section.summary["higher_is_better"]:
        return _share_axis(f"{which} {metric}")
    return Axis.around(f"{which} error", values, log=True)


def _share_axis(title: str) -> Axis:
    return Axis(title, -0.03, 1.05, values=[0, 0.5, 1])
