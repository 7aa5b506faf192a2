"""The figures of a report, in the form that plotly.js draws."""

from statistics import fmean
from typing import Any

from multistable.experiments.results import Group, Section, Spread, spread

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

Figure = dict[str, Any]

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
_GRID = "#e6e6e6"
_TOP, _BOTTOM = [0.42, 1.0], [0.0, 0.34]


def colour_of(variant: str) -> str:
    """The colour of a variant in every figure."""
    return COLOURS.get(variant, _OTHERS)


def name_of(cell: str) -> str:
    """A cell's name as it is written."""
    return "nBRC" if cell == "nbrc" else cell.upper()


def overview(section: Section) -> Figure:
    """The test metric of each cell and variant: the mean, and the seeds behind it with their range."""
    data: list[dict[str, Any]] = []
    variants = list(dict.fromkeys(group.variant for group in section.groups))
    for group in section.groups:
        # Beside each other within a cell.
        place = section.cells.index(group.cell) + 0.8 * ((variants.index(group.variant) + 0.5) / len(variants) - 0.5)
        test = group.test
        seeds = [run.summary["test_metric"] for run in group.runs]
        data.append(
            {
                **_belongs(group),
                "x": [place] * len(seeds),
                "y": seeds,
                "mode": "markers",
                "marker": {"color": colour_of(group.variant), "opacity": 0.4, "size": 6},
            }
        )
        data.append(
            {
                **_belongs(group),
                "x": [place],
                "y": [test.mean],
                "mode": "markers",
                "marker": {"color": colour_of(group.variant), "size": 11, "symbol": "diamond"},
                "error_y": _bars([test]),
            }
        )
    layout = _layout("", _metric_axis(section, "test"))
    count = len(section.cells)
    layout["xaxis"] |= {
        "tickvals": list(range(count)),
        "ticktext": [name_of(cell) for cell in section.cells],
        "range": [-0.5, count - 0.5],
    }
    return {"data": data, "layout": _with_chance(layout, section)}


def learning(section: Section, cell: str) -> Figure:
    """The validation metric over training, and VAA below it: means and, as bands, the range over seeds."""
    data = []
    for group in _of(section, cell):
        data += _band(group, "epoch", "validation_metric", "y")
        data += _band(group, "epoch", "vaa", "y2")
    layout = _layout("epoch", {**_metric_axis(section, "validation"), "domain": _TOP})
    layout["xaxis"]["anchor"] = "y2"
    layout["yaxis2"] = _vaa_axis(_BOTTOM)
    return {"data": data, "layout": _with_chance(layout, section)}


def rewarded(section: Section, cell: str) -> Figure:
    """The agent's return over training, the share of seeds whose policy is optimal, and VAA."""
    data = []
    for group in _of(section, cell):
        data += _band(group, "episodes", "validation_return", "y")
        data.append(_share_optimal(group, "y2"))
        data += _band(group, "episodes", "vaa", "y3")
    layout = _layout("episodes", {"title": {"text": "return"}, "range": [-1, 4.2], "domain": [0.58, 1.0]})
    layout["xaxis"]["anchor"] = "y3"
    layout["yaxis2"] = {**_vaa_axis([0.29, 0.51]), "title": {"text": "optimal"}}
    layout["yaxis3"] = _vaa_axis([0.0, 0.22])
    return {"data": data, "layout": layout}


def horizons(section: Section, cell: str) -> Figure:
    """VAA against the steps that a constant input is held: before training dotted, after it solid."""
    data = []
    for group in _of(section, cell):
        for moment, dash in (("start", "dot"), ("end", "solid")):
            traces = [run.summary["traces"][moment] for run in group.runs]
            means = [spread(values).mean for values in zip(*(trace["vaa"] for trace in traces), strict=True)]
            line = {"color": colour_of(group.variant), "dash": dash}
            name = "before training" if moment == "start" else "after training"
            data.append(
                {**_belongs(group, name), "x": traces[0]["horizons"], "y": means, "mode": "lines", "line": line}
            )
    layout = _layout("steps under a constant input", {"title": {"text": "VAA"}, "range": [-0.03, 1.05]})
    layout["xaxis"]["type"] = "log"
    return {"data": data, "layout": layout}


def evaluation(section: Section, cell: str) -> Figure:
    """The test metric against the evaluation length: means, and bars from the least to the largest seed."""
    data = []
    for group in _of(section, cell):
        lengths = [one["length"] for one in group.runs[0].summary["evaluation"]]
        found = [
            spread([run.summary["evaluation"][place]["metric"] for run in group.runs]) for place in range(len(lengths))
        ]
        data.append(
            {
                **_belongs(group),
                "x": lengths,
                "y": [one.mean for one in found],
                "error_y": _bars(found),
                "mode": "lines+markers",
                "line": {"color": colour_of(group.variant)},
            }
        )
    layout = _layout(section.config.of_task.horizon_key, _metric_axis(section, "test"))
    if section.config.of_task.by_reward:  # at lengths that are decades apart
        tested = sorted({section.config.horizon, *section.config.evaluation_lengths})
        layout["xaxis"] |= {"type": "log", "tickvals": tested, "tickformat": ","}
    trained = {"type": "line", "x0": section.config.horizon, "x1": section.config.horizon, "y0": 0, "y1": 1}
    layout["shapes"] = [{**trained, "yref": "paper", "line": {"color": "#bbbbbb", "width": 1}}]
    return {"data": data, "layout": _with_chance(layout, section)}


def time_spent(section: Section) -> Figure:
    """Seconds of warmup, training and evaluation, the mean over seeds."""
    data = []
    for part, opacity in (("warmup", 1.0), ("training", 0.6), ("evaluation", 0.25)):
        for group in section.groups:
            seconds = group.over_seeds(lambda run, part=part: run.summary["seconds"][part])  # type: ignore[misc]
            data.append(
                {
                    **_belongs(group, part),
                    "type": "bar",
                    "orientation": "h",
                    "x": [seconds.mean],
                    "y": [f"{name_of(group.cell)} {group.variant} "],
                    "marker": {"color": colour_of(group.variant), "opacity": opacity},
                }
            )
    layout = _layout("seconds: warmup, training, evaluation from dark to light", {"automargin": True})
    layout["yaxis"]["autorange"] = "reversed"
    return {"data": data, "layout": {**layout, "barmode": "stack", "height": 90 + 24 * len(section.groups)}}


def _band(group: Group, over: str, key: str, axis: str) -> list[dict[str, Any]]:
    """A line of means and the range over seeds behind it, over the column `over` where all runs have a value."""
    tables = [{row[over]: row[key] for row in run.rows if row[key] is not None} for run in group.runs]
    places = [place for place in tables[0] if all(place in table for table in tables)]
    found = [spread([table[place] for table in tables]) for place in places]  # type: ignore[misc]
    colour = colour_of(group.variant)
    shared = {**_belongs(group), "yaxis": axis}
    edges = [one.most for one in found] + [one.least for one in reversed(found)]
    return [
        {
            **shared,
            "x": places + places[::-1],
            "y": edges,
            "mode": "lines",
            "line": {"width": 0},
            "fill": "toself",
            "fillcolor": f"{colour}26",
            "hoverinfo": "skip",
        },
        {**shared, "x": places, "y": [one.mean for one in found], "mode": "lines", "line": {"color": colour}},
    ]


def _share_optimal(group: Group, axis: str) -> dict[str, Any]:
    """The share of seeds all of whose rollouts are optimal."""
    rows = zip(*(run.rows for run in group.runs), strict=True)
    shares = [fmean(row["validation_metric"] == 1 for row in of_seeds) for of_seeds in rows]
    episodes = [row["episodes"] for row in group.runs[0].rows]
    line = {"color": colour_of(group.variant)}
    return {**_belongs(group), "yaxis": axis, "x": episodes, "y": shares, "mode": "lines", "line": line}


def _bars(found: list[Spread]) -> dict[str, Any]:
    """Bars from the least to the largest, which unlike deviations never reach below 0 on a logarithmic scale."""
    above, below = [one.most - one.mean for one in found], [one.mean - one.least for one in found]
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 1}


def _belongs(group: Group, what: str = "") -> dict[str, Any]:
    """Which group a trace is of, for the filters and for what is shown under the mouse."""
    name = f"{name_of(group.cell)} {group.variant}{f', {what}' if what else ''}"
    return {"type": "scatter", "name": name, "meta": {"cell": group.cell, "variant": group.variant}}


def _of(section: Section, cell: str) -> list[Group]:
    return [group for group in section.groups if group.cell == cell]


def _metric_axis(section: Section, which: str) -> dict[str, Any]:
    """Errors on a logarithmic scale, shares from 0 to 1."""
    higher = section.summary["higher_is_better"]
    title: dict[str, Any] = {"title": {"text": f"{which} {section.summary['metric'] if higher else 'error'}"}}
    return {**title, "range": [-0.03, 1.03]} if higher else {**title, "type": "log"}


def _vaa_axis(domain: list[float]) -> dict[str, Any]:
    return {"title": {"text": "VAA"}, "range": [-0.03, 1.05], "domain": domain, "gridcolor": _GRID, "zeroline": False}


def _with_chance(layout: dict[str, Any], section: Section) -> dict[str, Any]:
    chance = section.summary["chance"]
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": chance, "y1": chance, "yref": "y"}
    shape = {**line, "line": {"color": "black", "width": 1, "dash": "dot"}}
    return {**layout, "shapes": [*layout.get("shapes", []), shape]}


def _layout(x: str, y: dict[str, Any]) -> dict[str, Any]:
    return {
        "xaxis": {"title": {"text": x}, "gridcolor": _GRID, "zeroline": False},
        "yaxis": {"gridcolor": _GRID, "zeroline": False, "exponentformat": "power", **y},
        "showlegend": False,
        "hovermode": "closest",
        "margin": {"l": 62, "r": 12, "t": 12, "b": 44},
        "font": {"family": "system-ui, sans-serif", "size": 12},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
    }
